//! One delta ADS stream.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use policy::id::SiteId;
use xds_api::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};

use super::event::{Event, StreamError};
use super::held::Nonce;
use super::subscription::{Applied, Sent, Subscription};
use super::through::Through;
use crate::node::Client;
use crate::resource::{Resource, ResourceType, Version, route_name, site_of};
use crate::snapshot::{Changed, Snapshot};
use crate::translate;

/// The most responses of a type that a client has not answered. It works them off one after the
/// other, so more would only wait there; a few keep it busy while its answers travel.
const MAX_IN_FLIGHT: usize = 8;

/// The state of one stream.
#[derive(Debug, Default)]
pub struct Stream {
    client: Option<Client>,
    /// The resources that are this client's alone: its listener, its filter.
    own: BTreeMap<(ResourceType, String), Arc<Resource>>,
    subscriptions: BTreeMap<ResourceType, Subscription>,
    unrequested: Subscription,
    /// The sites of clusters that the client had when it connected, until it has said which routes
    /// it wants: by its first request for routes, or by its first answer to a response, as it sends
    /// all its first requests before that.
    pub(super) reported_sites: BTreeSet<SiteId>,
    /// The sites whose routes the client had at the last look for idle ones.
    pub(super) loaded_before: BTreeSet<SiteId>,
    /// The idle sites that the client is about to let go of.
    pub(super) leaving: BTreeSet<SiteId>,
    /// The routes that a client without any has refused, by their version. It is sent the routes of
    /// a site that does not exist in their place, so that it answers instead of waiting for better
    /// ones.
    refused_routes: BTreeMap<String, Version>,
    last_nonce: Nonce,
    /// The last change of the log that this stream was told of in full.
    pub(super) reached: i64,
    /// True while listeners wait for the mirror.
    pub(super) holds_listeners: bool,
    /// True while the client's state may be newer than the snapshot.
    pub(super) doubts: bool,
    /// True once the client has answered a response: all its first requests were before that.
    pub(super) answered_once: bool,
}

impl Stream {
    /// A stream on which nothing has happened.
    pub fn new() -> Self {
        Self::default()
    }

    /// The client at the other end; known from the first request on.
    pub fn client(&self) -> Option<&Client> {
        self.client.as_ref()
    }

    /// Takes in a request.
    ///
    /// # Errors
    /// Those that end the stream: a first request that does not say who it is from.
    pub fn receive(
        &mut self,
        snapshot: &Snapshot,
        request: &DeltaDiscoveryRequest,
    ) -> Result<Vec<Event>, StreamError> {
        if self.client.is_none() {
            self.identify(request)?;
            self.reached = snapshot.seq();
        }
        let Some(kind) = ResourceType::from_type_url(&request.type_url) else {
            return Ok(vec![Event::UnknownType { type_url: request.type_url.clone() }]);
        };
        // A nonce in the first request of a type is from an earlier stream.
        let answers = !request.response_nonce.is_empty() && self.subscription(kind).requested;
        let event = answers.then(|| self.answered(kind, request));
        if matches!(event, Some(Event::Ack { .. } | Event::Nack { .. })) {
            self.answered_once = true;
            self.end_of_first_requests(snapshot);
        }
        let now = self.now();
        let applied = self.subscription_mut(kind).apply(kind, request, now);
        if kind == ResourceType::Route {
            request.resource_names_unsubscribe.iter().for_each(|name| {
                self.refused_routes.remove(name);
            });
        }
        self.subscribed(snapshot, kind, &applied);
        Ok(event.into_iter().collect())
    }

    /// Takes in the names that a change of the snapshot touched.
    pub fn changed(&mut self, changed: &Changed) {
        let now = self.now();
        for (kind, name) in changed {
            let wanted = site_of(name).is_none_or(|site| self.wants(site));
            let subscription = self.subscription_mut(*kind);
            let lazy = *kind == ResourceType::Cluster && !wanted;
            let asked = subscription.covers(name) && !lazy;
            if subscription.requested && (asked || subscription.held.contains_key(name)) {
                subscription.mark(name, now);
            }
            if let Some(site) = site_of(name) {
                self.wake(site);
            }
        }
    }

