//! The state of one type on one stream.

use std::collections::{BTreeMap, BTreeSet};

use policy::id::SiteId;
use xds_api::pb::envoy::service::discovery::v3::DeltaDiscoveryRequest;

use super::held::{HeldResource, Nonce};
use super::through::Through;
use crate::resource::{ResourceType, Version, route_name, site_of};

/// The name that stands for all resources of a type (xDS protocol, "How the client specifies what
/// resources to return").
const WILDCARD: &str = "*";

/// The content of a response: names with the version that was sent, or `None` for a removal.
pub(super) type Sent = Vec<(String, Option<Version>)>;

/// A response that the client has not answered.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) sent: Sent,
    /// The earliest of the marks of its names.
    pub(super) through: Through,
}

/// One type on one stream.
#[derive(Debug, Default)]
pub(super) struct Subscription {
    /// True once there was a request for the type.
    pub(super) requested: bool,
    /// True if all resources of the type are subscribed to.
    pub(super) wildcard: bool,
    /// The names that are subscribed to.
    pub(super) names: BTreeSet<String>,
    /// The state of the client, by name.
    pub(super) held: BTreeMap<String, HeldResource>,
    /// The names that have to be looked at: the client's state of them may be wrong. With each, the
    /// change through which the client has everything as far as this name is concerned.
    pub(super) ready: BTreeMap<String, Through>,
    /// The names that were looked at, and wait for something of another type: [`Self::wake`] makes
    /// them ready.
    pub(super) blocked: BTreeMap<String, Through>,
    /// The names that are sent even if the client should have them.
    pub(super) forced: BTreeSet<String>,
    /// The names that were refused together with others: each is sent once more by itself, so that
    /// only the bad ones stay refused.
    pub(super) alone: BTreeSet<String>,
    /// The responses that the client has not answered.
    pub(super) in_flight: BTreeMap<Nonce, InFlight>,
    /// True if a response is due even if there is nothing to send.
    pub(super) answer_due: bool,
}

/// The changes that a request made to a subscription.
#[derive(Debug, Default)]
pub(super) struct Applied {
    /// It was the first request of the type.
    pub(super) first: bool,
    /// All resources are subscribed to now, and were not before.
    pub(super) wildcard_on: bool,
    /// No longer all resources are subscribed to.
    pub(super) wildcard_off: bool,
    /// The names that were subscribed to or unsubscribed from.
    pub(super) touched: Vec<String>,
}

impl Subscription {
    /// Returns true if the client asks for this name.
    pub(super) fn covers(&self, name: &str) -> bool {
        self.wildcard || self.names.contains(name)
    }

    /// Marks a name to be looked at. Until it is settled, the client has everything only through
    /// that change.
    pub(super) fn mark(&mut self, name: &str, through: Through) {
        let through = self.blocked.remove(name).map_or(through, |before| before.min(through));
        match self.ready.get_mut(name) {
            Some(before) => *before = through.min(*before),
            None => {
                self.ready.insert(name.to_owned(), through);
            }
        }
    }

    /// Marks a name to be sent in any case.
    pub(super) fn force(&mut self, name: &str, through: Through) {
        self.forced.insert(name.to_owned());
        self.mark(name, through);
    }

    /// Makes the blocked names of a site ready.
    pub(super) fn wake(&mut self, site: SiteId, through: Through) {
        let prefix = route_name(site);
        let names = self.blocked.range(prefix.clone()..).map(|(name, _)| name);
        let woken: Vec<_> = names.take_while(|name| name.starts_with(&prefix)).cloned().collect();
        for name in woken {
            self.mark(&name, through);
        }
    }

    /// Returns true if everything was sent and answered.
    pub(super) fn is_settled(&self) -> bool {
        self.requested
            && self.ready.is_empty()
            && self.blocked.is_empty()
            && self.in_flight.is_empty()
    }

    /// The names of which something is still to be sent or answered.
    pub(super) fn unsettled_names(&self) -> BTreeSet<&str> {
        let marked = self.ready.keys().chain(self.blocked.keys());
        let sent = self.in_flight.values().flat_map(|response| &response.sent);
        marked.chain(sent.map(|(name, _)| name)).map(String::as_str).collect()
    }

