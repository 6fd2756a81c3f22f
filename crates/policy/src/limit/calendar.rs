//! Windows of the calendar in a time zone that is given as a list of offsets, so that no database
//! of zones is needed here.

/// The most offsets of a [`Zone`]: two a year for 32 years.
pub const OFFSETS_MAX: usize = 64;

/// No place on earth was ever further from UTC than 16 hours.
const OFFSET_MAX_S: i32 = 16 * 3600;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The end of the year 9999: later times are taken for this one, so that no sum here can overflow.
pub(super) const NOW_MAX_MS: u64 = 253_402_300_799_999;

/// The offsets of a tenant's time zone from UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zone {
    offsets: Box<[(i64, i64)]>,
}

/// A stretch of time with one offset; all in milliseconds.
#[derive(Clone, Copy)]
struct Stretch {
    from: i64,
    until: i64,
    offset: i64,
}

impl Zone {
    /// A zone from its offsets: from when (milliseconds since the Unix epoch) which offset to add
    /// to UTC (seconds). The first also counts before its time, the last for ever; without any the
    /// zone is UTC. `None` if the times do not ascend, lie beyond the year 9999, an offset exceeds
    /// 16 hours, or there are more than [`OFFSETS_MAX`].
    pub fn new(offsets: &[(u64, i32)]) -> Option<Self> {
        let ascending = offsets.is_sorted_by(|(a, _), (b, _)| a < b);
        let possible = offsets
            .iter()
            .all(|(from, offset)| *from <= NOW_MAX_MS && offset.abs() <= OFFSET_MAX_S);
        if !ascending || !possible || offsets.len() > OFFSETS_MAX {
            return None;
        }
        let millis =
            |&(from, offset): &(u64, i32)| (from.cast_signed(), i64::from(offset) * SECOND_MS);
        Some(Self { offsets: offsets.iter().map(millis).collect() })
    }

    fn stretches(&self) -> impl Iterator<Item = Stretch> {
        const UTC: &[(i64, i64)] = &[(0, 0)];
        let offsets = if self.offsets.is_empty() { UTC } else { &self.offsets };
        let ends = offsets.iter().skip(1).map(|(from, _)| *from).chain([i64::MAX]);
        offsets.iter().zip(ends).enumerate().map(|(n, (&(from, offset), until))| Stretch {
            from: if n == 0 { i64::MIN } else { from },
            until,
            offset,
        })
    }

    fn stretch_at(&self, utc: i64) -> Stretch {
        let utc_always = Stretch { from: i64::MIN, until: i64::MAX, offset: 0 };
        self.stretches().find(|stretch| utc < stretch.until).unwrap_or(utc_always)
    }

    /// The first moment at which clocks there show `local` or later.
    fn first_at(&self, local: i64) -> i64 {
        let first = |stretch: Stretch| {
            let at = (local - stretch.offset).max(stretch.from);
            (at < stretch.until).then_some(at)
        };
        self.stretches().find_map(first).unwrap_or(local)
    }
}

/// The period of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// A minute of the local clock.
    Minute,
    /// An hour of the local clock. Where the clock is set back or forth within an hour, a window
    /// ends there.
    Hour,
    /// From local midnight to the next: 23 to 25 hours where the clock is set. Midnight is when the
    /// date first shows.
    Day,
    /// From the first local midnight of a month to that of the next.
    Month,
}

/// A window: from `start_ms` up to but not including `end_ms`, in milliseconds since the Unix
/// epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The first moment.
    pub start_ms: u64,
    /// The first moment of the next window.
    pub end_ms: u64,
}

impl Window {
    /// The window that a moment is in. Moments after the year 9999 are taken for its last.
    pub fn bounds(self, zone: &Zone, now_ms: u64) -> Bounds {
        let now = now_ms.min(NOW_MAX_MS).cast_signed();
        let (start, end) = match self {
            Self::Minute => clock_bounds(MINUTE_MS, zone, now),
            Self::Hour => clock_bounds(HOUR_MS, zone, now),
            Self::Day | Self::Month => self.date_bounds(zone, now),
        };
        Bounds { start_ms: start.max(0).cast_unsigned(), end_ms: end.max(0).cast_unsigned() }
    }

    fn date_bounds(self, zone: &Zone, now: i64) -> (i64, i64) {
        let mut first_day = self.first_day((now + zone.stretch_at(now).offset).div_euclid(DAY_MS));
        loop {
            let next = self.next(first_day);
            let (start, end) = (zone.first_at(first_day * DAY_MS), zone.first_at(next * DAY_MS));
            // The old date shows again if a clock is set back over midnight. The new window has
            // begun all the same.
            if now < end {
                return (start, end);
            }
            first_day = next;
        }
    }

    /// The first day of the period that a day is in; days since the Unix epoch.
    fn first_day(self, day: i64) -> i64 {
        match self {
            Self::Month => day - (day_of_month(day) - 1),
            _ => day,
        }
    }

    /// The first day of the period after the one that begins with a day.
    fn next(self, first_day: i64) -> i64 {
        match self {
            // 31 days after the first of a month are in the next one, of any length.
            Self::Month => self.first_day(first_day + 31),
            _ => first_day + 1,
        }
    }
}

fn clock_bounds(len: i64, zone: &Zone, now: i64) -> (i64, i64) {
    let stretch = zone.stretch_at(now);
    let start = (now + stretch.offset).div_euclid(len) * len - stretch.offset;
    (start.max(stretch.from), (start + len).min(stretch.until))
}

/// The day of its month, from 1, of a day since the Unix epoch, in the Gregorian calendar.
fn day_of_month(day: i64) -> i64 {
    // Days are counted from 1 March of the year 0, so that the leap day is the last of its year and
    // of its 4, 100 and 400 years.
    const EPOCH: i64 = 719_468;
    let in_400_years = (day + EPOCH).rem_euclid(146_097);
    let century = (in_400_years / 36_524).min(3);
    let in_century = in_400_years - century * 36_524;
    let in_4_years = in_century % 1_461;
    let year = (in_4_years / 365).min(3);
    let in_year = in_4_years - year * 365;
    // March to July, and again August to December, have 31, 30, 31, 30, 31 days: 153 in five
    // months.
    let month = (5 * in_year + 2) / 153;
    in_year - (153 * month + 2) / 5 + 1
}

#[cfg(test)]
#[path = "calendar_tests.rs"]
mod tests;
