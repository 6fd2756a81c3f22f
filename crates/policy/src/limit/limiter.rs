//! A VM's limits: which tokens it holds, and how it gets and returns them.

use super::{
    BLOCKED_MAX_MS, Bounds, CHECKS_MAX, Cells, Check, Limit, Measure, RETRY_MS, SKEW_MS, Seed,
    Standing, Verdict,
    bucket::{Bucket, Lease, Rate},
    calendar::NOW_MAX_MS,
    cells,
    entry::Entry,
    quota::Quota,
    table::{SETS, Slot, Table},
};

/// The most leases that one [`Limiter::flush`] returns: at about 2 us each, half a millisecond of a
/// worker's time.
const FLUSH_MAX: usize = 256;

/// The number of slots that one [`Limiter::flush`] looks at; the rest follow in the next ones. The
/// smallest table is looked at as a whole.
const LOOK_MAX: usize = 8_192;

/// The limits of one VM. Its memory is a table, of a megabyte at first, and of 17 when that many
/// counters are in use; see the module for its guarantees.
pub struct Limiter {
    seed: Seed,
    table: Table,
    /// The number of the request, which tells how long ago a slot was used.
    request: u64,
    /// The last request before the flush before.
    flushed: u64,
    /// The place at which the next flush begins.
    cursor: usize,
    /// The latest time seen since the clock was last set back, and how often that was. Leases of
    /// rates from before are void.
    latest_ms: u64,
    era: u32,
}

/// A counter gave no token.
struct Blocked {
    reset_ms: u64,
}

/// The state of a counter as it is known without a look at its cell.
enum Local {
    /// A token was taken from the lease in this slot.
    Taken(usize),
    /// There is none, for so many milliseconds.
    Blocked(u64),
    /// The cell has to be asked.
    Unknown,
}

/// Names the limit that refuses for longest.
fn refuse_longer<'a>(refused: &mut Option<Standing<'a>>, check: &Check<'a>, reset_ms: u64) {
    if refused.is_none_or(|longest| longest.reset_ms < reset_ms) {
        *refused = Some(Standing { limit: check.limit, remaining: 0, reset_ms });
    }
}

impl Limiter {
    /// The limits of a VM that has just started. The seed has to be the same for all VMs of an
    /// Envoy.
    pub fn new(seed: Seed) -> Self {
        Self::with_sets(seed, SETS)
    }

    pub(super) fn with_sets(seed: Seed, sets: usize) -> Self {
        Self {
            seed,
            table: Table::new(seed, sets),
            request: 0,
            flushed: 0,
            cursor: 0,
            latest_ms: 0,
            era: 0,
        }
    }

