//! Make before break: the resources that have to arrive before others may be sent.

use policy::id::SiteId;

use super::held::HeldResource;
use super::stream::Stream;
use crate::resource::{ResourceType, route_name, site_of};
use crate::snapshot::Snapshot;

/// The types that the first sync consists of.
const SYNCED: [ResourceType; 4] = [
    ResourceType::SitePolicy,
    ResourceType::ConsumerBucket,
    ResourceType::KeyBucket,
    ResourceType::Host,
];

/// The answer of a gate to something that is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// It may.
    Open,
    /// Not before the client has answered something else.
    Closed,
    /// The client has refused a resource that has to go before it: not before that one changes.
    Refused,
}

/// The state of a client as to the dependencies of a RouteConfiguration.
enum Upstreams {
    /// It has accepted all of them, as they should be.
    Accepted,
    /// It has refused one of them, as it should be.
    Refused,
    /// Something is still to be sent, or to be answered.
    UnderWay,
}

impl Stream {
    /// Returns true if a stream is sent the clusters of this site: it asks for the site's routes;
    /// or it had clusters of the site when it connected, and has not said yet which routes it
    /// wants. (Envoy asks for clusters first. It would lose those under its routes if it were told
    /// at once that they are not there.)
    pub(super) fn wants(&self, site: SiteId) -> bool {
        self.reported_sites.contains(&site)
            || self.subscription(ResourceType::Route).covers(&route_name(site))
    }

    /// Returns true if the routes of a site may be sent: all clusters and endpoints of the site
    /// have been accepted. If one of them was refused, a client that has routes keeps them; one
    /// that has none gets them, so that the rest of the site works.
    pub(super) fn may_send_routes(&self, snapshot: &Snapshot, name: &str) -> Gate {
        let Some(site) = site_of(name) else { return Gate::Open };
        if !self.subscription(ResourceType::Cluster).requested {
            return Gate::Open;
        }
        match self.upstreams(snapshot, site) {
            Upstreams::Accepted => Gate::Open,
            Upstreams::UnderWay => Gate::Closed,
            Upstreams::Refused => {
                let held = self.subscription(ResourceType::Route).held.get(name);
                if held.is_none_or(|held| held.acked.is_none()) {
                    Gate::Open
                } else {
                    Gate::Refused
                }
            }
        }
    }

    fn upstreams(&self, snapshot: &Snapshot, site: SiteId) -> Upstreams {
        let mut under_way = false;
        for kind in [ResourceType::Cluster, ResourceType::Endpoints] {
            let held = &self.subscription(kind).held;
            for name in snapshot.names_of_site(kind, site) {
                let Some(wanted) = snapshot.get(kind, name) else { continue };
                match held.get(name) {
                    Some(held) if held.has_refused(&wanted.version) => return Upstreams::Refused,
                    Some(held)
                        if held.has_accepted(&wanted.version) || self.keeps(kind, Some(held)) => {}
                    _ => under_way = true,
                }
            }
        }
        if under_way { Upstreams::UnderWay } else { Upstreams::Accepted }
    }

    /// Returns true if a cluster may be taken away: the routes of its site, as the client has them,
    /// no longer lead to it.
    pub(super) fn may_remove_cluster(&self, snapshot: &Snapshot, name: &str) -> Gate {
        let Some(site) = site_of(name) else { return Gate::Open };
        if self.reported_sites.contains(&site) {
            return Gate::Closed;
        }
        let routes = self.subscription(ResourceType::Route);
        let route = route_name(site);
        // The client may have dropped the routes and asked for them again, and then takes those
        // that are under way.
        if routes
            .in_flight
            .values()
            .flat_map(|response| &response.sent)
            .any(|(name, _)| *name == route)
        {
            return Gate::Closed;
        }
        if !routes.covers(&route) {
            return Gate::Open;
        }
        let Some(wanted) = self.desired(snapshot, ResourceType::Route, &route) else {
            return Gate::Open;
        };
        match routes.held.get(&route) {
            Some(held) if held.has_accepted(&wanted.version) => Gate::Open,
            Some(held) if held.has_refused(&wanted.version) => Gate::Refused,
            _ if matches!(self.upstreams(snapshot, site), Upstreams::Refused) => Gate::Refused,
            _ => Gate::Closed,
        }
    }

    /// Returns true if endpoints may be said to be gone: the client has no cluster of that name.
    pub(super) fn may_remove_endpoints(&self, snapshot: &Snapshot, name: &str) -> Gate {
        if !self
            .subscription(ResourceType::Cluster)
            .held
            .get(name)
            .is_some_and(HeldResource::may_exist)
        {
            return Gate::Open;
        }
        match self.may_remove_cluster(snapshot, name) {
            Gate::Refused => Gate::Refused,
            Gate::Open | Gate::Closed => Gate::Closed,
        }
    }

    /// Returns true if the client has accepted everything of this site as it is in the snapshot.
    pub fn has_site(&self, snapshot: &Snapshot, site: SiteId) -> bool {
        let name = route_name(site);
        let routes = self.subscription(ResourceType::Route).held.get(&name);
        let wanted = snapshot.get(ResourceType::Route, &name);
        let has_routes =
            routes.zip(wanted).is_some_and(|(held, wanted)| held.has_accepted(&wanted.version));
        has_routes && matches!(self.upstreams(snapshot, site), Upstreams::Accepted)
    }

    /// Returns true once all of the filter's types were sent and answered, so that its first sync
    /// is complete. A refused resource counts as answered: the filter lacks it, and refuses
    /// requests that need it.
    pub(super) fn is_synced(&self) -> bool {
        SYNCED.into_iter().all(|kind| self.subscription(kind).is_settled())
    }
}
