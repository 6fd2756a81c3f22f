//! Shared cells for tests, and workers that interrupt each other between any two host calls.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
};

use proptest::prelude::*;

use super::*;

pub(crate) fn seed() -> Seed {
    Seed::new(*b"sixteen bytes ..")
}

pub(super) fn rate(requests: u32, per_ms: u32, burst: u32) -> Limit {
    Limit::new(7, "rate", Measure::Rate { requests, per_ms, burst })
}

pub(super) fn quota(requests: u64, window: Window) -> Limit {
    Limit::new(8, "quota", Measure::Quota { requests, window })
}

pub(super) fn utc() -> &'static Zone {
    static UTC: std::sync::OnceLock<Zone> = std::sync::OnceLock::new();
    UTC.get_or_init(Zone::default)
}

pub(super) fn check(limit: &Limit) -> Check<'_> {
    Check { limit, subject: 0, zone: utc() }
}

/// As Envoy's shared data: each write gives a value a new version.
#[derive(Default)]
pub(crate) struct Map {
    pub(crate) values: BTreeMap<String, (Vec<u8>, u32)>,
    pub(crate) calls: usize,
    versions: u32,
}

impl Cells for Map {
    fn read(&mut self, name: &str) -> Option<(Vec<u8>, u32)> {
        self.calls += 1;
        self.values.get(name).cloned()
    }

    fn write(&mut self, name: &str, value: &[u8], cas: Option<u32>) -> bool {
        self.calls += 1;
        let same = self.values.get(name).map(|(_, cas)| *cas) == cas;
        if same {
            self.versions += 1;
            self.values.insert(name.to_owned(), (value.to_vec(), self.versions));
        }
        same
    }
}

/// The next step of a worker.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// So many requests, one after the other, against the first limit alone or against all.
    Admit {
        requests: usize,
        all: bool,
    },
    Flush,
    /// The VM dies, and another takes its place.
    Die,
}

#[derive(Clone, Debug)]
pub(super) struct Op {
    pub(super) worker: usize,
    pub(super) act: Act,
    /// By how much the clock moves on before.
    pub(super) advance_ms: u64,
    /// For each host call of the operation, whether the next one runs to its end before that call
    /// takes effect.
    pub(super) interrupted: u8,
}

/// Up to `len` operations of single requests, little time apart.
pub(super) fn ops(workers: usize, len: usize, advance_ms: u64) -> impl Strategy<Value = Vec<Op>> {
    let requests = Just(1usize).boxed();
    let advance = prop_oneof![6 => Just(0), 3 => 0..=advance_ms, 1 => 0..=advance_ms * 40].boxed();
    script(workers, len, requests, advance)
}

/// Operations of many requests, between which leases last, or are forgotten, and buckets fill.
pub(super) fn floods(workers: usize) -> impl Strategy<Value = Vec<Op>> {
    let requests = prop_oneof![1usize..40, Just(400)].boxed();
    let advance =
        prop_oneof![3 => Just(0), 3 => 0..3_000u64, 3 => 3_000..=EPOCH_MS, 1 => 0..=3 * EPOCH_MS]
            .boxed();
    script(workers, 40, requests, advance)
}

fn script(
    workers: usize,
    len: usize,
    requests: BoxedStrategy<usize>,
    advance: BoxedStrategy<u64>,
) -> impl Strategy<Value = Vec<Op>> {
    let admit = (requests, prop::bool::weighted(0.8))
        .prop_map(|(requests, all)| Act::Admit { requests, all });
    let act = prop_oneof![40 => admit, 3 => Just(Act::Flush), 1 => Just(Act::Die)];
    let interrupted = prop_oneof![3 => Just(0), 2 => any::<u8>()];
    let op = (0..workers, act, advance, interrupted).prop_map(
        |(worker, act, advance_ms, interrupted)| Op { worker, act, advance_ms, interrupted },
    );
    prop::collection::vec(op, 1..len)
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Event {
    /// The reading of the clock that the worker acted upon.
    pub(super) read_ms: u64,
    /// The clock's reading when it was done.
    pub(super) done_ms: u64,
    pub(super) admitted: bool,
}

/// Workers that share a map and check requests against the same limits.
pub(super) struct Workers<'a> {
    checks: Vec<Check<'a>>,
    map: RefCell<Map>,
    limiters: Vec<RefCell<Limiter>>,
    script: RefCell<VecDeque<Op>>,
    clock_ms: Cell<u64>,
    pub(super) events: RefCell<Vec<Event>>,
    pub(super) deaths: Cell<usize>,
    /// The most that the clock moves on while a worker is interrupted.
    pub(super) pause_ms: u64,
}

