//! The order of readings of the things that tenants point at: URLs with the keys of issuers, names
//! of upstreams. Without I/O, clock and randomness: times are arguments, in milliseconds of any
//! clock that does not go back, and the caller asks for the readings that are due.
//!
//! Every URL (a name is one here too) is read once, for any number of sites. The readings of one
//! tenant are bounded, so that slow or hostile URLs do not hold up another tenant's: of the
//! [`Bounds::in_flight`] readings at a time, [`Bounds::per_tenant`] are for one tenant. A URL that
//! several tenants use is charged to the one that has the fewest under way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use policy::id::TenantId;

/// The share of a set's lifetime by which it is read again before its end, at the most: readings
/// that began together spread.
const EARLY_SHARE: u64 = 10;

/// The bounds of the readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The most readings at a time.
    pub in_flight: usize,
    /// The most readings at a time for one tenant.
    pub per_tenant: usize,
    /// The pause after a failure, doubled with each that follows.
    pub first_delay: Duration,
    /// The longest wait after a failure: a URL that works again is read at most this much later.
    pub last_delay: Duration,
}

/// The age and lifetime of a set that an earlier run has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The time since it was read.
    pub age: Duration,
    /// The time for which it was good then.
    pub lifetime: Duration,
}

/// The URLs, and when each is due.
#[derive(Debug)]
pub struct Scheduler {
    bounds: Bounds,
    urls: BTreeMap<Arc<str>, Entry>,
    /// The URLs that wait for their time, or for room.
    due: BTreeSet<(u64, Arc<str>)>,
    /// The URLs that are due, while each of their tenants has as many readings under way as it may.
    /// It may name URLs that no longer wait here: the entry's state counts.
    parked: BTreeMap<TenantId, VecDeque<Arc<str>>>,
    /// The number of readings under way for each tenant, those without any left out.
    load: BTreeMap<TenantId, usize>,
    in_flight: usize,
}

#[derive(Debug)]
struct Entry {
    tenants: BTreeSet<TenantId>,
    state: State,
    failures: u32,
    /// The tenant for which it was parked, while it is due because that tenant has room again. If
    /// it does not take that room, another one that waits for it has to be let go.
    let_go_by: Option<TenantId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be read at this time.
    Due(u64),
    /// To be read as soon as one of its tenants has room.
    Parked,
    /// Under way, for this tenant. `false`: the result is no longer wanted.
    InFlight(TenantId, bool),
}

