//! Concurrency: the number of requests of a tenant that are in flight at once in one Envoy, and the
//! tenants that give way when a VM has too many.
//!
//! Each worker's VM has a [`Gate`]. Slots of a tenant's limit lie in a cell that all VMs share; a
//! VM holds as many as it has requests in flight, and while there are plenty a few spare ones, so
//! that most requests need no host call. Near the limit there are no spares: each request takes a
//! slot and each end returns it.
//!
//! # The law
//! - Never more requests of a tenant are in flight than its limit, over all VMs that live. A limit
//!   that is lowered ends no request.
//! - A request is refused as full only if the others leave no slot but spares: at most
//!   `min(SPARE_MAX, limit / SPARE_SHARE)` for each other VM, until its next [`Gate::flush`]; or up
//!   to [`FULL_MS`] after this VM saw that there is none.
//! - A VM that dies keeps its slots until [`DEAD_AFTER_MS`] after its last sign of life, and
//!   [`GRACE_MS`] after somebody then looked. Its requests, if Envoy has not ended them, then no
//!   longer count. The same happens to a VM that does not flush for so long.
//! - Shedding: while the VM has [`Gate::new`]'s threshold of requests in flight or more, a tenant
//!   that has its weighted share of the threshold (by the weights of the tenants with requests in
//!   flight) is shed; the others pass, and have room at once. So a VM holds at most the threshold,
//!   and one request for each tenant, beyond the requests let in while fewer tenants were active.

mod cell;

use std::collections::HashMap;

pub use self::cell::{DEAD_AFTER_MS, GRACE_MS};

use self::cell::Slots;
use crate::{
    hash::Mixer,
    id::TenantId,
    limit::{Cells, Seed},
};

/// The most spare slots of a tenant that a VM holds.
pub const SPARE_MAX: u32 = 16;

/// Spares are no more than this share of the free slots, so that eight VMs can have some.
pub const SPARE_SHARE: u32 = 8;

/// The time for which a VM refuses a tenant without looking again, in milliseconds, unless one of
/// its own requests ends.
pub const FULL_MS: u64 = 10;

/// A VM gives a sign of life for each tenant that it holds slots of at least this often, in
/// milliseconds, if it is flushed once a second.
pub const BEAT_MS: u64 = 5_000;

/// The most tenants that a VM keeps account of, some 80 bytes each. Those without a request in
/// flight make room for others; if all have one, those that are new are shed.
pub const TENANTS_MAX: usize = 8_192;

/// Of how many tenants a VM returns the spare slots at a time when it needs room: they take some 2
/// us each.
const RETURNED_AT_ONCE: usize = 64;

/// The answer of a [`Gate`] to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// It is in flight: [`Gate::leave`] has to be called when it ends.
    Entered,
    /// The tenant has as many requests in flight as its limit allows; or its cell could not be
    /// written.
    Full,
    /// The VM has too much to do, and the tenant its share of it.
    Shed,
}

/// The requests in flight of one VM.
pub struct Gate {
    seed: Seed,
    vm: u64,
    shed_at: u32,
    tenants: HashMap<TenantId, Tenant, Mixer>,
    /// The number of them that have requests in flight.
    active: usize,
    in_flight: u32,
    /// The sum of the weights of tenants with requests in flight.
    weight: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tenant {
    in_flight: u32,
    weight: u16,
    /// Slots that the cell has for this VM.
    held: u32,
    /// The number that was free when this VM looked last.
    free: u32,
    beat_ms: u64,
    full_until_ms: u64,
    /// Since the last flush.
    used: bool,
}

impl Tenant {
    /// The slots to hold for the requests in flight.
    fn wanted(&self) -> u32 {
        self.in_flight.saturating_add(spares(self.free))
    }
}

fn spares(free: u32) -> u32 {
    (free / SPARE_SHARE).min(SPARE_MAX)
}

impl Gate {
    /// The gate of a VM that has just started. `vm` is a random number that no other VM of this
    /// Envoy has or had; `seed` is the same for all of them. From `shed_at` requests in flight in
    /// this VM on, tenants beyond their share are shed.
    pub fn new(seed: Seed, vm: u64, shed_at: u32) -> Self {
        Self { seed, vm, shed_at, tenants: HashMap::default(), active: 0, in_flight: 0, weight: 0 }
    }

