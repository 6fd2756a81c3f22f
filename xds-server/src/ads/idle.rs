//! Letting go of the routes of a site without requests.
//!
//! Envoy has no way to forget by itself a site that it has loaded on demand. But a scope that it is
//! sent anew, with other content and `on_demand`, is again as if it had never been asked for: Envoy
//! drops the scope's RouteConfiguration and its subscription to it in the same step in which it
//! takes the scope in, and a request in the meantime waits until the routes are loaded, as a first
//! one does. So the scope is sent twice: as that of an eager site, for which Envoy keeps what it
//! has, and, when that is acknowledged, as it is. The clusters go when Envoy has unsubscribed.

use std::collections::BTreeSet;
use std::sync::Arc;

use policy::id::SiteId;

use super::held::LastSent;
use super::stream::Stream;
use super::subscription::Sent;
use crate::resource::{Resource, ResourceType, site_of};
use crate::snapshot::Snapshot;
use crate::translate;

impl Stream {
    /// Looks for sites that the client had loaded at the look before and still has, and that are
    /// not among those that were used since; lets go of them, unless they are eager, or the
    /// snapshot is in doubt. Returns how many.
    pub fn evict_idle(&mut self, snapshot: &Snapshot, used: &BTreeSet<SiteId>) -> usize {
        if self.doubts {
            return 0;
        }
        let mut loaded = self.loaded();
        let idle = self.loaded_before.intersection(&loaded).filter(|site| !used.contains(site));
        let idle: Vec<_> = idle.filter(|site| self.may_leave(snapshot, **site)).copied().collect();
        idle.iter().for_each(|site| {
            loaded.remove(site);
        });
        let now = self.now();
        let scopes = self.subscription_mut(ResourceType::ScopedRoute);
        idle.iter().for_each(|site| scopes.mark(&site.to_string(), now));
        self.leaving.extend(&idle);
        self.loaded_before = loaded;
        idle.len()
    }

    /// The sites whose scopes and routes the client has, and has acknowledged.
    ///
    /// A site whose routes are still under way does not count: requests wait for them, and Envoy
    /// forgets those that wait for a scope when that is sent anew.
    fn loaded(&self) -> BTreeSet<SiteId> {
        let scopes = self.subscription(ResourceType::ScopedRoute).unsettled_names();
        let routes = self.subscription(ResourceType::Route);
        let unsettled = routes.unsettled_names();
        let settled = routes.names.iter().filter(|name| !unsettled.contains(name.as_str()));
        let sites = settled.filter_map(|name| site_of(name));
        sites.filter(|site| !scopes.contains(site.to_string().as_str())).collect()
    }

    /// Returns true if a site is lazy, and its scope goes to the client if it is sent as that of an
    /// eager one: otherwise no answer would say that it is to be as it is again.
    fn may_leave(&self, snapshot: &Snapshot, site: SiteId) -> bool {
        let name = site.to_string();
        let Some(scope) = snapshot.get(ResourceType::ScopedRoute, &name) else { return false };
        let Some(held) = self.subscription(ResourceType::ScopedRoute).held.get(&name) else {
            return false;
        };
        let eager = translate::eager(scope);
        held.last_sent == LastSent::Version(scope.version.clone())
            && eager.is_some_and(|eager| !held.has_refused(&eager.version))
    }

    /// The scope that a client has to acknowledge before it gets the true one again, if it has to
    /// let go of the site.
    pub(super) fn while_leaving(&self, name: &str, scope: &Resource) -> Option<Arc<Resource>> {
        let site = name.parse().ok()?;
        self.leaving.contains(&site).then(|| translate::eager(scope)).flatten()
    }

    /// Takes in an answer to scopes: the sites to let go of then get their true scopes.
    pub(super) fn scopes_answered(&mut self, sent: &Sent) {
        let now = self.now();
        for (name, _) in sent {
            if name.parse().is_ok_and(|site| self.leaving.remove(&site)) {
                self.subscription_mut(ResourceType::ScopedRoute).mark(name, now);
            }
        }
    }
}