impl Scheduler {
    /// Nothing to read yet, and these bounds.
    pub fn new(bounds: Bounds) -> Self {
        let (urls, due, parked, load) =
            (BTreeMap::new(), BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
        Self { bounds, urls, due, parked, load, in_flight: 0 }
    }

    /// Sets the tenants that use a URL. A new one is due at once, or when its known set ends.
    /// Without tenants it is forgotten; a reading that is under way for it ends, and counts until
    /// then.
    pub fn want(
        &mut self,
        url: &Arc<str>,
        tenants: BTreeSet<TenantId>,
        known: Option<Known>,
        now_ms: u64,
    ) {
        if tenants.is_empty() {
            return self.forget(url);
        }
        match self.urls.get_mut(url) {
            Some(entry) => {
                entry.tenants = tenants;
                if let State::InFlight(_, wanted) = &mut entry.state {
                    *wanted = true;
                }
            }
            None => {
                let left =
                    known.map_or(Duration::ZERO, |known| known.lifetime.saturating_sub(known.age));
                let at_ms = now_ms.saturating_add(millis(left));
                self.urls.insert(
                    Arc::clone(url),
                    Entry { tenants, state: State::Due(at_ms), failures: 0, let_go_by: None },
                );
                self.due.insert((at_ms, Arc::clone(url)));
            }
        }
    }

    fn forget(&mut self, url: &Arc<str>) {
        let Some(entry) = self.urls.get_mut(url) else { return };
        match &mut entry.state {
            State::InFlight(_, wanted) => *wanted = false,
            State::Due(at_ms) => {
                let at_ms = *at_ms;
                self.due.remove(&(at_ms, Arc::clone(url)));
                let let_go_by = self.urls.remove(url).and_then(|entry| entry.let_go_by);
                self.unpark(let_go_by);
            }
            State::Parked => {
                self.urls.remove(url);
            }
        }
    }

    /// A URL to read now, if there is one and there is room. Its end has to be reported by
    /// [`Self::done`] or [`Self::failed`].
    pub fn start(&mut self, now_ms: u64) -> Option<Arc<str>> {
        while self.in_flight < self.bounds.in_flight {
            let (at_ms, _) = self.due.first()?;
            if *at_ms > now_ms {
                return None;
            }
            let (_, url) = self.due.pop_first()?;
            let Some(entry) = self.urls.get_mut(&url) else { continue };
            let load = |tenant: &TenantId| self.load.get(tenant).copied().unwrap_or(0);
            let Some(tenant) = entry.tenants.iter().copied().min_by_key(load) else { continue };
            let let_go_by = entry.let_go_by.take();
            if load(&tenant) < self.bounds.per_tenant {
                entry.state = State::InFlight(tenant, true);
                *self.load.entry(tenant).or_default() += 1;
                self.in_flight += 1;
                self.unpark(let_go_by.filter(|other| *other != tenant));
                return Some(url);
            }
            let waiting = |tenant: &TenantId| self.parked.get(tenant).map_or(0, VecDeque::len);
            let Some(tenant) = entry.tenants.iter().copied().min_by_key(waiting) else { continue };
            entry.state = State::Parked;
            self.parked.entry(tenant).or_default().push_back(url);
        }
        None
    }

    /// The time to ask [`Self::start`] again, if nothing happens before. `None`: not before
    /// something does.
    pub fn wake_ms(&self) -> Option<u64> {
        let (at_ms, _) = self.due.first()?;
        (self.in_flight < self.bounds.in_flight).then_some(*at_ms)
    }

    /// Notes that a URL was read, and that its set is good for so long. `random` is any number, a
    /// new one each time. Returns true if the set is still wanted.
    pub fn done(&mut self, url: &Arc<str>, lifetime: Duration, now_ms: u64, random: u64) -> bool {
        let lifetime_ms = millis(lifetime);
        let early_ms = random % (lifetime_ms / EARLY_SHARE + 1);
        self.ended(url, |entry| {
            entry.failures = 0;
            now_ms.saturating_add(lifetime_ms - early_ms)
        })
    }

    /// Notes that a URL could not be read. It is tried again after a while, between half and the
    /// whole of the delay for its failures. `random` is any number, a new one each time.
    pub fn failed(&mut self, url: &Arc<str>, now_ms: u64, random: u64) {
        let bounds = self.bounds;
        self.ended(url, |entry| {
            let delay = bounds
                .first_delay
                .saturating_mul(1 << entry.failures.min(16))
                .min(bounds.last_delay);
            entry.failures = entry.failures.saturating_add(1);
            let delay_ms = millis(delay);
            now_ms.saturating_add(delay_ms - random % (delay_ms / 2 + 1))
        });
    }

    fn ended(&mut self, url: &Arc<str>, next_ms: impl FnOnce(&mut Entry) -> u64) -> bool {
        let Some(entry) = self.urls.get_mut(url) else { return false };
        let State::InFlight(tenant, wanted) = entry.state else { return false };
        if wanted {
            let at_ms = next_ms(entry);
            entry.state = State::Due(at_ms);
            self.due.insert((at_ms, Arc::clone(url)));
        } else {
            self.urls.remove(url);
        }
        self.in_flight -= 1;
        if let Some(load) = self.load.get_mut(&tenant) {
            *load -= 1;
            if *load == 0 {
                self.load.remove(&tenant);
            }
        }
        self.unpark(Some(tenant));
        wanted
    }

    /// Lets the URL go on that has waited longest for this tenant.
    fn unpark(&mut self, tenant: Option<TenantId>) {
        let Some(tenant) = tenant else { return };
        let Some(parked) = self.parked.get_mut(&tenant) else { return };
        while let Some(url) = parked.pop_front() {
            let Some(entry) = self.urls.get_mut(&url) else { continue };
            if entry.state == State::Parked {
                entry.state = State::Due(0);
                entry.let_go_by = Some(tenant);
                self.due.insert((0, url));
                break;
            }
        }
        if parked.is_empty() {
            self.parked.remove(&tenant);
        }
    }

    /// The number of URLs.
    pub fn len(&self) -> usize {
        self.urls.len()
    }

    /// Returns true if there are no URLs.
    pub fn is_empty(&self) -> bool {
        self.urls.is_empty()
    }

    /// The number of URLs that could not be read when they were last tried.
    pub fn failing(&self) -> usize {
        self.urls.values().filter(|entry| entry.failures > 0).count()
    }

    /// The number of failures in a row of a URL.
    pub fn failures(&self, url: &str) -> u32 {
        self.urls.get(url).map_or(0, |entry| entry.failures)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
