//! The names, their addresses and users, and joining them into what is pushed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use policy::address::AddressRules;
use policy::desired::{DesiredEndpoint, DesiredSite};
use policy::id::{SiteId, TenantId, UpstreamId};
use tokio::sync::Notify;

use super::report;
use super::resolve::PermittedAddresses;
use crate::cells::Cells;
use crate::saver::{TextDigest, digest};
use crate::snapshot::Owner;
use crate::translate;

/// The factor by which the weight of an endpoint is multiplied in an upstream that has names, so
/// that it can be shared out among the addresses of one: a name gets the share of the traffic that
/// its endpoint has, for any number of addresses.
const SHARES: u32 = 64;

/// The number of sites that get new endpoints in one step, during which no stream is served: some
/// milliseconds.
const SITES_PER_STEP: usize = 100;

/// The names of all upstreams. The follower joins their addresses into sites, the worker brings new
/// ones; neither sees the other half done.
#[derive(Debug, Default)]
pub struct Book {
    rules: AddressRules,
    state: Mutex<State>,
    demand: Notify,
}

/// A name whose users have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Demand {
    pub(super) name: Arc<str>,
    /// None: the name is to be forgotten.
    pub(super) tenants: BTreeSet<TenantId>,
}

#[derive(Debug, Default)]
struct State {
    /// The names that are in use.
    names: BTreeMap<Arc<str>, Name>,
    sites: BTreeMap<SiteId, SiteUse>,
    /// The addresses that earlier runs have resolved.
    restored: BTreeMap<TextDigest, Vec<IpAddr>>,
    /// The names whose users have changed since the worker last asked.
    changed: BTreeSet<Arc<str>>,
}

#[derive(Debug, Default)]
struct Name {
    /// Its last answer; none if there never was one.
    addresses: Option<Vec<IpAddr>>,
    /// True once there was an answer, or a failed try.
    tried: bool,
    sites: BTreeSet<SiteId>,
}

#[derive(Debug)]
struct SiteUse {
    tenant: TenantId,
    names: BTreeSet<Arc<str>>,
    upstreams: BTreeMap<UpstreamId, UpstreamUse>,
}

#[derive(Debug, Default)]
struct UpstreamUse {
    /// The endpoints that the tenant has set, if there is a name among them.
    wanted: Vec<DesiredEndpoint>,
    /// The endpoints that are pushed: addresses alone.
    served: Vec<DesiredEndpoint>,
}

/// The book, held: no address changes meanwhile.
#[derive(Debug)]
pub struct HeldBook<'a> {
    rules: &'a AddressRules,
    state: MutexGuard<'a, State>,
    demand: &'a Notify,
}

impl Book {
    /// An empty book, for addresses that these rules permit.
    pub fn new(rules: AddressRules) -> Self {
        Self { rules, state: Mutex::default(), demand: Notify::new() }
    }

    /// The rules for addresses.
    pub(super) fn rules(&self) -> &AddressRules {
        &self.rules
    }

    /// Takes in what earlier runs have resolved; before the first site is joined.
    pub fn restore(&self, restored: impl IntoIterator<Item = (TextDigest, Vec<IpAddr>)>) {
        self.lock().restored.extend(restored);
    }

    /// Says that all sites were joined once: no site uses the rest of what was restored.
    pub fn forget_restored(&self) {
        self.lock().restored.clear();
    }

