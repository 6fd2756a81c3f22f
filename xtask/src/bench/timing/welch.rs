//! Welch's t-test, as dudect uses it (Reparaz, Balasch and Verbauwhede, "Dude, is my code constant
//! time?", 2017): on what is left of two samples when the slowest measurements of both together are
//! cropped, for those say more of the machine than of the program.

use serde::Serialize;

/// The limit from which on dudect reports a leak. Chance alone reaches 4.5 with a probability of
/// some 7 in a million, at one crop.
pub(super) const THRESHOLD: f64 = 4.5;
/// The percentiles of both samples together above which measurements are left out.
pub(super) const CROPS: [f64; 5] = [100.0, 99.0, 95.0, 90.0, 75.0];
/// The quantile of the normal distribution for an interval of 95 %.
const Z95: f64 = 1.959_964;

/// The difference of two samples, the second less the first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Difference {
    /// Above which percentile measurements were left out.
    pub(super) crop: f64,
    pub(super) mean_us: f64,
    /// Within which the difference of the means is with 95 %.
    pub(super) low_us: f64,
    pub(super) high_us: f64,
    /// Cohen's d: the difference in standard deviations.
    pub(super) effect: f64,
    pub(super) t: f64,
}

struct Moments {
    count: f64,
    mean: f64,
    variance: f64,
}

impl Moments {
    fn of(sample: &[f64]) -> Option<Self> {
        let count = sample.len() as f64;
        let mean = sample.iter().sum::<f64>() / count;
        let squares: f64 = sample.iter().map(|value| (value - mean).powi(2)).sum();
        (sample.len() > 1).then(|| Self { count, mean, variance: squares / (count - 1.0) })
    }
}

impl Difference {
    /// Of what is left below a percentile of both together. `None` if that is too little to say
    /// anything.
    pub(super) fn of(first: &[f64], second: &[f64], crop: f64) -> Option<Self> {
        let most = percentile(first.iter().chain(second).copied().collect(), crop)?;
        let kept = |sample: &[f64]| {
            sample.iter().copied().filter(|value| *value <= most).collect::<Vec<_>>()
        };
        let (first, second) = (Moments::of(&kept(first))?, Moments::of(&kept(second))?);
        let error = (first.variance / first.count + second.variance / second.count).sqrt();
        let mean = second.mean - first.mean;
        let deviation = f64::midpoint(first.variance, second.variance).sqrt();
        // Two samples without any variance differ surely, or not at all.
        let ratio = |by: f64| if by > 0.0 { mean / by } else { mean * f64::INFINITY };
        let t = if mean == 0.0 { 0.0 } else { ratio(error) };
        let effect = if mean == 0.0 { 0.0 } else { ratio(deviation) };
        Some(Self {
            crop,
            mean_us: mean,
            low_us: mean - Z95 * error,
            high_us: mean + Z95 * error,
            effect,
            t,
        })
    }

    /// The one of all crops that shows the most.
    pub(super) fn largest(first: &[f64], second: &[f64]) -> Option<Self> {
        let all = CROPS.iter().filter_map(|crop| Self::of(first, second, *crop));
        all.max_by(|one, other| one.t.abs().total_cmp(&other.t.abs()))
    }

    /// True if an attacker could learn something from it.
    pub(super) fn is_found(&self) -> bool {
        self.t.abs() >= THRESHOLD
    }
}

/// By the nearest rank.
fn percentile(mut values: Vec<f64>, percent: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() as f64 * percent / 100.0).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figures are Python's, from the means and variances of its `statistics`.
    #[test]
    fn t_is_what_others_compute() {
        let first = [
            27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7,
            21.4,
        ];
        let second = [
            27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 30.5,
            24.6,
        ];
        let found = Difference::of(&first, &second, 100.0).expect("samples");
        assert!((found.t - T_OF_EXAMPLE).abs() < 1e-6, "{found:?}");
        assert!((found.mean_us - MEAN_OF_EXAMPLE).abs() < 1e-9, "{found:?}");
        assert!(found.low_us < found.mean_us && found.mean_us < found.high_us);
        let turned = Difference::of(&second, &first, 100.0).expect("samples");
        assert_eq!(turned.t, -found.t);
    }

    const T_OF_EXAMPLE: f64 = 2.864058390;
    const MEAN_OF_EXAMPLE: f64 = 2.846666667;

    #[test]
    fn what_is_cropped_does_not_count() {
        let calm: Vec<f64> = (0..100).map(f64::from).collect();
        let mut disturbed = calm.clone();
        disturbed.push(1e9);
        let all = Difference::of(&calm, &disturbed, 100.0).expect("samples");
        let cropped = Difference::of(&calm, &disturbed, 99.0).expect("samples");
        assert!(all.mean_us > 1e6 && cropped.mean_us.abs() < 1.0, "{all:?} {cropped:?}");
    }

    #[test]
    fn a_small_difference_is_found_in_enough_measurements_alone() {
        let noise = |number: u32| f64::from(number.wrapping_mul(2_654_435_761) >> 20) / 100.0;
        let samples = |count: u32| {
            let first: Vec<f64> = (0..count).map(|number| noise(2 * number)).collect();
            let second: Vec<f64> = (0..count).map(|number| noise(2 * number + 1) + 2.0).collect();
            Difference::largest(&first, &second).expect("samples")
        };
        assert!(!samples(20).is_found() && samples(20_000).is_found());
    }

    #[test]
    fn samples_that_are_the_same_do_not_differ() {
        let found = Difference::largest(&[5.0; 10], &[5.0; 10]).expect("samples");
        assert_eq!((found.t, found.effect), (0.0, 0.0));
        assert!(Difference::largest(&[1.0], &[2.0]).is_none());
        assert!(Difference::largest(&[5.0; 10], &[6.0; 10]).expect("samples").is_found());
    }
}
