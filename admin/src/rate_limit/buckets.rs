//! Token buckets in a table of bounded size.
//!
//! The crate `governor` has the same algorithm. It was left out because its table of keys has no
//! bound: a flood of addresses would grow it until it is swept, and newcomers to a full table would
//! have to be dealt with around it, which is most of this module.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The buckets of one limit. Each takes some 60 bytes; an attacker needs as many addresses or
/// tokens to fill them all.
const MAX_BUCKETS: usize = 65_536;
/// The least time between two searches of a full table for buckets that nobody needs any more.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// A number of requests at once, and as many again in each window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    burst: u32,
    window: Duration,
}

impl Rate {
    /// `None` for no limit at all.
    pub fn new(requests: u32, window_s: u32) -> Option<Self> {
        (requests > 0 && window_s > 0)
            .then(|| Self { burst: requests, window: Duration::from_secs(window_s.into()) })
    }

    /// The time in which one request is given back.
    fn each(self) -> Duration {
        self.window / self.burst
    }
}

/// A request that was one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The name of the limit.
    pub limit: &'static str,
    /// The requests that it allows at once.
    pub burst: u32,
    /// The seconds in which it gives them back.
    pub window_s: u64,
    /// The seconds after which there is one again.
    pub retry_after_s: u64,
}

/// A limit, with a bucket for each key.
#[derive(Debug)]
pub struct Limiter<K> {
    name: &'static str,
    rate: Rate,
    max: usize,
    buckets: Mutex<Buckets<K>>,
}

/// A bucket is the time at which it will be full: one that is full already says nothing, and can be
/// forgotten.
#[derive(Debug)]
struct Buckets<K> {
    full_at: HashMap<K, Duration>,
    /// The one bucket of all keys that come while the table is full.
    others: Duration,
    swept_at: Duration,
}

impl<K: Eq + Hash> Limiter<K> {
    /// A limit of which nothing is used.
    pub fn new(name: &'static str, rate: Rate) -> Self {
        let buckets =
            Buckets { full_at: HashMap::new(), others: Duration::ZERO, swept_at: Duration::ZERO };
        Self { name, rate, max: MAX_BUCKETS, buckets: Mutex::new(buckets) }
    }

    /// Takes one request out of a bucket, at a time that never goes back.
    ///
    /// # Errors
    /// There is none left.
    pub fn take(&self, key: K, now: Duration) -> Result<(), Refused> {
        // A panic elsewhere leaves a whole table behind: entries are written one at a time.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.make_room(self.max, now);
        let has_room = buckets.full_at.len() < self.max || buckets.full_at.contains_key(&key);
        let bucket = if has_room {
            buckets.full_at.entry(key).or_insert(Duration::ZERO)
        } else {
            &mut buckets.others
        };
        let full_at = (*bucket).max(now).saturating_add(self.rate.each());
        let over = full_at.saturating_sub(now).saturating_sub(self.rate.window);
        if over.is_zero() {
            *bucket = full_at;
            return Ok(());
        }
        Err(Refused {
            limit: self.name,
            burst: self.rate.burst,
            window_s: self.rate.window.as_secs(),
            // Rounded up, so that a client that waits for so long is let in.
            retry_after_s: over.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX),
        })
    }
}

impl<K> Buckets<K> {
    fn make_room(&mut self, max: usize, now: Duration) {
        if self.full_at.len() >= max && now.saturating_sub(self.swept_at) >= SWEEP_EVERY {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.swept_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_bucket_gives_a_burst_and_then_its_rate() {
        let limiter = Limiter::new("test", Rate::new(4, 2).unwrap());
        for _ in 0..4 {
            assert_eq!(limiter.take(1, seconds(10)), Ok(()));
        }
        let refused = Refused { limit: "test", burst: 4, window_s: 2, retry_after_s: 1 };
        assert_eq!(limiter.take(1, seconds(10)), Err(refused));
        assert_eq!(limiter.take(2, seconds(10)), Ok(()), "another's bucket is another");
        assert_eq!(limiter.take(1, seconds(11)), Ok(()));
        assert_eq!(limiter.take(1, seconds(11)), Ok(()));
        assert_eq!(
            limiter.take(1, seconds(11)),
            Err(refused),
            "a refused request takes nothing, and gives nothing"
        );
        for _ in 0..4 {
            assert_eq!(limiter.take(1, seconds(100)), Ok(()));
        }
        assert_eq!(limiter.take(1, seconds(100)), Err(refused), "no more than a burst is saved up");
    }

    #[test]
    fn the_table_is_bounded_and_who_is_in_it_keeps_a_bucket() {
        let mut limiter = Limiter::new("test", Rate::new(2, 10).unwrap());
        limiter.max = 3;
        for key in 0..3 {
            assert_eq!(limiter.take(key, seconds(10)), Ok(()));
        }
        // No other key has a bucket now; all others share one.
        assert_eq!(limiter.take(3, seconds(10)), Ok(()));
        assert_eq!(limiter.take(4, seconds(10)), Ok(()));
        assert!(limiter.take(5, seconds(10)).is_err());
        assert_eq!(limiter.take(0, seconds(10)), Ok(()));
        assert_eq!(limiter.buckets.lock().unwrap().full_at.len(), 3);
        // Full buckets make room.
        assert_eq!(limiter.take(6, seconds(100)), Ok(()));
        assert_eq!(limiter.buckets.lock().unwrap().full_at.len(), 1);
    }
}
