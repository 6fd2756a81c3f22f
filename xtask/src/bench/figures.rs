//! Percentiles of a series of durations.

use serde::Serialize;

/// In milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Figures {
    pub(super) samples: usize,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
}

impl Figures {
    /// By the nearest rank: the smallest sample that at least this share of all does not exceed. `None` without samples.
    pub(super) fn of(samples_ms: &[f64]) -> Option<Figures> {
        let mut sorted = samples_ms.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        Some(Figures { samples: sorted.len(), p50_ms: at(50)?, p99_ms: at(99)?, max_ms: at(100)? })
    }
}

#[cfg(test)]
mod tests {
    use super::Figures;

    #[test]
    fn percentiles_are_samples_by_nearest_rank() {
        let samples: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(Figures::of(&samples), Some(Figures { samples: 200, p50_ms: 100.0, p99_ms: 198.0, max_ms: 200.0 }));
        assert_eq!(Figures::of(&[]), None);
    }
}
