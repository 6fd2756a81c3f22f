//! The time between the end of a job and its next start.

use std::time::Duration;

/// Exponential backoff with jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The delay before the first restart.
    pub first: Duration,
    /// The longest delay. A job that has run for this time begins with `first` again.
    pub last: Duration,
}

impl Default for Backoff {
    /// From 1 second to 60.
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Backoff {
    /// From 1 second to 60: a database that restarts is back within a few tries, and a job that
    /// always fails costs one try a minute.
    pub const DEFAULT: Self = Self { first: Duration::from_secs(1), last: Duration::from_secs(60) };
}

/// The delays of one job.
#[derive(Debug)]
pub(super) struct Delays {
    backoff: Backoff,
    next: Duration,
}

impl Delays {
    pub(super) fn new(backoff: Backoff) -> Self {
        Self { backoff, next: backoff.first.min(backoff.last) }
    }

    /// Returns the delay before the next start of a job that has run for `ran`. `random` is in
    /// [0, 1): half of the delay is fixed, the other half is multiplied by it.
    pub(super) fn next(&mut self, ran: Duration, random: f64) -> Duration {
        if ran >= self.backoff.last {
            *self = Self::new(self.backoff);
        }
        let whole = self.next;
        self.next = whole.saturating_mul(2).min(self.backoff.last);
        whole.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(1);

    #[test]
    fn delays_double_up_to_the_last_and_begin_anew_after_a_long_run() {
        let mut delays = Delays::new(Backoff::DEFAULT);
        let seconds: Vec<u64> = (0..8).map(|_| delays.next(SOON, 1.0).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(delays.next(Duration::from_secs(60), 1.0).as_secs(), 1);
        assert_eq!(delays.next(SOON, 1.0).as_secs(), 2);
    }

    #[test]
    fn jitter_takes_up_to_half() {
        let delay = |random| Delays::new(Backoff::DEFAULT).next(SOON, random).as_millis();
        assert_eq!((delay(0.0), delay(0.5)), (500, 750));
    }
}
