//! Limits: token buckets with burst and calendar quotas, exact in one Envoy over all its worker
//! VMs.
//!
//! Each worker runs a VM with a [`Limiter`] of its own; they share [`Cells`], named values with
//! compare-and-swap. A VM takes tokens from a cell in chunks, its *lease*, and serves requests from
//! it without a host call. The chunk grows with demand up to [`CHUNK_MAX`] and shrinks with the
//! rest, to 1 near the limit ([`CHUNK_SHARE`]).
//!
//! # The law
//! For one counter (a limit and a subject), under any interleaving of workers:
//!
//! - **Rate**: in any interval of `t` ms, at most `burst + requests * t / per_ms` requests are
//!   admitted. There is no overshoot. The reason: the cell keeps a deficit `D` (the tokens that the
//!   bucket lacks to be full) that falls with time, but never below the tokens that leases hold. So
//!   bucket and leases together never hold more than `burst`; they grow by no more than the rate;
//!   and each admission takes one from them.
//! - **Quota**: of each window, at most `requests` are admitted. A leased request counts as used;
//!   one that returns is taken off in the window that it was charged to. A worker whose clock lags
//!   behind a window's start by up to [`SKEW_MS`] is charged to the window that the others have
//!   begun.
//! - **Undershoot**: let `H` be the most tokens that leases held at once since they were last all
//!   returned, no more than `workers * min(CHUNK_MAX, max(1, burst / CHUNK_SHARE))`. A rate refuses
//!   only when one obvious bucket, charged with the same admissions, would have less than
//!   `1 + 2 * H` tokens; a quota only when less than `1 + H` of the window are left; except that a
//!   VM which was refused does not ask again before the next token is due, or for
//!   [`BLOCKED_MAX_MS`] at most. [`Limiter::flush`] returns the leases of counters that are idle. A
//!   VM that dies loses its leases: of a quota for the window, of a rate for two [`EPOCH_MS`] at
//!   most.
//!
//! # Clocks
//! All that is said above is by one clock. If the readings that workers act upon lie up to `J` ms
//! behind it, with `J` below [`SKEW_MS`], a rate may admit the tokens that come back in `2 * J`
//! more. A clock that goes back further sets the cell's time back with it and mints nothing; going
//! forward again is time like any other. A clock that leaps forward and back while a VM does not
//! look at all (not even in `flush`) may add that VM's lease to a rate, no more. Changing a limit's
//! figures, or a zone, begins a new law.

mod bucket;
mod calendar;
mod cells;
mod entry;
pub mod headers;
pub mod lease_wire;
mod limiter;
mod quota;
mod subject;
mod table;

#[cfg(test)]
pub(crate) mod testing;

pub use calendar::{Bounds, OFFSETS_MAX, Window, Zone};
pub use cells::{CELLS, Cells, TRIES_MAX};
pub use entry::CELL_ENTRIES_MAX;
pub use limiter::Limiter;
pub use subject::{OPEN_SUBJECTS, Seed};

/// The most that the clocks of two workers may differ when they touch the same cell, in
/// milliseconds. They read one clock, so this is the time for which a worker may stand still
/// between reading it and using the reading. A clock that is set back by less lets rates rest for
/// that long; one that is set back by more is believed.
pub const SKEW_MS: u64 = 5_000;

/// Leases of rates are counted by epochs of this length, in milliseconds: one that was taken in an
/// epoch is held for it until the end of the next, and its VM uses it until [`SKEW_MS`] before
/// that. Long enough that a consumer with a request per second is served from a lease; short enough
/// that a dead VM's hold is soon forgotten.
pub const EPOCH_MS: u64 = 10_000;

/// The most tokens of a lease: then a pair of host calls of about 2 us costs 16 ns per request.
pub const CHUNK_MAX: u32 = 128;

/// A lease takes no more than this share of the rest, so that 16 workers can have one, and the last
/// tokens go singly.
pub const CHUNK_SHARE: u64 = 16;

/// The most limits that one request is checked against: four rates and four quotas each of tenant,
/// site, API, route, plan, consumer and three credentials, and one of each of the platform plan. A
/// request with more is refused: publishers of policies have to keep to it ([`crate::settings`]
/// does).
pub const CHECKS_MAX: usize = 74;

/// The time for which a VM refuses by its own knowledge, without looking at the cell again, in
/// milliseconds.
pub const BLOCKED_MAX_MS: u64 = 100;

/// The time that a refusal for contention or for a full cell tells the client to wait, in
/// milliseconds.
pub const RETRY_MS: u64 = 1_000;

/// A limit of a tenant, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Stable, and unique in the fleet: a hash of the owner and the name.
    pub id: u64,
    /// The name that the client is told.
    pub name: Box<str>,
    /// The requests that it allows.
    pub measure: Measure,
    /// The parts of its headers that do not depend on its standing.
    told: headers::Told,
}

impl Limit {
    /// A limit.
    pub fn new(id: u64, name: &str, measure: Measure) -> Self {
        Self { id, name: name.into(), measure, told: headers::Told::of(name, &measure) }
    }
}

/// The requests that a limit allows for each of its subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// A token bucket. With `requests` 0 it never refills; with `per_ms` or `burst` 0 it admits
    /// nothing.
    Rate {
        /// Tokens that come back in `per_ms`, evenly.
        requests: u32,
        /// In milliseconds; 49 days at most.
        per_ms: u32,
        /// The tokens of a full bucket.
        burst: u32,
    },
    /// A count that begins anew with each window of the calendar.
    Quota {
        /// Requests in each window.
        requests: u64,
        /// The window.
        window: Window,
    },
}

impl Measure {
    /// The whole that a share is a share of: the burst, or the requests of a window.
    pub fn total(&self) -> u64 {
        match *self {
            Self::Rate { burst, .. } => u64::from(burst),
            Self::Quota { requests, .. } => requests,
        }
    }
}

/// One limit that a request has to pass.
#[derive(Clone, Copy, Debug)]
pub struct Check<'a> {
    /// The limit.
    pub limit: &'a Limit,
    /// The subject whose counter it is ([`Seed::subject`], [`Seed::open_subject`]); 0 where the
    /// limit has one for all.
    pub subject: u64,
    /// The time zone of the tenant that the limit belongs to.
    pub zone: &'a Zone,
}

/// The answer of a [`Limiter`] to a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict<'a> {
    /// It passes; with the limit of which the smallest share is left, if it had to pass any.
    Admitted(Option<Standing<'a>>),
    /// It was refused, and has taken from no limit; with the limit that will refuse for longest.
    Refused(Standing<'a>),
}

/// The standing of a limit after a request, as this VM last knew: tokens that other workers took or
/// returned since its last look at the cell are not in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing<'a> {
    /// The limit.
    pub limit: &'a Limit,
    /// Requests that would pass now.
    pub remaining: u64,
    /// Milliseconds until there is more: to the next token, or the next window. 0 if the bucket is
    /// full; `u64::MAX` if there is never more.
    pub reset_ms: u64,
}