    /// Holds the book, until the joined sites have been given to the cells.
    pub fn hold(&self) -> HeldBook<'_> {
        HeldBook { rules: &self.rules, state: self.lock(), demand: &self.demand }
    }

    /// The digests of the names that are in use.
    pub fn digests(&self) -> Vec<TextDigest> {
        self.lock().names.keys().map(|name| digest(name)).collect()
    }

    /// Has [`Self::take_demands`] return every name that is in use, for a worker that knows none.
    pub(super) fn demand_all(&self) {
        let mut state = self.lock();
        let names: Vec<_> = state.names.keys().cloned().collect();
        state.changed.extend(names);
    }

    /// Waits until names have come or gone, or have other users.
    pub(super) async fn demanded(&self) {
        self.demand.notified().await;
    }

    /// The names whose users have changed since this was last asked.
    pub(super) fn take_demands(&self) -> Vec<Demand> {
        let mut state = self.lock();
        let changed = std::mem::take(&mut state.changed);
        let demand = |name: Arc<str>| {
            let sites = state.names.get(&name).into_iter().flat_map(|name| &name.sites);
            let tenants = sites.filter_map(|site| Some(state.sites.get(site)?.tenant)).collect();
            Demand { tenants, name }
        };
        changed.into_iter().map(demand).collect()
    }

    /// Takes in the outcome of a resolution, and pushes it to every site that uses the name: its
    /// addresses, or nothing if there was no answer, so that the known ones stay. Returns true if
    /// the addresses have changed.
    pub(super) fn put(
        &self,
        cells: &Cells,
        name: &Arc<str>,
        addresses: Option<Vec<IpAddr>>,
    ) -> bool {
        let mut state = self.lock();
        let Some(known) = state.names.get_mut(name) else { return false };
        let is_first = !std::mem::replace(&mut known.tried, true);
        let is_other = addresses.is_some() && known.addresses != addresses;
        if is_other {
            known.addresses = addresses;
        }
        if is_first || is_other {
            let sites: Vec<_> = known.sites.iter().copied().collect();
            for sites in sites.chunks(SITES_PER_STEP) {
                state.push(cells, name, sites, &self.rules);
            }
        }
        is_other
    }

    /// The number of names in use, and the number of those without an address.
    pub(super) fn counts(&self) -> (usize, usize) {
        let state = self.lock();
        let without =
            state.names.values().filter(|name| name.addresses.as_ref().is_none_or(Vec::is_empty));
        (state.names.len(), without.count())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Pushes the current addresses of a name. Only endpoints change, so there is no need for the
    /// database, which may be away.
    fn push(&mut self, cells: &Cells, name: &str, sites: &[SiteId], rules: &AddressRules) {
        let mut pushed = Vec::new();
        for site in sites {
            let Some(used) = self.sites.get_mut(site) else { continue };
            for (upstream, used) in &mut used.upstreams {
                if !used.wanted.iter().any(|endpoint| name_of(endpoint).as_deref() == Some(name)) {
                    continue;
                }
                let Some(served) = concrete(&self.names, &used.wanted, rules) else { continue };
                if served != used.served {
                    // An endpoint that translation refuses has kept the whole site from being
                    // served.
                    let endpoints = translate::endpoints(*site, *upstream, &served);
                    pushed.extend(endpoints.map(|endpoints| (Owner::Site(*site), endpoints)));
                    used.served = served;
                }
            }
        }
        cells.replace(pushed);
    }

    /// Notes the names that a site uses; names that no site uses any more are forgotten.
    fn note(&mut self, site: SiteId, names: &BTreeSet<Arc<str>>) {
        let before = self.sites.get(&site).map(|used| used.names.clone()).unwrap_or_default();
        for name in names.difference(&before) {
            if !self.names.contains_key(name) {
                let addresses = self.restored.remove(&digest(name));
                let tried = addresses.is_some();
                self.names
                    .insert(Arc::clone(name), Name { addresses, tried, sites: BTreeSet::new() });
            }
            if let Some(known) = self.names.get_mut(name) {
                known.sites.insert(site);
            }
            self.changed.insert(Arc::clone(name));
        }
        for name in before.difference(names) {
            if let Some(known) = self.names.get_mut(name) {
                known.sites.remove(&site);
                if known.sites.is_empty() {
                    self.names.remove(name);
                }
            }
            self.changed.insert(Arc::clone(name));
        }
    }
}

