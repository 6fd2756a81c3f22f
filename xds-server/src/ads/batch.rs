//! The choice of the resources for the next response of a type.

use std::sync::Arc;

use policy::bounds::MESSAGE_BYTES;
use xds_api::pb::envoy::service::discovery::v3::{DeltaDiscoveryResponse, Resource as Sendable};

use super::gate::Gate;
use super::held::{HeldResource, LastSent, Nonce};
use super::stream::Stream;
use super::subscription::Sent;
use super::through::Through;
use crate::resource::{Resource, ResourceType, site_of};
use crate::snapshot::Snapshot;

/// The size at which a response is complete. The filter takes in a response in one step on Envoy's
/// main thread, so a step has to be short; and one response is what a stream holds in memory at a
/// time.
pub(super) const MAX_RESPONSE_BYTES: usize = MESSAGE_BYTES;

/// The bytes that a resource takes in a response beside its name and body, roughly: version, type
/// URL, tags and lengths.
const OVERHEAD_BYTES: usize = 128;

/// The action that a name needs.
enum NameAction {
    /// Nothing: the client has what it should have, or refused it.
    Nothing,
    /// Not yet; or, after a refusal, not before something else changes.
    Blocked { by_refusal: bool },
    /// Send this.
    Send(Arc<Resource>),
    /// Say that it does not exist.
    Remove,
}

impl Stream {
    /// Takes what is ready of a type into a response, as far as it fits. `None` if nothing is to be
    /// said.
    pub(super) fn respond(
        &mut self,
        snapshot: &Snapshot,
        kind: ResourceType,
    ) -> Option<DeltaDiscoveryResponse> {
        let mut sent = Sent::new();
        let mut resources = Vec::new();
        let mut removed = Vec::new();
        let mut bytes = 0;
        let mut earliest = Through::All;
        while let Some((name, through)) = self.subscription(kind).ready.first_key_value() {
            let (name, through) = (name.clone(), *through);
            let verdict = self.examine(snapshot, kind, &name);
            let size = name.len() + OVERHEAD_BYTES + verdict.body_len();
            let is_part = matches!(verdict, NameAction::Send(_) | NameAction::Remove);
            if is_part
                && !sent.is_empty()
                && (bytes + size > MAX_RESPONSE_BYTES || !self.fits(kind, &sent, &name))
            {
                break;
            }
            self.subscription_mut(kind).ready.remove(&name);
            match verdict {
                NameAction::Nothing => {
                    let subscription = self.subscription_mut(kind);
                    subscription.forced.remove(&name);
                    subscription.alone.remove(&name);
                    continue;
                }
                NameAction::Blocked { by_refusal } => {
                    // A refusal is an answer: it holds up nothing.
                    let through = if by_refusal { Through::All } else { through };
                    self.subscription_mut(kind).blocked.insert(name, through);
                    continue;
                }
                NameAction::Send(resource) => {
                    sent.push((name.clone(), Some(resource.version.clone())));
                    resources.push(sendable(name, &resource));
                }
                NameAction::Remove => {
                    sent.push((name.clone(), None));
                    removed.push(name);
                }
            }
            bytes += size;
            earliest = earliest.min(through);
        }
        if sent.is_empty() && !self.subscription(kind).answer_due {
            return None;
        }
        let nonce = self.next_nonce();
        if kind == ResourceType::Cluster {
            self.resend_endpoints(&sent, earliest);
        }
        self.subscription_mut(kind).sent(nonce, sent, earliest);
        Some(response(kind, nonce, resources, removed))
    }

    /// Returns true if a name may go into the same response as those before it.
    fn fits(&self, kind: ResourceType, sent: &Sent, name: &str) -> bool {
        let alone = &self.subscription(kind).alone;
        sent.first().is_none_or(|(first, _)| {
            let same_site = !kind.is_sent_by_site() || site_of(first) == site_of(name);
            same_site && !alone.contains(first) && !alone.contains(name)
        })
    }

    /// A cluster that is sent again warms again, and waits for endpoints, even if they have not
    /// changed.
    fn resend_endpoints(&mut self, clusters: &Sent, through: Through) {
        let endpoints = self.subscription_mut(ResourceType::Endpoints);
        for (name, _) in clusters.iter().filter(|(_, version)| version.is_some()) {
            if endpoints.names.contains(name) {
                endpoints.force(name, through);
            }
        }
    }

    fn examine(&self, snapshot: &Snapshot, kind: ResourceType, name: &str) -> NameAction {
        let subscription = self.subscription(kind);
        let forced = subscription.forced.contains(name);
        let held = subscription.held.get(name);
        if !subscription.covers(name) || (!forced && self.keeps(kind, held)) {
            return NameAction::Nothing;
        }
        let Some(resource) = self.desired(snapshot, kind, name) else {
            return self.examine_absent(snapshot, kind, name, held, forced);
        };
        let has =
            |held: &HeldResource| held.last_sent == LastSent::Version(resource.version.clone());
        let settled = held.is_some_and(|held| has(held) || held.has_refused(&resource.version));
        if settled && !forced {
            return NameAction::Nothing;
        }
        if kind == ResourceType::Route {
            return self.may_send_routes(snapshot, name).verdict(NameAction::Send(resource));
        }
        NameAction::Send(resource)
    }

    fn examine_absent(
        &self,
        snapshot: &Snapshot,
        kind: ResourceType,
        name: &str,
        held: Option<&HeldResource>,
        forced: bool,
    ) -> NameAction {
        if !forced && held.is_none_or(|held| held.last_sent == LastSent::Absent) {
            return NameAction::Nothing;
        }
        let gate = match kind {
            ResourceType::Cluster => self.may_remove_cluster(snapshot, name),
            ResourceType::Endpoints => self.may_remove_endpoints(snapshot, name),
            _ => Gate::Open,
        };
        gate.verdict(NameAction::Remove)
    }
}

impl Gate {
    fn verdict(self, open: NameAction) -> NameAction {
        match self {
            Self::Open => open,
            Self::Closed => NameAction::Blocked { by_refusal: false },
            Self::Refused => NameAction::Blocked { by_refusal: true },
        }
    }
}

impl NameAction {
    fn body_len(&self) -> usize {
        if let Self::Send(resource) = self { resource.body.value.len() } else { 0 }
    }
}

fn sendable(name: String, resource: &Resource) -> Sendable {
    Sendable {
        name,
        version: resource.version.as_str().to_owned(),
        resource: Some(resource.body.clone()),
        ..Default::default()
    }
}

fn response(
    kind: ResourceType,
    nonce: Nonce,
    resources: Vec<Sendable>,
    removed_resources: Vec<String>,
) -> DeltaDiscoveryResponse {
    DeltaDiscoveryResponse {
        type_url: kind.type_url().to_owned(),
        nonce: nonce.to_string(),
        resources,
        removed_resources,
        ..Default::default()
    }
}