impl<'a> Workers<'a> {
    pub(super) fn new(count: usize, checks: Vec<Check<'a>>, start_ms: u64) -> Self {
        Self {
            checks,
            map: RefCell::default(),
            limiters: (0..count).map(|_| RefCell::new(Limiter::with_sets(seed(), 1))).collect(),
            script: RefCell::default(),
            clock_ms: Cell::new(start_ms),
            events: RefCell::default(),
            deaths: Cell::new(0),
            pause_ms: PAUSE_MAX_MS,
        }
    }

    pub(super) fn run(&self, script: Vec<Op>) {
        *self.script.borrow_mut() = script.into();
        while self.step(u64::MAX) {}
    }

    fn step(&self, advance_max_ms: u64) -> bool {
        let Some(op) = self.script.borrow_mut().pop_front() else { return false };
        self.clock_ms.set(self.clock_ms.get() + op.advance_ms.min(advance_max_ms));
        // A worker that is in the middle of something cannot begin anything else.
        let Ok(mut limiter) = self.limiters[op.worker].try_borrow_mut() else { return true };
        let read_ms = self.clock_ms.get();
        let mut cells = Interrupted { workers: self, interrupted: op.interrupted };
        match op.act {
            Act::Admit { requests, all } => {
                let checks =
                    self.checks.get(..if all { self.checks.len() } else { 1 }).expect("checks");
                for _ in 0..requests {
                    let read_ms = self.clock_ms.get();
                    let verdict = limiter.admit(checks, read_ms, &mut cells);
                    let first = checks[0].limit.id;
                    let (done_ms, admitted) =
                        (self.clock_ms.get(), matches!(verdict, Verdict::Admitted(_)));
                    // A request that another limit refuses says nothing of the first.
                    if admitted
                        || checks.len() == 1
                        || matches!(verdict, Verdict::Refused(of) if of.limit.id == first)
                    {
                        self.events.borrow_mut().push(Event { read_ms, done_ms, admitted });
                    }
                }
            }
            Act::Flush => limiter.flush(read_ms, &mut cells),
            Act::Die => {
                *limiter = Limiter::with_sets(seed(), 1);
                self.deaths.set(self.deaths.get() + 1);
            }
        }
        true
    }

    /// The longest that a reading of the clock was behind it.
    pub(super) fn lag_ms(&self) -> u64 {
        self.events.borrow().iter().map(|event| event.done_ms - event.read_ms).max().unwrap_or(0)
    }
}

/// The most that the clock moves on between two host calls of a worker: with three others that
/// interrupt it, and each other, at eight calls each, less than [`SKEW_MS`].
const PAUSE_MAX_MS: u64 = SKEW_MS / 32;

struct Interrupted<'w, 'a> {
    workers: &'w Workers<'a>,
    interrupted: u8,
}

impl Interrupted<'_, '_> {
    fn interrupt(&mut self) {
        if self.interrupted & 1 == 1 {
            self.workers.step(self.workers.pause_ms);
        }
        self.interrupted >>= 1;
    }
}

impl Cells for Interrupted<'_, '_> {
    fn read(&mut self, name: &str) -> Option<(Vec<u8>, u32)> {
        self.interrupt();
        self.workers.map.borrow_mut().read(name)
    }

    fn write(&mut self, name: &str, value: &[u8], cas: Option<u32>) -> bool {
        self.interrupt();
        self.workers.map.borrow_mut().write(name, value, cas)
    }
}

impl Workers<'_> {
    /// Returns the number of requests that a limit would admit once all workers have returned their
    /// leases.
    pub(super) fn left_after_flush(&self, limit: &Limit) -> u64 {
        let (mut map, now_ms) = (self.map.borrow_mut(), self.clock_ms.get());
        for limiter in &self.limiters {
            limiter.borrow_mut().flush(now_ms, &mut *map);
            limiter.borrow_mut().flush(now_ms, &mut *map);
        }
        let mut fresh = Limiter::with_sets(seed(), 1);
        let mut admits =
            || matches!(fresh.admit(&[check(limit)], now_ms, &mut *map), Verdict::Admitted(_));
        (0..).take_while(|_| admits()).count() as u64
    }
}