    /// Takes in the subscription part of a request.
    ///
    /// A name that is asked for in the first request of a type counts from the beginning: the
    /// client may have something older from before. A name that is asked for later it never had, or
    /// had in order.
    pub(super) fn apply(
        &mut self,
        kind: ResourceType,
        request: &DeltaDiscoveryRequest,
        now: Through,
    ) -> Applied {
        let first = !self.requested;
        let through = if first { Through::Nothing } else { now };
        self.requested = true;
        let mut applied = Applied { first, ..Applied::default() };
        let before = self.wildcard;
        let subscribe = &request.resource_names_subscribe;
        self.wildcard |= subscribe.iter().any(|name| name == WILDCARD)
            || (first && subscribe.is_empty() && kind.is_wildcard_by_default());
        if first {
            self.take_reported(request);
        }
        for name in subscribe.iter().filter(|name| *name != WILDCARD) {
            self.names.insert(name.clone());
            let through = self.under_way(name).min(through);
            // The client may have forgotten its resources, so it is answered in any case, unless it
            // has just listed them.
            if first && request.initial_resource_versions.contains_key(name) {
                self.mark(name, through);
            } else {
                self.force(name, through);
            }
            applied.touched.push(name.clone());
        }
        for name in &request.resource_names_unsubscribe {
            self.unsubscribe(name, through);
            applied.touched.push(name.clone());
        }
        applied.wildcard_on = self.wildcard && !before;
        applied.wildcard_off = before && !self.wildcard;
        self.answer_due |= applied.wildcard_on;
        applied
    }

    /// The content that a client may still take in of a name that it had given up, and asks for
    /// again.
    fn under_way(&self, name: &str) -> Through {
        let with_it = self
            .in_flight
            .values()
            .filter(|response| response.sent.iter().any(|(sent, _)| sent == name));
        with_it.map(|response| response.through).min().unwrap_or(Through::All)
    }

    /// Takes over the client's resources from an earlier stream, as far as it still asks for them.
    fn take_reported(&mut self, request: &DeltaDiscoveryRequest) {
        for (name, version) in &request.initial_resource_versions {
            if self.wildcard || request.resource_names_subscribe.contains(name) {
                self.held.insert(name.clone(), HeldResource::reported(version));
                self.mark(name, Through::Nothing);
            }
        }
    }

    fn unsubscribe(&mut self, name: &str, through: Through) {
        if name == WILDCARD {
            self.wildcard = false;
            let names = &self.names;
            self.held.retain(|name, _| names.contains(name));
        } else if self.names.remove(name) {
            if self.wildcard {
                // The client may have dropped it, and has to be told that it still exists.
                self.force(name, through);
                return;
            }
            self.held.remove(name);
        }
        let names = &self.names;
        let wildcard = self.wildcard;
        for marks in [&mut self.ready, &mut self.blocked] {
            marks.retain(|name, _| wildcard || names.contains(name));
        }
        for marks in [&mut self.forced, &mut self.alone] {
            marks.retain(|name| wildcard || names.contains(name));
        }
    }

    /// Takes in the client's answer to a response. `None` if no such response is under way: the
    /// nonce is stale.
    pub(super) fn answer(&mut self, nonce: &str, accepted: bool) -> Option<Sent> {
        let nonce: Nonce = nonce.parse().ok()?;
        let InFlight { sent, through } = self.in_flight.remove(&nonce)?;
        let together = sent.len() > 1;
        for (name, version) in &sent {
            let Some(held) = self.held.get_mut(name) else { continue };
            if accepted {
                held.accepted(version.as_ref(), nonce);
            } else if !together {
                held.refused(version.as_ref(), nonce);
            } else if held.refused_with_others(nonce) {
                self.alone.insert(name.clone());
                self.mark(name, through);
                continue;
            } else if let Some(newer) =
                held.awaiting.and_then(|newer| self.in_flight.get_mut(&newer))
            {
                // The content of this response for the name is lost, and comes with that one.
                newer.through = newer.through.min(through);
            }
            // Nothing needs to be remembered of a removal, unless the name is still asked for.
            if !held.may_exist() && !self.names.contains(name) {
                self.held.remove(name);
            }
        }
        Some(sent)
    }

    /// Notes a response, and the earliest mark of its names.
    pub(super) fn sent(&mut self, nonce: Nonce, sent: Sent, through: Through) {
        for (name, version) in &sent {
            self.forced.remove(name);
            self.alone.remove(name);
            self.held.entry(name.clone()).or_default().sent(version.clone(), nonce);
        }
        self.in_flight.insert(nonce, InFlight { sent, through });
        self.answer_due = false;
    }

    /// The sites of the names that the client has.
    pub(super) fn sites_held(&self) -> impl Iterator<Item = SiteId> {
        self.held.keys().filter_map(|name| site_of(name))
    }
}
