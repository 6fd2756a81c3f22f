//! The sets that were read, their users, and joining them into what is pushed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use policy::desired::{DesiredIssuer, DesiredSite};
use policy::id::{IssuerId, SiteId, TenantId, Uuid};
use tokio::sync::Notify;

use crate::cells::Cells;
use crate::resource::{Named, ResourceType};
use crate::saver::{TextDigest, digest};
use crate::schedule::Known;
use crate::snapshot::Owner;
use crate::translate;

/// The sets by their URLs. The follower joins them into sites, the worker brings new ones; neither
/// sees the other half done.
#[derive(Debug, Default)]
pub struct Keyring {
    state: Mutex<State>,
    demand: Notify,
}

/// A set that was read by an earlier run of this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The JWK Set, in JSON.
    pub set: Arc<str>,
    /// Its age, and the time for which it was good.
    pub known: Known,
}

/// A URL whose users have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Demand {
    pub(super) url: Arc<str>,
    /// None: the URL is to be forgotten.
    pub(super) tenants: BTreeSet<TenantId>,
    /// The age and lifetime of its set, if that was restored.
    pub(super) known: Option<Known>,
}

#[derive(Debug, Default)]
struct State {
    /// The URLs that are in use.
    urls: BTreeMap<Arc<str>, Source>,
    of_site: BTreeMap<SiteId, SiteUse>,
    restored: BTreeMap<TextDigest, Restored>,
    /// The URLs whose users have changed since the worker last asked.
    changed: BTreeSet<Arc<str>>,
}

#[derive(Debug, Default)]
struct Source {
    set: Option<Arc<str>>,
    known: Option<Known>,
    sites: BTreeSet<SiteId>,
}

#[derive(Debug, PartialEq, Eq)]
struct SiteUse {
    tenant: TenantId,
    issuers: BTreeMap<IssuerId, Arc<str>>,
}

/// The keyring, held: no set changes meanwhile.
#[derive(Debug)]
pub struct HeldKeyring<'a> {
    state: MutexGuard<'a, State>,
    demand: &'a Notify,
}

impl Keyring {
    /// Takes in what earlier runs have read; before the first site is joined.
    pub fn restore(&self, restored: impl IntoIterator<Item = (TextDigest, Restored)>) {
        self.lock().restored.extend(restored);
    }

    /// Says that all sites were joined once: no site uses the rest of what was restored.
    pub fn forget_restored(&self) {
        self.lock().restored.clear();
    }

