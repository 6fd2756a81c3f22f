//! The latency histogram: fixed buckets, so that histograms can be added, no matter who kept them
//! and whenever.
//!
//! Architecture invariant: the bounds are part of the stored data. They may never change; another
//! scale would be another column.

/// The upper bounds of the buckets in milliseconds, each inclusive. A longer one is in one more
/// bucket. Steps of 2 to 3 tell apart what people tell apart, and cover what a gateway does: from a
/// refusal to a route's longest timeout.
pub const BOUNDS_MS: [u32; BUCKETS - 1] =
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000];

/// The number of buckets.
pub const BUCKETS: usize = 16;

/// The bucket of a duration.
pub fn bucket_of(duration_us: u64) -> usize {
    BOUNDS_MS
        .iter()
        .position(|bound| duration_us <= u64::from(*bound) * 1_000)
        .unwrap_or(BUCKETS - 1)
}

/// An estimate of a quantile from above: the upper bound in milliseconds of the bucket in which it
/// lies. At least `percent` of the requests took no longer. `None` if there were no requests, or if
/// it lies above the last bound.
pub fn quantile_bound_ms(counts: &[u64], percent: u8) -> Option<u32> {
    let total: u128 = counts.iter().map(|count| u128::from(*count)).sum();
    if total == 0 {
        return None;
    }
    let mut below = 0_u128;
    let within = counts.iter().position(|count| {
        below += u128::from(*count);
        below * 100 >= total * u128::from(percent)
    });
    within.and_then(|bucket| BOUNDS_MS.get(bucket)).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        assert_eq!(bucket_of(0), 0);
        for (bucket, bound) in BOUNDS_MS.iter().enumerate() {
            assert_eq!(bucket_of(u64::from(*bound) * 1_000), bucket);
            assert_eq!(bucket_of(u64::from(*bound) * 1_000 + 1), bucket + 1);
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
        assert!(BOUNDS_MS.is_sorted());
    }

    #[test]
    fn nothing_has_no_quantile_and_the_last_bucket_no_bound() {
        assert_eq!(quantile_bound_ms(&[], 50), None);
        assert_eq!(quantile_bound_ms(&[0; BUCKETS], 50), None);
        let mut counts = [0; BUCKETS];
        counts[BUCKETS - 1] = 1;
        assert_eq!(quantile_bound_ms(&counts, 50), None);
        counts[0] = 1;
        assert_eq!(quantile_bound_ms(&counts, 50), Some(1));
        assert_eq!(quantile_bound_ms(&counts, 51), None);
        assert_eq!(quantile_bound_ms(&[u64::MAX; BUCKETS], 50), Some(200));
    }

    proptest! {
        /// The true quantile is in the bucket whose bound is the estimate.
        #[test]
        fn a_quantile_is_bounded_by_its_bucket(
            mut durations in prop::collection::vec(0_u64..70_000_000, 1..200),
            percent in 1_u8..=100,
        ) {
            let mut counts = [0_u64; BUCKETS];
            for duration in &durations {
                counts[bucket_of(*duration)] += 1;
            }
            durations.sort_unstable();
            let rank = (durations.len() * usize::from(percent)).div_ceil(100);
            let expected = BOUNDS_MS.get(bucket_of(durations[rank - 1])).copied();
            prop_assert_eq!(quantile_bound_ms(&counts, percent), expected);
        }
    }
}