    /// Looks at everything again: for a stream that missed notices of change.
    pub fn resync(&mut self, snapshot: &Snapshot) {
        let now = self.now();
        for kind in ResourceType::ALL {
            let subscription = self.subscription_mut(kind);
            let known: Vec<_> =
                subscription.held.keys().chain(&subscription.names).cloned().collect();
            known.iter().for_each(|name| subscription.mark(name, now));
            if subscription.wildcard {
                self.mark_all(snapshot, kind, now);
            }
        }
        self.reached(snapshot.seq());
    }

    /// The next response, if there is anything to say now.
    pub fn poll(&mut self, snapshot: &Snapshot) -> Option<DeltaDiscoveryResponse> {
        ResourceType::ALL.into_iter().find_map(|kind| {
            let subscription = self.subscription(kind);
            if !subscription.requested
                || subscription.in_flight.len() >= MAX_IN_FLIGHT
                || self.waits(kind)
                || self.is_held_back(kind)
            {
                return None;
            }
            if kind == ResourceType::Sync && !self.is_synced() {
                return None;
            }
            self.respond(snapshot, kind)
        })
    }

    /// The resource that the client should have under this name, if it is one that exists for it.
    pub(super) fn desired(
        &self,
        snapshot: &Snapshot,
        kind: ResourceType,
        name: &str,
    ) -> Option<Arc<Resource>> {
        if let Some(own) = self.own.get(&(kind, name.to_owned())) {
            return Some(Arc::clone(own));
        }
        let site = site_of(name);
        if kind == ResourceType::Cluster && site.is_some_and(|site| !self.wants(site)) {
            return None;
        }
        // A state that was stored before there was a bound may hold such a resource: to the client
        // it is absent, so that what is in it is refused.
        let mut found =
            snapshot.get(kind, name).filter(|found| !found.is_too_large_for_a_vm()).cloned();
        if kind == ResourceType::Listener {
            // The snapshot has the wishes of a tenant; a resource of this Envoy also depends on the
            // Envoy.
            let edge = &self.client.as_ref()?.edge;
            return Some(translate::tenant_listener(edge, name, &*found?)?.resource);
        }
        if kind == ResourceType::ScopedRoute {
            let leaving = found.as_ref().and_then(|scope| self.while_leaving(name, scope));
            return leaving.or(found);
        }
        if kind == ResourceType::Route {
            found = found.filter(|found| self.refused_routes.get(name) != Some(&found.version));
            if found.is_none() && site.is_some() {
                return Some(translate::no_such_site(name).resource);
            }
        }
        found
    }

    pub(super) fn subscription(&self, kind: ResourceType) -> &Subscription {
        self.subscriptions.get(&kind).unwrap_or(&self.unrequested)
    }

    pub(super) fn subscription_mut(&mut self, kind: ResourceType) -> &mut Subscription {
        self.subscriptions.entry(kind).or_default()
    }

    /// The types that the client has asked for.
    pub(super) fn subscriptions(&self) -> impl Iterator<Item = &Subscription> {
        self.subscriptions.values().filter(|subscription| subscription.requested)
    }

    pub(super) fn next_nonce(&mut self) -> Nonce {
        self.last_nonce += 1;
        self.last_nonce
    }

    fn identify(&mut self, request: &DeltaDiscoveryRequest) -> Result<(), StreamError> {
        let node =
            request.node.as_ref().filter(|node| !node.id.is_empty()).ok_or(StreamError::NoNode)?;
        let client = Client::read(node)?;
        for own in [translate::listener(&client.edge), translate::extension_config(&client.edge)] {
            self.own.insert((own.kind, own.name), own.resource);
        }
        self.client = Some(client);
        Ok(())
    }