    /// Holds the keyring, until the joined sites have been given to the cells.
    pub fn hold(&self) -> HeldKeyring<'_> {
        HeldKeyring { state: self.lock(), demand: &self.demand }
    }

    /// The digests of the URLs that are in use.
    pub fn digests(&self) -> Vec<TextDigest> {
        self.lock().urls.keys().map(|url| digest(url)).collect()
    }

    /// Has [`Self::take_demands`] return every URL that is in use, as for a worker that knows none.
    pub(super) fn demand_all(&self) {
        let mut state = self.lock();
        let urls: Vec<_> = state.urls.keys().cloned().collect();
        state.changed.extend(urls);
    }

    /// Waits until URLs have come or gone, or have other users.
    pub(super) async fn demanded(&self) {
        self.demand.notified().await;
    }

    /// The URLs whose users have changed since this was last asked.
    pub(super) fn take_demands(&self) -> Vec<Demand> {
        let mut state = self.lock();
        let changed = std::mem::take(&mut state.changed);
        let demand = |url: Arc<str>| {
            let source = state.urls.get(&url);
            let sites = source.into_iter().flat_map(|source| &source.sites);
            let tenants = sites.filter_map(|site| Some(state.of_site.get(site)?.tenant)).collect();
            Demand { tenants, known: source.and_then(|source| source.known), url }
        };
        changed.into_iter().map(demand).collect()
    }

    /// Takes in a set that was read, and pushes it to every site that uses it. Returns how many
    /// resources changed: 0 if the set is the known one, or is not wanted any more.
    pub(super) fn put(&self, cells: &Cells, url: &Arc<str>, set: &Arc<str>) -> usize {
        let mut state = self.lock();
        let Some(source) = state.urls.get_mut(url) else { return 0 };
        if source.set.as_ref() == Some(set) {
            return 0;
        }
        source.set = Some(Arc::clone(set));
        let sites: Vec<_> = source.sites.iter().copied().collect();
        sites.chunks(SITES_PER_STEP).map(|sites| state.push(cells, url, sites)).sum()
    }

    /// The number of URLs without a set.
    pub(super) fn without_set(&self) -> usize {
        self.lock().urls.values().filter(|source| source.set.is_none()).count()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of sites that get a new set in one step, during which no stream is served: some
/// milliseconds.
const SITES_PER_STEP: usize = 100;

impl State {
    /// Puts the set of a URL into the policies of sites. Only their keys change, so there is no
    /// need for the database, which may be away.
    fn push(&self, cells: &Cells, url: &Arc<str>, sites: &[SiteId]) -> usize {
        let Some(set) = self.urls.get(url).and_then(|source| source.set.as_deref()) else {
            return 0;
        };
        let rekeyed = sites.iter().filter_map(|site| {
            let issuers = self
                .of_site
                .get(site)?
                .issuers
                .iter()
                .filter(|(_, of)| *of == url)
                .map(|(id, _)| *id);
            let policy =
                cells.get(Owner::Site(*site), ResourceType::SitePolicy, &site.to_string())?;
            Some((Owner::Site(*site), translate::rekeyed(*site, &policy, &issuers.collect(), set)?))
        });
        let rekeyed: Vec<(Owner, Named)> = rekeyed.collect();
        cells.replace(rekeyed)
    }

    /// Notes the URLs that a site uses; without any, it is forgotten.
    fn note(&mut self, site: SiteId, tenant: TenantId, issuers: BTreeMap<IssuerId, Arc<str>>) {
        let after = SiteUse { tenant, issuers };
        let before = self.of_site.get(&site);
        if before.map_or(after.issuers.is_empty(), |before| *before == after) {
            return;
        }
        let before = before.map(|before| before.issuers.clone()).unwrap_or_default();
        for url in after.issuers.values() {
            if !self.urls.contains_key(url) {
                let restored = self.restored.remove(&digest(url));
                let (set, known) = restored.map(|restored| (restored.set, restored.known)).unzip();
                self.urls.insert(Arc::clone(url), Source { set, known, sites: BTreeSet::new() });
            }
            if let Some(source) = self.urls.get_mut(url) {
                source.sites.insert(site);
            }
            self.changed.insert(Arc::clone(url));
        }
        let now: BTreeSet<_> = after.issuers.values().collect();
        for url in before.into_values().filter(|url| !now.contains(url)) {
            if let Some(source) = self.urls.get_mut(&url) {
                source.sites.remove(&site);
                if source.sites.is_empty() {
                    self.urls.remove(&url);
                }
            }
            self.changed.insert(url);
        }
        if after.issuers.is_empty() {
            self.of_site.remove(&site);
        } else {
            self.of_site.insert(site, after);
        }
    }
}

impl HeldKeyring<'_> {
    /// Gives the issuers of a site the sets that were read, and notes the URLs that it uses.
    pub fn join(&mut self, site: &mut DesiredSite) {
        let url_of = |issuer: &DesiredIssuer| issuer.settings.jwks_uri.as_deref().map(Arc::from);
        let issuers = site.issuers.iter().filter_map(|issuer| Some((issuer.id, url_of(issuer)?)));
        self.note(site.site, site.tenant, issuers.collect());
        for issuer in &mut site.issuers {
            let source =
                issuer.settings.jwks_uri.as_deref().and_then(|url| self.state.urls.get(url));
            issuer.fetched_jwks =
                source.and_then(|source| source.set.as_deref()).map(str::to_owned);
        }
    }

    /// Notes that a site is gone.
    pub fn remove(&mut self, site: SiteId) {
        let tenant = TenantId::from(Uuid::nil());
        self.note(site, tenant, BTreeMap::new());
    }

    fn note(&mut self, site: SiteId, tenant: TenantId, issuers: BTreeMap<IssuerId, Arc<str>>) {
        self.state.note(site, tenant, issuers);
        if !self.state.changed.is_empty() {
            self.demand.notify_one();
        }
    }
}

#[cfg(test)]
#[path = "keyring_tests.rs"]
mod tests;
