use proptest::prelude::*;

use super::*;

const FIRST: Bounds = Bounds { start_ms: 60_000, end_ms: 120_000 };
const SECOND: Bounds = Bounds { start_ms: 120_000, end_ms: 180_000 };

fn used_in(bounds: Bounds, used: u32) -> Entry {
    let mut quota = Quota::at(None, 1_000, bounds, bounds.start_ms);
    for _ in 0..used {
        quota.take(1);
    }
    quota.entry()
}

#[test]
fn the_chunk_shrinks_with_what_is_left() {
    let mut quota = Quota::at(None, 1_000, FIRST, 60_000);
    let chunks: Vec<_> = std::iter::from_fn(|| quota.take(128)).collect();
    assert_eq!(chunks[..4], [62, 58, 55, 51]);
    assert_eq!(chunks[chunks.len() - 31..], [1; 31]);
    assert_eq!(chunks.iter().sum::<u32>(), 1_000);
}

#[test]
fn a_new_window_begins_with_nothing_used() {
    assert_eq!(Quota::at(Some(used_in(FIRST, 9)), 1_000, FIRST, 119_999).left(), 991);
    assert_eq!(Quota::at(Some(used_in(FIRST, 9)), 1_000, SECOND, 120_000).left(), 1_000);
}

#[test]
fn a_clock_that_lags_counts_in_the_window_that_others_have_begun() {
    let quota = Quota::at(Some(used_in(SECOND, 9)), 1_000, FIRST, 119_999);
    assert_eq!((quota.left(), quota.start_ms, quota.end_ms), (991, 120_000, 180_000));
}

#[test]
fn a_clock_that_was_set_back_gives_nothing_anew() {
    let quota = Quota::at(Some(used_in(SECOND, 9)), 1_000, FIRST, 120_000 - SKEW_MS - 1);
    assert_eq!((quota.left(), quota.start_ms, quota.end_ms), (991, 60_000, 120_000));
}

#[test]
fn a_zone_that_begins_the_window_earlier_gives_nothing_anew() {
    let earlier = Bounds { start_ms: 50_000, end_ms: 110_000 };
    assert_eq!(Quota::at(Some(used_in(FIRST, 9)), 1_000, earlier, 100_000).left(), 991);
}

#[test]
fn only_what_was_taken_from_a_window_returns_to_it() {
    let mut quota = Quota::at(Some(used_in(SECOND, 9)), 1_000, SECOND, 130_000);
    quota.put_back(5, FIRST.start_ms);
    assert_eq!(quota.left(), 991);
    quota.put_back(5, SECOND.start_ms);
    assert_eq!(quota.left(), 996);
}

proptest! {
    #[test]
    fn any_entry_is_a_quota(
        amount: u64,
        at_ms: u64,
        until_ms: u64,
        now_ms: u64,
        requests: u64,
        wanted: u32,
    ) {
        let entry = Entry { until_ms, at_ms, amount, ..Entry::default() };
        let mut quota = Quota::at(Some(entry), requests, FIRST, now_ms);
        prop_assert!(quota.take(wanted).is_none_or(|taken| u64::from(taken) <= requests));
        quota.put_back(wanted, at_ms);
        prop_assert!(quota.left() <= requests);
    }
}
