use std::sync::{Mutex, PoisonError};

use proptest::prelude::*;

use super::{
    super::{CHUNK_MAX, CHUNK_SHARE, EPOCH_MS, Window, testing::*},
    *,
};

/// 14 November 2023, 22:13:20 UTC.
const NOW_MS: u64 = 1_700_000_000_000;

fn admitted(limiter: &mut Limiter, checks: &[Check<'_>], now_ms: u64, map: &mut Map) -> bool {
    matches!(limiter.admit(checks, now_ms, map), Verdict::Admitted(_))
}

/// Returns the number of `tries` requests at one moment that are admitted.
fn admitted_of(
    tries: usize,
    limiter: &mut Limiter,
    checks: &[Check<'_>],
    now_ms: u64,
    map: &mut Map,
) -> usize {
    (0..tries).filter(|_| admitted(limiter, checks, now_ms, map)).count()
}

/// The most that leases of one counter can hold.
fn leased_max(workers: usize, total: u64) -> u64 {
    workers as u64 * (total / CHUNK_SHARE).clamp(1, CHUNK_MAX.into())
}

/// Checks the module's law of rates: the most that is admitted in any interval, and the least.
fn keeps_the_law(
    workers: &Workers<'_>,
    requests: u32,
    per_ms: u32,
    burst: u32,
) -> Result<(), TestCaseError> {
    let (requests, per_ms, burst_units) =
        (i128::from(requests), i128::from(per_ms), i128::from(burst) * i128::from(per_ms));
    let (events, lag) = (workers.events.borrow(), i128::from(workers.lag_ms()));
    let mut times: Vec<_> =
        events.iter().filter(|event| event.admitted).map(|event| event.read_ms).collect();
    times.sort_unstable();
    // For each pair: what was admitted from the one to the other is no more than the burst and what
    // came back. Looking at the pair with the least start alone is the same.
    let mut start = i128::MAX;
    for (count, time) in (0..).zip(times) {
        let by_then = count * per_ms - requests * i128::from(time - NOW_MS);
        start = start.min(by_then);
        prop_assert!(
            by_then + per_ms - start <= burst_units + requests * 2 * lag,
            "request {count} at {time}"
        );
    }
    // One obvious bucket, in units of `1 / per_ms` tokens.
    let leased = 2 * i128::from(leased_max(4 + workers.deaths.get(), burst.into()));
    let (mut units, mut at_ms) = (burst_units, NOW_MS);
    for event in events.iter() {
        let now_ms = event.read_ms.max(at_ms);
        units = burst_units.min(units + requests * i128::from(now_ms - at_ms));
        at_ms = now_ms;
        if event.admitted {
            units -= per_ms;
        } else {
            prop_assert!(units < per_ms * (1 + leased) + 2 * requests * lag, "{units} units left");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_rate_is_never_exceeded_and_refuses_only_near_the_limit(
        requests in prop_oneof![1u32..20, 1u32..2_000],
        per_ms in prop_oneof![Just(1_000u32), Just(60_000), 1u32..5_000],
        burst in prop_oneof![1u32..8, 1u32..300],
        script in ops(4, 400, 60),
    ) {
        let limit = rate(requests, per_ms, burst);
        let workers = Workers::new(4, vec![check(&limit)], NOW_MS);
        workers.run(script);
        keeps_the_law(&workers, requests, per_ms, burst)?;
    }

    #[test]
    fn leases_do_not_add_to_a_full_bucket(
        requests in 20u32..2_000, burst in 40u32..400, other in 0u64..50, script in floods(4),
    ) {
        let (limit, other) = (rate(requests, 1_000, burst), quota(other, Window::Minute));
        let mut workers = Workers::new(4, vec![check(&limit), check(&other)], NOW_MS);
        workers.pause_ms = 0;
        workers.run(script);
        prop_assert_eq!(workers.lag_ms(), 0);
        keeps_the_law(&workers, requests, 1_000, burst)?;
    }

    #[test]
    fn a_quota_is_never_exceeded_and_refuses_only_near_the_limit(
        requests in prop_oneof![0u64..10, 0u64..200],
        window in prop_oneof![Just(Window::Minute), Just(Window::Day)],
        script in ops(4, 400, 500),
    ) {
        let limit = quota(requests, window);
        let workers = Workers::new(4, vec![check(&limit)], NOW_MS);
        workers.run(script);
        let events = workers.events.borrow();
        let mut windows = std::collections::BTreeMap::<u64, u64>::new();
        for event in events.iter() {
            let window = window.bounds(utc(), event.read_ms).start_ms;
            let used = windows.entry(window).or_default();
            *used += u64::from(event.admitted);
            let room = requests.saturating_sub(*used);
            let enough = 1 + leased_max(4 + workers.deaths.get(), requests);
            let excused = workers.lag_ms() > 0 || room < enough;
            prop_assert!(event.admitted || excused, "{room} left of {requests}");
        }
        let used: u64 = windows.values().sum();
        prop_assert!(used <= requests * windows.len() as u64);
        if workers.lag_ms() == 0 {
            prop_assert!(windows.values().all(|used| *used <= requests));
        }
    }

    #[test]
    fn what_one_limit_refuses_takes_from_none(
        small in 1u64..30,
        large in 30u64..300,
        script in ops(3, 400, 0),
    ) {
        let small_limit = quota(small, Window::Day);
        let large_limit = Limit { id: 9, ..quota(large, Window::Day) };
        let workers = Workers::new(3, vec![check(&large_limit), check(&small_limit)], NOW_MS);
        let of_all = |op: Op| Op { act: Act::Admit { requests: 1, all: true }, ..op };
        workers.run(script.into_iter().map(of_all).collect());
        let used = workers.events.borrow().iter().filter(|event| event.admitted).count() as u64;
        // All leases return; then the larger limit has to have the rest left, to the last one.
        let left = workers.left_after_flush(&large_limit);
        prop_assert_eq!(left, large - used);
        prop_assert!(used <= small);
    }

    #[test]
    fn a_clock_that_leaps_mints_no_more_than_its_way_forward(
        leaps in prop::collection::vec((any::<bool>(), 0u64..100_000), 1..60),
    ) {
        let limit = rate(3, 1_000, 40);
        let (mut limiter, mut map) = (Limiter::with_sets(seed(), 1), Map::default());
        let (mut now_ms, mut forward, mut total) = (NOW_MS, 0, 0);
        for (back, by) in leaps {
            forward += if back { 0 } else { by };
            now_ms = if back { now_ms - by } else { now_ms + by };
            total += admitted_of(5, &mut limiter, &[check(&limit)], now_ms, &mut map) as u64;
            prop_assert!(total * 1_000 <= 40 * 1_000 + 3 * forward, "{total} after {forward} ms");
        }
    }

    #[test]
    fn any_time_and_any_figures_are_answered(
        times in prop::collection::vec(any::<u64>(), 1..20),
        requests: u32, per_ms: u32, burst: u32, quota_requests: u64,
    ) {
        let (rate, quota) = (rate(requests, per_ms, burst), quota(quota_requests, Window::Month));
        let (mut limiter, mut map) = (Limiter::with_sets(seed(), 1), Map::default());
        for now_ms in times {
            let verdict = limiter.admit(&[check(&rate), check(&quota)], now_ms, &mut map);
            if per_ms == 0 || burst == 0 || quota_requests == 0 {
                prop_assert!(matches!(verdict, Verdict::Refused(_)));
            }
            limiter.flush(now_ms, &mut map);
        }
    }

    #[test]
    fn any_bytes_in_a_cell_are_read_without_minting(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        with_tag: bool,
    ) {
        let limit = rate(1, 1_000, 10);
        let place = seed().place(limit.id, 0);
        let mut value = bytes;
        if with_tag {
            value.splice(0..0, place.tag);
            value.resize(value.len().div_ceil(52) * 52, 0xff);
        }
        let mut map = Map::default();
        map.write(&place.name, &value, None);
        let mut limiter = Limiter::with_sets(seed(), 1);
        prop_assert!(admitted_of(100, &mut limiter, &[check(&limit)], NOW_MS, &mut map) <= 10);
    }
}

#[test]
fn requests_are_served_from_the_lease_without_a_host_call() {
    let limit = rate(1_000_000, 1_000, 1_000_000);
    let (mut limiter, mut map) = (Limiter::new(seed()), Map::default());
    admitted_of(1_000, &mut limiter, &[check(&limit)], NOW_MS, &mut map);
    map.calls = 0;
    assert_eq!(
        admitted_of(CHUNK_MAX as usize * 100, &mut limiter, &[check(&limit)], NOW_MS, &mut map),
        12_800
    );
    assert_eq!(map.calls, 2 * 100, "a read and a write for each chunk");
}

#[test]
fn a_counter_that_is_exhausted_is_refused_without_a_host_call() {
    let (small, large) = (rate(1, 60_000, 5), Limit { id: 9, ..rate(1_000, 1_000, 1_000) });
    let (mut limiter, mut map) = (Limiter::new(seed()), Map::default());
    let checks = [check(&large), check(&small)];
    assert_eq!(admitted_of(6, &mut limiter, &checks, NOW_MS, &mut map), 5);
    map.calls = 0;
    assert_eq!(admitted_of(1_000, &mut limiter, &checks, NOW_MS + BLOCKED_MAX_MS - 1, &mut map), 0);
    assert_eq!(map.calls, 0);
}

#[test]
fn a_bucket_refills_at_its_rate() {
    let limit = rate(10, 1_000, 5);
    let (mut limiter, mut map) = (Limiter::new(seed()), Map::default());
    assert_eq!(admitted_of(9, &mut limiter, &[check(&limit)], NOW_MS, &mut map), 5);
    assert_eq!(admitted_of(9, &mut limiter, &[check(&limit)], NOW_MS + 99, &mut map), 0);
    assert_eq!(admitted_of(9, &mut limiter, &[check(&limit)], NOW_MS + 100, &mut map), 1);
    assert_eq!(admitted_of(9, &mut limiter, &[check(&limit)], NOW_MS + 10_000, &mut map), 5);
}

#[test]
fn a_bucket_of_one_token_gives_it_again_and_again() {
    let limit = rate(1, 1_000, 1);
    let (mut limiter, mut map) = (Limiter::new(seed()), Map::default());
    for second in 0..100 {
        assert_eq!(
            admitted_of(3, &mut limiter, &[check(&limit)], NOW_MS + second * 1_000, &mut map),
            1
        );
    }
}

#[test]
fn a_window_begins_anew_and_is_the_same_for_all_workers() {
    let limit = quota(100, Window::Minute);
    let mut map = Map::default();
    let mut limiters = [(); 3].map(|()| Limiter::new(seed()));
    for minute in 0..3 {
        let now_ms = NOW_MS - NOW_MS % 60_000 + minute * 60_000;
        let mut total = 0;
        for _ in 0..200 {
            for limiter in &mut limiters {
                total +=
                    usize::from(admitted(limiter, &[check(&limit)], now_ms + 59_999, &mut map));
            }
        }
        assert_eq!(total, 100, "in minute {minute}");
    }
}

#[test]
fn an_idle_lease_returns_with_the_second_flush() {
    for limit in [quota(1_000, Window::Day), rate(1, 60_000, 1_000)] {
        let mut map = Map::default();
        let (mut idle, mut busy) = (Limiter::new(seed()), Limiter::new(seed()));
        assert_eq!(admitted_of(100, &mut idle, &[check(&limit)], NOW_MS, &mut map), 100);
        idle.flush(NOW_MS, &mut map);
        idle.flush(NOW_MS, &mut map);
        assert_eq!(
            admitted_of(1_000, &mut busy, &[check(&limit)], NOW_MS, &mut map),
            900,
            "{limit:?}"
        );
    }
}

#[test]
fn a_dead_vm_loses_no_more_than_its_lease_and_of_a_rate_only_for_a_while() {
    for (limit, ever) in [(quota(1_000, Window::Day), false), (rate(1_000, 1_000, 1_000), true)] {
        let mut map = Map::default();
        let mut dead = Limiter::new(seed());
        let mut used = admitted_of(100, &mut dead, &[check(&limit)], NOW_MS, &mut map);
        drop(dead);
        let mut next = Limiter::new(seed());
        used += admitted_of(2_000, &mut next, &[check(&limit)], NOW_MS, &mut map);
        assert!(used < 1_000 && used as u64 >= 1_000 - leased_max(1, 1_000), "{used} of {limit:?}");
        let later =
            admitted_of(2_000, &mut next, &[check(&limit)], NOW_MS + 3 * EPOCH_MS, &mut map);
        assert_eq!(later, if ever { 1_000 } else { 0 });
    }
}

#[test]
fn the_tightest_limit_is_named_and_the_longest_refusal() {
    let (per_key, per_day) =
        (rate(1, 1_000, 10), Limit::new(8, "day", quota(5, Window::Day).measure));
    let checks = [check(&per_key), check(&per_day)];
    let (mut limiter, mut map) = (Limiter::new(seed()), Map::default());
    let until_midnight = 86_400_000 - NOW_MS % 86_400_000;
    for remaining in (0..5).rev() {
        let standing = Standing { limit: &per_day, remaining, reset_ms: until_midnight };
        assert_eq!(limiter.admit(&checks, NOW_MS, &mut map), Verdict::Admitted(Some(standing)));
    }
    let standing = Standing { limit: &per_day, remaining: 0, reset_ms: until_midnight };
    assert_eq!(limiter.admit(&checks, NOW_MS, &mut map), Verdict::Refused(standing));
    let alone = [check(&per_key)];
    let standing = Standing { limit: &per_key, remaining: 4, reset_ms: 1_000 };
    assert_eq!(limiter.admit(&alone, NOW_MS, &mut map), Verdict::Admitted(Some(standing)));
}

#[test]
fn without_limits_everything_passes() {
    assert_eq!(
        Limiter::new(seed()).admit(&[], NOW_MS, &mut Map::default()),
        Verdict::Admitted(None)
    );
}

#[test]
fn more_limits_than_there_is_room_for_are_refused() {
    let limit = rate(1_000, 1_000, 1_000);
    let (mut limiter, mut map) = (Limiter::new(seed()), Map::default());
    let checks: Vec<_> =
        (0..=CHECKS_MAX as u64).map(|subject| Check { subject, ..check(&limit) }).collect();
    assert!(admitted(&mut limiter, &checks[1..], NOW_MS, &mut map));
    assert!(!admitted(&mut limiter, &checks, NOW_MS, &mut map));
}

#[test]
fn a_slot_that_makes_room_returns_its_lease() {
    let limit = quota(1_000, Window::Month);
    let (mut limiter, mut map) = (Limiter::with_sets(seed(), 1), Map::default());
    let of = |subject| [Check { subject, ..check(&limit) }];
    assert_eq!(admitted_of(20, &mut limiter, &of(1), NOW_MS, &mut map), 20);
    for subject in 2..100 {
        assert!(admitted(&mut limiter, &of(subject), NOW_MS, &mut map));
    }
    let mut other = Limiter::new(seed());
    assert_eq!(admitted_of(2_000, &mut other, &of(1), NOW_MS, &mut map), 980);
}

/// With a table of one size, each of them would have to return its lease before it is needed again.
#[test]
fn more_counters_than_a_new_vm_has_room_for_are_served_from_leases() {
    let limit = rate(1_000_000, 1_000, 1_000_000);
    let (mut limiter, mut map) = (Limiter::new(seed()), Map::default());
    let mut calls = Vec::new();
    for _ in 0..12 {
        let before = map.calls;
        for subject in 1..=20_000 {
            assert!(admitted(
                &mut limiter,
                &[Check { subject, ..check(&limit) }],
                NOW_MS,
                &mut map
            ));
        }
        limiter.flush(NOW_MS, &mut map);
        calls.push(map.calls - before);
    }
    assert!(calls[0] >= 40_000, "each has to ask once: {calls:?}");
    assert_eq!(calls[10..], [0; 2], "{calls:?}");
}

/// As a cell that others write to all the time.
struct Contended(usize);

impl Cells for Contended {
    fn read(&mut self, _name: &str) -> Option<(Vec<u8>, u32)> {
        None
    }

    fn write(&mut self, _name: &str, _value: &[u8], _cas: Option<u32>) -> bool {
        self.0 += 1;
        false
    }
}

#[test]
fn endless_conflict_is_refused() {
    let limit = rate(1_000, 1_000, 1_000);
    let mut cells = Contended(0);
    let verdict = Limiter::new(seed()).admit(&[check(&limit)], NOW_MS, &mut cells);
    assert_eq!(
        verdict,
        Verdict::Refused(Standing { limit: &limit, remaining: 0, reset_ms: RETRY_MS })
    );
    assert_eq!(cells.0, super::super::TRIES_MAX as usize);
}

#[test]
fn changed_figures_count_at_once() {
    let mut map = Map::default();
    let mut limiter = Limiter::new(seed());
    let before = rate(1, 1_000, 1_000);
    assert_eq!(admitted_of(100, &mut limiter, &[check(&before)], NOW_MS, &mut map), 100);
    let after = rate(1, 1_000, 10);
    assert_eq!(admitted_of(100, &mut limiter, &[check(&after)], NOW_MS, &mut map), 0);
    assert_eq!(admitted_of(100, &mut limiter, &[check(&after)], NOW_MS + 3_000, &mut map), 3);
}

/// A map that threads share.
#[derive(Clone, Copy)]
struct Locked<'a>(&'a Mutex<Map>);

impl Cells for Locked<'_> {
    fn read(&mut self, name: &str) -> Option<(Vec<u8>, u32)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).read(name)
    }

    fn write(&mut self, name: &str, value: &[u8], cas: Option<u32>) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(name, value, cas)
    }
}

#[test]
fn threads_share_a_limit_to_the_last_token() {
    for limit in [quota(20_000, Window::Day), rate(1, 1_000_000_000, 20_000)] {
        let map = Mutex::new(Map::default());
        let total: usize = std::thread::scope(|scope| {
            let worker = || {
                let (mut limiter, mut cells) = (Limiter::new(seed()), Locked(&map));
                let mut admitted = || {
                    matches!(
                        limiter.admit(&[check(&limit)], NOW_MS, &mut cells),
                        Verdict::Admitted(_)
                    )
                };
                let used = (0..7_000).filter(|_| admitted()).count();
                limiter.flush(NOW_MS, &mut cells);
                limiter.flush(NOW_MS, &mut cells);
                used
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(worker)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
        });
        let mut last = Limiter::new(seed());
        let rest = (0..20_000).filter(|_| {
            matches!(last.admit(&[check(&limit)], NOW_MS, &mut Locked(&map)), Verdict::Admitted(_))
        });
        assert_eq!(total + rest.count(), 20_000, "{limit:?}");
    }
}