impl HeldBook<'_> {
    /// Gives the upstreams of a site their permitted addresses, in place of names and of addresses
    /// that are not permitted, and notes the names that it uses.
    pub fn join(&mut self, site: &mut DesiredSite) {
        let endpoints = site.upstreams.iter().flat_map(|upstream| &upstream.endpoints);
        let names: BTreeSet<Arc<str>> = endpoints.filter_map(name_of).map(Arc::from).collect();
        self.state.note(site.site, &names);
        let mut before =
            self.state.sites.remove(&site.site).map(|used| used.upstreams).unwrap_or_default();
        let mut upstreams = BTreeMap::new();
        for upstream in &mut site.upstreams {
            self.report_refused(site.tenant, site.site, upstream.id, &upstream.endpoints);
            let has_names = upstream.endpoints.iter().any(|endpoint| name_of(endpoint).is_some());
            let former = before.remove(&upstream.id).map(|used| used.served);
            let served = concrete(&self.state.names, &upstream.endpoints, self.rules)
                .or(former)
                .unwrap_or_default();
            let wanted = std::mem::replace(&mut upstream.endpoints, served.clone());
            let wanted = if has_names { wanted } else { Vec::new() };
            upstreams.insert(upstream.id, UpstreamUse { wanted, served });
        }
        self.state.sites.insert(site.site, SiteUse { tenant: site.tenant, names, upstreams });
        self.tell();
    }

    /// Notes that a site is gone.
    pub fn remove(&mut self, site: SiteId) {
        self.state.note(site, &BTreeSet::new());
        self.state.sites.remove(&site);
        self.tell();
    }

    fn tell(&self) {
        if !self.state.changed.is_empty() {
            self.demand.notify_one();
        }
    }

    fn report_refused(
        &self,
        tenant: TenantId,
        site: SiteId,
        upstream: UpstreamId,
        endpoints: &[DesiredEndpoint],
    ) {
        let literals =
            endpoints.iter().filter_map(|endpoint| endpoint.address.parse::<IpAddr>().ok());
        for refusal in literals.filter_map(|address| self.rules.check(address).err()) {
            report::endpoint_refused(tenant, site, upstream, refusal);
        }
    }
}

/// The name of an endpoint, in lower case; `None` if it has an address. A text that is neither is
/// left alone, so that translation refuses it.
fn name_of(endpoint: &DesiredEndpoint) -> Option<String> {
    translate::is_name(&endpoint.address).then(|| endpoint.address.to_ascii_lowercase())
}

/// Endpoints with addresses for names, and without the addresses that are not permitted; `None`
/// while a name was never tried.
fn concrete(
    names: &BTreeMap<Arc<str>, Name>,
    wanted: &[DesiredEndpoint],
    rules: &AddressRules,
) -> Option<Vec<DesiredEndpoint>> {
    let shares = if wanted.iter().any(|endpoint| name_of(endpoint).is_some()) { SHARES } else { 1 };
    let mut concrete = Vec::with_capacity(wanted.len());
    for endpoint in wanted {
        let weight = endpoint.weight.saturating_mul(shares);
        let Some(name) = name_of(endpoint) else {
            let is_refused = endpoint.address.parse().is_ok_and(|address| !rules.permit(address));
            if !is_refused {
                concrete.push(DesiredEndpoint { weight, ..endpoint.clone() });
            }
            continue;
        };
        let known = names.get(name.as_str()).filter(|known| known.tried)?;
        let found: Vec<IpAddr> = known.addresses.iter().flatten().copied().collect();
        // Once more, as the restored addresses were permitted by the rules of an earlier run.
        let taken = PermittedAddresses::of(found, rules).addresses;
        let of_each = weight / u32::try_from(taken.len()).unwrap_or(1).max(1);
        concrete.extend(taken.into_iter().map(|address| DesiredEndpoint {
            address: address.to_string(),
            port: endpoint.port,
            weight: of_each,
        }));
    }
    Some(concrete)
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
