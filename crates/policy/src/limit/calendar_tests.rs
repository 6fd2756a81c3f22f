use proptest::prelude::*;

use super::*;

/// Milliseconds since the epoch of a moment in UTC, by counting days one by one.
fn utc(year: u64, month: u64, day: u64, hour: u64, minute: u64) -> u64 {
    let mut days = 0;
    for year in 1970..year {
        days += if leap(year) { 366 } else { 365 };
    }
    for month in 1..month {
        days += month_len(year, month);
    }
    (((days + day - 1) * 24 + hour) * 60 + minute) * 60_000
}

fn leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

fn month_len(year: u64, month: u64) -> u64 {
    match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn zone(offsets: &[(u64, i32)]) -> Zone {
    Zone::new(offsets).expect("a zone")
}

/// Europe/Berlin in 2026.
fn berlin() -> Zone {
    zone(&[(0, 3_600), (utc(2026, 3, 29, 1, 0), 7_200), (utc(2026, 10, 25, 1, 0), 3_600)])
}

fn hours(bounds: Bounds) -> u64 {
    assert_eq!((bounds.end_ms - bounds.start_ms) % 3_600_000, 0);
    (bounds.end_ms - bounds.start_ms) / 3_600_000
}

#[test]
fn months_have_their_lengths() {
    for year in [1970, 1999, 2000, 2024, 2026, 2100, 2400] {
        for month in 1..=12 {
            let start_ms = utc(year, month, 1, 0, 0);
            let expected =
                Bounds { start_ms, end_ms: start_ms + month_len(year, month) * 86_400_000 };
            for now_ms in [expected.start_ms, start_ms + 14 * 86_400_000, expected.end_ms - 1] {
                assert_eq!(
                    Window::Month.bounds(&Zone::default(), now_ms),
                    expected,
                    "{year}-{month}"
                );
            }
        }
    }
}

#[test]
fn days_follow_the_clock() {
    let at = |month, day| Window::Day.bounds(&berlin(), utc(2026, month, day, 12, 0));
    assert_eq!(at(3, 28).start_ms, utc(2026, 3, 27, 23, 0));
    assert_eq!([at(3, 28), at(3, 29), at(3, 30)].map(hours), [24, 23, 24]);
    assert_eq!([at(10, 24), at(10, 25), at(10, 26)].map(hours), [24, 25, 24]);
    assert_eq!(at(10, 26).start_ms, utc(2026, 10, 25, 23, 0));
}

#[test]
fn months_follow_the_clock() {
    let march = Window::Month.bounds(&berlin(), utc(2026, 3, 15, 0, 0));
    assert_eq!((march.start_ms, march.end_ms), (utc(2026, 2, 28, 23, 0), utc(2026, 3, 31, 22, 0)));
}

#[test]
fn hours_last_an_hour_also_when_one_is_shown_twice() {
    for minute in 0..240 {
        let now_ms = utc(2026, 10, 24, 23, 0) + minute * 60_000;
        assert_eq!(hours(Window::Hour.bounds(&berlin(), now_ms)), 1);
    }
}

#[test]
fn quarter_hours_of_offset_count() {
    let kathmandu = zone(&[(0, 20_700)]);
    let now_ms = utc(2026, 7, 1, 18, 14);
    assert_eq!(Window::Hour.bounds(&kathmandu, now_ms).start_ms, utc(2026, 7, 1, 17, 15));
    assert_eq!(Window::Day.bounds(&kathmandu, now_ms).end_ms, utc(2026, 7, 1, 18, 15));
    assert_eq!(Window::Minute.bounds(&kathmandu, now_ms + 59_999).start_ms, now_ms);
}

#[test]
fn a_midnight_that_does_not_exist_is_the_first_moment_after() {
    // Beirut: from 00:00 to 01:00 on 29 March 2026.
    let beirut = zone(&[(0, 7_200), (utc(2026, 3, 28, 22, 0), 10_800)]);
    let day = Window::Day.bounds(&beirut, utc(2026, 3, 29, 9, 0));
    assert_eq!((day.start_ms, hours(day)), (utc(2026, 3, 28, 22, 0), 23));
}

#[test]
fn a_day_that_has_begun_does_not_end_when_its_eve_shows_again() {
    // At 00:30 of the 2nd the clock is set back to 23:30 of the 1st.
    let change = utc(2026, 11, 2, 0, 30);
    let zone = zone(&[(0, 0), (change, -3_600)]);
    let day = Window::Day.bounds(&zone, change - 1);
    assert_eq!((day.start_ms, day.end_ms), (utc(2026, 11, 2, 0, 0), utc(2026, 11, 3, 1, 0)));
    assert_eq!(Window::Day.bounds(&zone, change), day);
    assert_eq!(Window::Day.bounds(&zone, change + 3_600_000), day);
}

#[test]
fn a_day_that_is_left_out_is_no_window() {
    // Samoa went from 29 to 31 December 2011.
    let change = utc(2011, 12, 30, 10, 0);
    let apia = zone(&[(0, -36_000), (change, 50_400)]);
    assert_eq!(Window::Day.bounds(&apia, change - 1).end_ms, change);
    assert_eq!(Window::Day.bounds(&apia, change).end_ms, utc(2011, 12, 31, 10, 0));
}

#[test]
fn what_is_no_zone_is_refused() {
    assert_eq!(Zone::new(&[(5, 0), (5, 1)]), None);
    assert_eq!(Zone::new(&[(5, 0), (4, 1)]), None);
    assert_eq!(Zone::new(&[(0, 16 * 3_600 + 1)]), None);
    assert_eq!(Zone::new(&[(0, i32::MIN + 1)]), None);
    assert_eq!(Zone::new(&[(u64::MAX, 0)]), None);
    let many: Vec<_> = (0..=OFFSETS_MAX as u64).map(|from| (from, 0)).collect();
    assert_eq!(Zone::new(&many), None);
    assert!(Zone::new(&many[1..]).is_some());
}

fn any_zone() -> impl Strategy<Value = Zone> {
    prop::collection::btree_map(0..200 * 86_400_000u64, -57_600..57_600i32, 0..8)
        .prop_map(|offsets| zone(&offsets.into_iter().collect::<Vec<_>>()))
}

fn any_window() -> impl Strategy<Value = Window> {
    prop_oneof![Just(Window::Minute), Just(Window::Hour), Just(Window::Day), Just(Window::Month)]
}

proptest! {
    #[test]
    fn windows_cover_time_without_gap_or_overlap(
        zone in any_zone(),
        window in any_window(),
        now_ms in 0..300 * 86_400_000u64,
    ) {
        let bounds = window.bounds(&zone, now_ms);
        prop_assert!(bounds.start_ms <= now_ms && now_ms < bounds.end_ms);
        prop_assert_eq!(window.bounds(&zone, bounds.start_ms).end_ms, bounds.end_ms);
        prop_assert_eq!(window.bounds(&zone, bounds.end_ms - 1).start_ms, bounds.start_ms);
        prop_assert_eq!(window.bounds(&zone, bounds.end_ms).start_ms, bounds.end_ms);
    }

    #[test]
    fn any_moment_is_in_a_window(zone in any_zone(), window in any_window(), now_ms: u64) {
        let bounds = window.bounds(&zone, now_ms);
        prop_assert!(bounds.start_ms <= now_ms && bounds.end_ms > now_ms.min(NOW_MAX_MS));
    }
}