    /// The requests in flight in this VM.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Asks for a request of a tenant to be let in. `limit`: how many may be in flight in this
    /// Envoy, `None` for any number. `weight`: the tenant's part when there is too much to do, in
    /// proportion to the others'; 0 counts as 1.
    pub fn enter(
        &mut self,
        id: TenantId,
        limit: Option<u32>,
        weight: u16,
        now_ms: u64,
        cells: &mut impl Cells,
    ) -> Entrance {
        if self.tenants.len() >= TENANTS_MAX && !self.tenants.contains_key(&id) {
            if self.active < TENANTS_MAX {
                self.make_room(now_ms, cells);
            }
            if self.tenants.len() >= TENANTS_MAX {
                return Entrance::Shed;
            }
        }
        let tenant = self.tenants.entry(id).or_default();
        let weight = weight.max(1);
        let before = if tenant.in_flight > 0 { tenant.weight } else { 0 };
        let total = self.weight - u64::from(before) + u64::from(weight);
        if self.in_flight >= self.shed_at {
            let share = u64::from(self.shed_at) * u64::from(weight) / total;
            if u64::from(tenant.in_flight) >= share.max(1) {
                return Entrance::Shed;
            }
        }
        if let Some(limit) = limit {
            if tenant.in_flight >= limit || now_ms < tenant.full_until_ms {
                return Entrance::Full;
            }
            if tenant.held <= tenant.in_flight {
                let slots = Slots { seed: &self.seed, vm: self.vm, tenant: id, now_ms };
                if !take(tenant, limit, &slots, cells) {
                    tenant.full_until_ms = now_ms.saturating_add(FULL_MS);
                    return Entrance::Full;
                }
            }
        }
        (tenant.weight, tenant.used) = (weight, true);
        self.active += usize::from(tenant.in_flight == 0);
        tenant.in_flight += 1;
        self.weight = total;
        self.in_flight += 1;
        Entrance::Entered
    }

    /// Forgets tenants that have no request in flight: those without slots, or else some, whose
    /// slots are returned.
    #[cold]
    fn make_room(&mut self, now_ms: u64, cells: &mut impl Cells) {
        self.tenants.retain(|_, tenant| tenant.in_flight > 0 || tenant.held > 0);
        if self.tenants.len() < TENANTS_MAX {
            return;
        }
        let (seed, vm) = (&self.seed, self.vm);
        let mut returned = 0;
        self.tenants.retain(|id, tenant| {
            if tenant.in_flight > 0 || returned >= RETURNED_AT_ONCE {
                return true;
            }
            returned += 1;
            keep(tenant, 0, &Slots { seed, vm, tenant: *id, now_ms }, cells);
            tenant.held > 0
        });
    }

    /// A request that had [`Entrance::Entered`] has ended.
    pub fn leave(&mut self, id: TenantId, now_ms: u64, cells: &mut impl Cells) {
        let Some(tenant) = self.tenants.get_mut(&id).filter(|tenant| tenant.in_flight > 0) else {
            return;
        };
        tenant.in_flight -= 1;
        tenant.full_until_ms = 0;
        self.in_flight = self.in_flight.saturating_sub(1);
        if tenant.in_flight == 0 {
            self.active = self.active.saturating_sub(1);
            self.weight = self.weight.saturating_sub(tenant.weight.into());
        }
        if tenant.held > tenant.wanted() {
            let slots = Slots { seed: &self.seed, vm: self.vm, tenant: id, now_ms };
            keep(tenant, tenant.wanted(), &slots, cells);
        }
    }

    /// Returns spare slots of tenants that had no request since the last flush, gives signs of life
    /// for the others, and forgets tenants that have nothing here: to be called on a tick, about
    /// once a second.
    pub fn flush(&mut self, now_ms: u64, cells: &mut impl Cells) {
        let (seed, vm) = (&self.seed, self.vm);
        self.tenants.retain(|id, tenant| {
            let slots = Slots { seed, vm, tenant: *id, now_ms };
            let wanted = if tenant.used {
                tenant.wanted().min(tenant.held)
            } else {
                tenant.in_flight.min(tenant.held)
            };
            // A clock that was set back is a reason for a sign of life, too.
            let beat_due = now_ms.abs_diff(tenant.beat_ms) >= BEAT_MS;
            if tenant.held > 0 && (wanted < tenant.held || beat_due) {
                keep(tenant, wanted, &slots, cells);
            }
            tenant.used = false;
            tenant.in_flight > 0 || tenant.held > 0
        });
    }
}

/// Gets a slot for one more request, and spares if there are plenty. False if there is none.
#[inline(never)]
fn take(tenant: &mut Tenant, limit: u32, slots: &Slots<'_>, cells: &mut impl Cells) -> bool {
    let needed = tenant.in_flight.saturating_add(1);
    let taken = slots.update(cells, |others| {
        let free = limit.saturating_sub(others).checked_sub(needed)?;
        Some((needed.saturating_add(spares(free)), free - spares(free)))
    });
    let Some((held, free)) = taken else { return false };
    (tenant.held, tenant.free, tenant.beat_ms) = (held, free, slots.now_ms);
    true
}

/// Holds so many slots, no more than before. If the cell cannot be written, the next flush tries
/// again.
#[inline(never)]
fn keep(tenant: &mut Tenant, held: u32, slots: &Slots<'_>, cells: &mut impl Cells) {
    if slots.update(cells, |_| Some((held, 0))).is_some() {
        tenant.free = tenant.free.saturating_add(tenant.held.saturating_sub(held));
        (tenant.held, tenant.beat_ms) = (held, slots.now_ms);
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