    /// Decides whether a request passes all of its limits, and takes one token from each if it
    /// does, from none if not.
    ///
    /// `now_ms` is the Unix time. There is no host call while leases last. Fails closed: a request
    /// with more than [`CHECKS_MAX`] limits, or whose cell is full or fought over, is refused.
    pub fn admit<'a>(
        &mut self,
        checks: &[Check<'a>],
        now_ms: u64,
        cells: &mut impl Cells,
    ) -> Verdict<'a> {
        let now_ms = self.observe(now_ms);
        self.request += 1;
        if let Some(check) = checks.get(CHECKS_MAX) {
            return Verdict::Refused(Standing {
                limit: check.limit,
                remaining: 0,
                reset_ms: RETRY_MS,
            });
        }
        let mut taken = vec![None; checks.len()];
        let mut refused: Option<Standing<'a>> = None;
        let mut all_local = true;
        for (check, taken) in checks.iter().zip(&mut taken) {
            match self.take_local(check, now_ms) {
                Local::Taken(index) => *taken = Some(index),
                Local::Unknown => all_local = false,
                Local::Blocked(reset_ms) => refuse_longer(&mut refused, check, reset_ms),
            }
        }
        // Only if no limit is known to refuse: so a flood of refused requests takes nothing from
        // cells, and returns nothing.
        if !all_local && refused.is_none() {
            for (check, taken) in checks.iter().zip(&mut taken).filter(|(_, taken)| taken.is_none())
            {
                match self.take_leasing(check, now_ms, cells) {
                    Ok(index) => *taken = Some(index),
                    Err(Blocked { reset_ms }) => refuse_longer(&mut refused, check, reset_ms),
                }
            }
        }
        match refused {
            Some(standing) => {
                self.undo_all(&taken, now_ms, cells);
                Verdict::Refused(standing)
            }
            None => Verdict::Admitted(self.tightest(checks, &taken, now_ms)),
        }
    }

    /// Returns the leases of counters that no request has used since the flush before, and forgets
    /// them: to be called on a tick, about once a second. One call looks at no more than 8,192
    /// counters and returns no more than 256 leases, the next goes on from there.
    pub fn flush(&mut self, now_ms: u64, cells: &mut impl Cells) {
        let now_ms = self.observe(now_ms);
        let mut returned = 0;
        self.table.look_after_size();
        for _ in 0..self.table.len().min(LOOK_MAX) {
            let index = self.cursor;
            self.cursor = (index + 1) % self.table.len();
            let idle = self
                .table
                .get(index)
                .is_some_and(|slot| slot.used_by > 0 && slot.used_by <= self.flushed);
            if !idle {
                continue;
            }
            if let Some(gone) = self.table.remove(index) {
                returned += usize::from(self.give_back(&gone, now_ms, cells));
            }
            if returned >= FLUSH_MAX {
                break;
            }
        }
        self.flushed = self.request;
    }

    fn observe(&mut self, now_ms: u64) -> u64 {
        let now_ms = now_ms.min(NOW_MAX_MS);
        if now_ms.saturating_add(SKEW_MS) < self.latest_ms {
            self.era = self.era.wrapping_add(1);
            self.latest_ms = now_ms;
        }
        self.latest_ms = self.latest_ms.max(now_ms);
        now_ms
    }

    /// Takes one token of a counter from the lease in hand.
    fn take_local(&mut self, check: &Check<'_>, now_ms: u64) -> Local {
        let Some(index) = self.table.find(check.limit.id, check.subject) else {
            return Local::Unknown;
        };
        let Some(slot) = self.table.get(index) else { return Local::Unknown };
        slot.used_by = self.request;
        if slot.era != self.era || slot.measure != check.limit.measure {
            Local::Unknown
        } else if slot.left > 0 && now_ms < slot.ends_ms {
            slot.left -= 1;
            Local::Taken(index)
        } else if now_ms < slot.blocked_ms {
            Local::Blocked(slot.reset_at_ms.saturating_sub(now_ms))
        } else {
            Local::Unknown
        }
    }

    /// Takes one token of a counter from its cell, and some more for later requests.
    #[inline(never)]
    fn take_leasing(
        &mut self,
        check: &Check<'_>,
        now_ms: u64,
        cells: &mut impl Cells,
    ) -> Result<usize, Blocked> {
        let Check { limit, subject, .. } = *check;
        let index = match self.table.find(limit.id, subject) {
            Some(index) => index,
            None => self.new_slot(limit, subject, now_ms, cells)?,
        };
        self.lease(index, check, now_ms, cells)?;
        Ok(index)
    }

    fn new_slot(
        &mut self,
        limit: &Limit,
        subject: u64,
        now_ms: u64,
        cells: &mut impl Cells,
    ) -> Result<usize, Blocked> {
        let slot =
            Slot { used_by: self.request, ..Slot::new(limit.id, subject, limit.measure, self.era) };
        let (index, gone) =
            self.table.insert(slot, self.flushed).ok_or(Blocked { reset_ms: RETRY_MS })?;
        if let Some(gone) = gone {
            self.give_back(&gone, now_ms, cells);
        }
        Ok(index)
    }

    /// Gets tokens from the cell, of which one is used at once.
    fn lease(
        &mut self,
        index: usize,
        check: &Check<'_>,
        now_ms: u64,
        cells: &mut impl Cells,
    ) -> Result<(), Blocked> {
        let era = self.era;
        let contended = Blocked { reset_ms: RETRY_MS };
        let Some(mut slot) = self.table.get(index).copied() else { return Err(contended) };
        if slot.measure != check.limit.measure {
            self.give_back(&slot, now_ms, cells);
            slot = Slot {
                used_by: slot.used_by,
                ..Slot::new(slot.limit, slot.subject, check.limit.measure, era)
            };
        } else if slot.era != era && matches!(slot.measure, Measure::Rate { .. }) {
            (slot.left, slot.size) = (0, 0);
        }
        slot.era = era;
        if slot.left > slot.size / 2 {
            // It ended with most of it unused: it was too large.
            slot.demand = (slot.demand / 2).max(1);
        }
        let taken = match slot.measure {
            Measure::Rate { requests, per_ms, burst } => {
                self.lease_rate(&mut slot, Rate { requests, per_ms, burst }, now_ms, cells)
            }
            Measure::Quota { requests, window } => self.lease_quota(
                &mut slot,
                requests,
                window.bounds(check.zone, now_ms),
                now_ms,
                cells,
            ),
        };
        if let Some(Err(Blocked { reset_ms })) = taken {
            slot.blocked_ms = now_ms.saturating_add(reset_ms.min(BLOCKED_MAX_MS));
            slot.reset_at_ms = now_ms.saturating_add(reset_ms);
        }
        if let Some(known) = self.table.get(index) {
            *known = slot;
        }
        taken.unwrap_or(Err(contended))
    }

    fn lease_rate(
        &self,
        slot: &mut Slot,
        rate: Rate,
        now_ms: u64,
        cells: &mut impl Cells,
    ) -> Option<Result<(), Blocked>> {
        let place = self.seed.place(slot.limit, slot.subject);
        let taken = cells::update(cells, &place, now_ms, |entry| {
            let mut bucket = Bucket::at(entry, rate, now_ms);
            bucket.end(slot.lease());
            match bucket.take(slot.demand) {
                Some(taken) => (Some(bucket.entry()), Ok((taken, bucket))),
                None => (None, Err(Blocked { reset_ms: bucket.wait_ms() })),
            }
        })?;
        Some(taken.map(|(taken, bucket)| {
            slot.fill(taken, Lease::ends_ms(bucket.at_ms));
            (slot.at_ms, slot.amount) = (bucket.at_ms, bucket.deficit);
        }))
    }

    fn lease_quota(
        &self,
        slot: &mut Slot,
        requests: u64,
        bounds: Bounds,
        now_ms: u64,
        cells: &mut impl Cells,
    ) -> Option<Result<(), Blocked>> {
        let place = self.seed.place(slot.limit, slot.subject);
        let taken = cells::update(cells, &place, now_ms, |entry| {
            let mut quota = Quota::at(entry, requests, bounds, now_ms);
            quota.put_back(slot.left, slot.at_ms);
            match quota.take(slot.demand) {
                Some(taken) => (Some(quota.entry()), Ok((taken, quota))),
                None => (None, Err(Blocked { reset_ms: bounds.end_ms.saturating_sub(now_ms) })),
            }
        })?;
        Some(taken.map(|(taken, quota)| {
            slot.fill(taken, bounds.end_ms);
            (slot.at_ms, slot.amount) = (quota.start_ms, quota.used);
        }))
    }

    #[cold]
    fn undo_all(&mut self, taken: &[Option<usize>], now_ms: u64, cells: &mut impl Cells) {
        for index in taken.iter().flatten() {
            self.undo(*index, now_ms, cells);
        }
    }

    /// Takes back the token that this request has taken.
    fn undo(&mut self, index: usize, now_ms: u64, cells: &mut impl Cells) {
        let Some(slot) = self.table.get(index) else { return };
        match slot.measure {
            Measure::Rate { requests, per_ms, burst } if slot.left >= slot.size => {
                // It came from the cell just now, which holds only the others for this VM.
                let (place, rate) =
                    (self.seed.place(slot.limit, slot.subject), Rate { requests, per_ms, burst });
                cells::update(cells, &place, now_ms, |entry| {
                    let mut bucket = Bucket::at(entry, rate, now_ms);
                    bucket.put_back(1);
                    (entry.map(|_| bucket.entry()), ())
                });
            }
            Measure::Rate { .. } | Measure::Quota { .. } => {
                slot.left += 1;
                slot.size = slot.size.max(slot.left);
            }
        }
    }

    /// Returns the rest of a lease to its cell. False if there was nothing to do.
    fn give_back(&self, slot: &Slot, now_ms: u64, cells: &mut impl Cells) -> bool {
        let place = self.seed.place(slot.limit, slot.subject);
        match slot.measure {
            Measure::Rate { requests, per_ms, burst } if slot.size > 0 && slot.era == self.era => {
                let rate = Rate { requests, per_ms, burst };
                cells::update(cells, &place, now_ms, |entry| {
                    let mut bucket = Bucket::at(entry, rate, now_ms);
                    bucket.end(slot.lease());
                    (entry.map(|_| bucket.entry()), ())
                });
                true
            }
            Measure::Quota { .. } if slot.left > 0 && now_ms < slot.ends_ms => {
                cells::update(cells, &place, now_ms, |entry| {
                    let same_window = entry.filter(|entry| entry.at_ms == slot.at_ms);
                    (
                        same_window.map(|entry| Entry {
                            amount: entry.amount.saturating_sub(slot.left.into()),
                            ..entry
                        }),
                        (),
                    )
                });
                true
            }
            Measure::Rate { .. } | Measure::Quota { .. } => false,
        }
    }

    /// Returns the standing of the limit of which the smallest share is left.
    fn tightest<'a>(
        &mut self,
        checks: &[Check<'a>],
        taken: &[Option<usize>],
        now_ms: u64,
    ) -> Option<Standing<'a>> {
        let mut tightest: Option<(&Slot, &'a Limit, u64)> = None;
        for (check, index) in checks.iter().zip(taken) {
            let Some(slot) = index.and_then(|index| self.table.peek(index)) else { continue };
            let remaining = slot.remaining(now_ms);
            let tighter = tightest.is_none_or(|(_, than, than_remaining)| {
                // As floating point: shares that differ by less than 1e-15 may be taken for each
                // other.
                let (total, than_total) =
                    (check.limit.measure.total() as f64, than.measure.total() as f64);
                (remaining as f64) * than_total < (than_remaining as f64) * total
            });
            if tighter {
                tightest = Some((slot, check.limit, remaining));
            }
        }
        tightest.map(|(slot, limit, remaining)| Standing {
            limit,
            remaining,
            reset_ms: slot.reset_ms(now_ms),
        })
    }
}

#[cfg(test)]
#[path = "limiter_tests.rs"]
mod tests;
