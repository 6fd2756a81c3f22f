//! Time zones as the filter reads them: a list of offsets from UTC, each with the time from which
//! on it holds.

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use chrono::{DateTime, Datelike as _, Duration, NaiveDate, Offset as _, TimeZone as _, Utc};
use chrono_tz::Tz;
use policy::wire::UtcOffset;

/// The years whose changes are pushed, from the first to the end of the last. They are fixed, and
/// not reckoned from today, so that translation depends on no clock: the same desired state has the
/// same bytes tomorrow. Before and after them, the first and the last offset hold; move them in
/// good time, which pushes the policies of the tenants with such a zone once.
const FIRST_YEAR: i32 = 2025;
const LAST_YEAR: i32 = 2045;

/// The time between two looks at a zone's offset. Two changes within a week would be missed; the
/// shortest time between two in the database, in those years, is the month of Ramadan in Morocco.
const STEP: Duration = Duration::days(7);

/// The offsets that are pushed for a zone, by its name in the IANA time zone database; none for
/// UTC. `None` if there is no such zone.
///
/// The result is kept, as many sites share a zone; there are some 600 zones.
pub(super) fn offsets(name: &str) -> Option<Vec<UtcOffset>> {
    static KNOWN: LazyLock<RwLock<HashMap<Tz, Vec<UtcOffset>>>> = LazyLock::new(RwLock::default);
    let zone: Tz = name.parse().ok()?;
    if let Some(offsets) = KNOWN.read().unwrap_or_else(PoisonError::into_inner).get(&zone) {
        return Some(offsets.clone());
    }
    let offsets = found(zone);
    KNOWN.write().unwrap_or_else(PoisonError::into_inner).insert(zone, offsets.clone());
    Some(offsets)
}

fn found(zone: Tz) -> Vec<UtcOffset> {
    let mut at = first_of(FIRST_YEAR);
    let end = first_of(LAST_YEAR + 1);
    let mut offset_s = seconds(zone, at);
    let mut offsets = vec![UtcOffset { from_ms: at.timestamp_millis(), offset_s }];
    while at < end {
        let next = (at + STEP).min(end);
        let now_s = seconds(zone, next);
        if now_s != offset_s {
            offset_s = now_s;
            offsets
                .push(UtcOffset { from_ms: changed(zone, at, next).timestamp_millis(), offset_s });
        }
        at = next;
    }
    let is_utc = matches!(offsets.as_slice(), [UtcOffset { offset_s: 0, .. }]);
    if is_utc { Vec::new() } else { offsets }
}

/// The first second at which the offset is the one at `after`, of a zone that changes it once
/// between the two.
fn changed(zone: Tz, before: DateTime<Utc>, after: DateTime<Utc>) -> DateTime<Utc> {
    let (mut before, mut after, new) =
        (before.timestamp(), after.timestamp(), seconds(zone, after));
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if seconds(zone, second(middle)) == new {
            after = middle;
        } else {
            before = middle;
        }
    }
    second(after)
}

fn seconds(zone: Tz, at: DateTime<Utc>) -> i32 {
    zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()
}

/// Seconds between two years of our calendar, which are in the range of any.
fn second(timestamp: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(timestamp, 0).unwrap_or_default()
}

fn first_of(year: i32) -> DateTime<Utc> {
    NaiveDate::default()
        .with_year(year)
        .and_then(|day| day.and_hms_opt(0, 0, 0))
        .unwrap_or_default()
        .and_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The offset at a time, read as the filter reads the list.
    fn offset_at(offsets: &[UtcOffset], at_ms: i64) -> i32 {
        let after = offsets.partition_point(|offset| offset.from_ms <= at_ms).max(1);
        offsets.get(after - 1).map_or(0, |offset| offset.offset_s)
    }

    #[test]
    fn berlin_changes_at_one_o_clock_utc_on_the_last_sundays_of_march_and_october() {
        let offsets = offsets("Europe/Berlin").unwrap();
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap().timestamp_millis();
        assert_eq!(
            offsets[..3],
            [
                UtcOffset { from_ms: at("2025-01-01T00:00:00Z"), offset_s: 3600 },
                UtcOffset { from_ms: at("2025-03-30T01:00:00Z"), offset_s: 7200 },
                UtcOffset { from_ms: at("2025-10-26T01:00:00Z"), offset_s: 3600 },
            ]
        );
        assert_eq!(offsets.len(), 1 + 2 * 21);
    }

    #[test]
    fn every_zone_is_as_the_database_says_twice_a_day_in_all_those_years() {
        for zone in chrono_tz::TZ_VARIANTS {
            let offsets = offsets(zone.name()).unwrap();
            let mut at = first_of(FIRST_YEAR);
            while at < first_of(LAST_YEAR + 1) {
                assert_eq!(
                    offset_at(&offsets, at.timestamp_millis()),
                    seconds(zone, at),
                    "{zone} at {at}"
                );
                at += Duration::hours(12);
            }
        }
    }

    #[test]
    fn utc_needs_no_list_and_a_name_that_is_none_has_none() {
        for name in ["UTC", "Etc/UTC", "Africa/Abidjan"] {
            assert_eq!(offsets(name), Some(Vec::new()), "{name}");
        }
        assert_eq!(offsets("Europe/Atlantis"), None);
    }
}
