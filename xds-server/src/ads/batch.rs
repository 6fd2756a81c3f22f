//! Which resources go into the next response of a type.

use std::sync::Arc;

use xds_api::pb::envoy::service::discovery::v3::{DeltaDiscoveryResponse, Resource as Sendable};

use super::held::{Held, Nonce, Told};
use super::stream::Stream;
use super::subscription::Sent;
use crate::resource::{Resource, ResourceType, site_of};
use crate::snapshot::Snapshot;

/// The size at which a response is complete. The filter takes in a response in one step on Envoy's main thread, so a step
/// has to be short; and one response is what a stream holds in memory at a time.
pub(super) const MAX_RESPONSE_BYTES: usize = 1_000_000;

/// What a resource costs in a response beside name and body: version, type URL, tags and lengths, roughly.
const OVERHEAD_BYTES: usize = 128;

/// What has to be done about a name.
enum Verdict {
    /// Nothing: the client has what it should have, or refused it.
    Nothing,
    /// Not yet.
    Blocked,
    /// Send this.
    Send(Arc<Resource>),
    /// Say that it does not exist.
    Remove,
}

impl Stream {
    /// Takes what is ready of a type into a response, as far as it fits. `None` if nothing is to be said.
    pub(super) fn respond(&mut self, snapshot: &Snapshot, kind: ResourceType) -> Option<DeltaDiscoveryResponse> {
        let mut sent = Sent::new();
        let mut resources = Vec::new();
        let mut removed = Vec::new();
        let mut bytes = 0;
        while let Some(name) = self.subscription(kind).ready.first().cloned() {
            let verdict = self.examine(snapshot, kind, &name);
            let size = name.len() + OVERHEAD_BYTES + verdict.body_len();
            let is_part = matches!(verdict, Verdict::Send(_) | Verdict::Remove);
            if is_part && !sent.is_empty() && (bytes + size > MAX_RESPONSE_BYTES || !self.fits(kind, &sent, &name)) {
                break;
            }
            self.subscription_mut(kind).ready.remove(&name);
            match verdict {
                Verdict::Nothing => {
                    let subscription = self.subscription_mut(kind);
                    subscription.forced.remove(&name);
                    subscription.alone.remove(&name);
                    continue;
                }
                Verdict::Blocked => {
                    self.subscription_mut(kind).blocked.insert(name);
                    continue;
                }
                Verdict::Send(resource) => {
                    sent.push((name.clone(), Some(resource.version.clone())));
                    resources.push(sendable(name, &resource));
                }
                Verdict::Remove => {
                    sent.push((name.clone(), None));
                    removed.push(name);
                }
            }
            bytes += size;
        }
        if sent.is_empty() && !self.subscription(kind).answer_due {
            return None;
        }
        let nonce = self.next_nonce();
        if kind == ResourceType::Cluster {
            self.resend_endpoints(&sent);
        }
        self.subscription_mut(kind).sent(nonce, sent);
        Some(response(kind, nonce, resources, removed))
    }

    /// Whether a name may go into the same response as those before it.
    fn fits(&self, kind: ResourceType, sent: &Sent, name: &str) -> bool {
        let alone = &self.subscription(kind).alone;
        sent.first().is_none_or(|(first, _)| {
            let same_site = !kind.is_sent_by_site() || site_of(first) == site_of(name);
            same_site && !alone.contains(first) && !alone.contains(name)
        })
    }

    /// A cluster that is sent again warms again, and waits for endpoints, even if they have not changed.
    fn resend_endpoints(&mut self, clusters: &Sent) {
        let endpoints = self.subscription_mut(ResourceType::Endpoints);
        for (name, _) in clusters.iter().filter(|(_, version)| version.is_some()) {
            if endpoints.names.contains(name) {
                endpoints.force(name);
            }
        }
    }

    fn examine(&self, snapshot: &Snapshot, kind: ResourceType, name: &str) -> Verdict {
        let subscription = self.subscription(kind);
        let forced = subscription.forced.contains(name);
        let held = subscription.held.get(name);
        if !subscription.covers(name) {
            return Verdict::Nothing;
        }
        let Some(resource) = self.desired(snapshot, kind, name) else {
            return self.examine_absent(snapshot, kind, name, held, forced);
        };
        let has = |held: &Held| held.told == Told::Version(resource.version.clone());
        let settled = held.is_some_and(|held| has(held) || held.has_refused(&resource.version));
        if settled && !forced {
            return Verdict::Nothing;
        }
        if kind == ResourceType::Route && !self.may_send_routes(snapshot, name) {
            return Verdict::Blocked;
        }
        Verdict::Send(resource)
    }

    fn examine_absent(
        &self,
        snapshot: &Snapshot,
        kind: ResourceType,
        name: &str,
        held: Option<&Held>,
        forced: bool,
    ) -> Verdict {
        if !forced && held.is_none_or(|held| held.told == Told::Absent) {
            return Verdict::Nothing;
        }
        let allowed = match kind {
            ResourceType::Cluster => self.may_remove_cluster(snapshot, name),
            ResourceType::Endpoints => self.may_remove_endpoints(name),
            _ => true,
        };
        if allowed { Verdict::Remove } else { Verdict::Blocked }
    }
}

impl Verdict {
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