    fn answered(&mut self, kind: ResourceType, request: &DeltaDiscoveryRequest) -> Event {
        let error = request.error_detail.as_ref();
        let Some(sent) =
            self.subscription_mut(kind).answer(&request.response_nonce, error.is_none())
        else {
            return Event::StaleNonce { kind };
        };
        let sites: BTreeSet<_> = sent.iter().filter_map(|(name, _)| site_of(name)).collect();
        sites.iter().for_each(|site| self.wake(*site));
        if kind == ResourceType::ScopedRoute {
            self.scopes_answered(&sent);
        }
        match error {
            None => Event::Ack { kind, sites: sites.into_iter().collect() },
            Some(error) => {
                self.note_refused_routes(kind, &sent);
                Event::Nack { kind, resources: sent, message: error.message.clone() }
            }
        }
    }

    fn note_refused_routes(&mut self, kind: ResourceType, sent: &Sent) {
        let (ResourceType::Route, [(name, Some(version))]) = (kind, sent.as_slice()) else {
            return;
        };
        let held = self.subscription(kind).held.get(name);
        if held.is_some_and(|held| held.acked.is_none() && held.has_refused(version)) {
            self.refused_routes.insert(name.clone(), version.clone());
            let now = self.now();
            self.subscription_mut(kind).mark(name, now);
        }
    }

    /// A client that has asked for no routes by now wants none.
    fn end_of_first_requests(&mut self, snapshot: &Snapshot) {
        for site in std::mem::take(&mut self.reported_sites) {
            self.mark_upstreams(snapshot, site);
        }
    }

    /// Marks what a change of subscription makes due, in this type and in those that depend on it.
    fn subscribed(&mut self, snapshot: &Snapshot, kind: ResourceType, applied: &Applied) {
        if applied.wildcard_on {
            let through = if applied.first { Through::Nothing } else { self.now() };
            self.mark_all(snapshot, kind, through);
        }
        if kind == ResourceType::Cluster
            && applied.first
            && !self.subscription(ResourceType::Route).requested
        {
            self.reported_sites = self.subscription(kind).sites_held().collect();
        }
        let mut sites: BTreeSet<_> =
            applied.touched.iter().filter_map(|name| site_of(name)).collect();
        if kind == ResourceType::Route {
            if applied.first {
                sites.append(&mut self.reported_sites);
            }
            if applied.wildcard_on {
                sites.extend(snapshot.names(kind).filter_map(|name| site_of(name)));
            }
            if applied.wildcard_off {
                sites.extend(self.subscription(ResourceType::Cluster).sites_held());
            }
            sites.into_iter().for_each(|site| self.mark_upstreams(snapshot, site));
        } else if kind.is_sent_by_site() {
            if applied.first {
                sites.extend(self.subscription(kind).sites_held());
            }
            sites.into_iter().for_each(|site| self.wake(site));
        }
    }

    fn mark_all(&mut self, snapshot: &Snapshot, kind: ResourceType, through: Through) {
        let lazy = kind == ResourceType::Cluster;
        let shared = snapshot
            .names(kind)
            .filter(|name| !lazy || site_of(name).is_none_or(|site| self.wants(site)));
        let own = self.own.keys().filter(|(own, _)| *own == kind).map(|(_, name)| name);
        let names: Vec<_> = shared.chain(own).cloned().collect();
        let subscription = self.subscription_mut(kind);
        names.iter().for_each(|name| subscription.mark(name, through));
    }

    /// Marks the clusters of a site that has become wanted, or no longer is, and all that waits for
    /// them.
    fn mark_upstreams(&mut self, snapshot: &Snapshot, site: SiteId) {
        let now = self.now();
        let clusters = self.subscription_mut(ResourceType::Cluster);
        if clusters.requested {
            let prefix = format!("{}/", route_name(site));
            let held = clusters.held.range(prefix.clone()..).map(|(name, _)| name);
            let held = held.take_while(|name| name.starts_with(&prefix));
            let names: BTreeSet<_> =
                held.chain(snapshot.names_of_site(ResourceType::Cluster, site)).cloned().collect();
            names.iter().for_each(|name| clusters.mark(name, now));
        }
        self.wake(site);
    }

    fn wake(&mut self, site: SiteId) {
        let now = self.now();
        for kind in [ResourceType::Cluster, ResourceType::Endpoints, ResourceType::Route] {
            if let Some(subscription) = self.subscriptions.get_mut(&kind) {
                subscription.wake(site, now);
            }
        }
    }
}
