//! Zipf's law: the n-th most popular of all comes up in proportion to `1 / n ^ exponent`.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

/// So many draws out of `0..count`, always the same. Which number has which rank is drawn, too.
pub(super) fn draws(count: usize, exponent: f64, draws: usize) -> Vec<usize> {
    let mut random = StdRng::seed_from_u64(0x7a69_7066);
    let mut ranked: Vec<usize> = (0..count).collect();
    ranked.shuffle(&mut random);
    let mut sum = 0.0;
    let upto: Vec<f64> = (1..=count)
        .map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        })
        .collect();
    let draw = |_| {
        let at = random.random::<f64>() * sum;
        ranked.get(upto.partition_point(|upto| *upto < at)).copied()
    };
    (0..draws).filter_map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::draws;

    #[test]
    fn the_most_popular_come_up_as_the_law_says() {
        let drawn = draws(1_000, 0.99, 100_000);
        let mut counts = vec![0_usize; 1_000];
        for one in drawn {
            counts[one] += 1;
        }
        counts.sort_unstable_by(|one, other| other.cmp(one));
        // The sum of n ^ -0.99 for n up to 1,000 is 7.73.
        assert!((12_500..13_500).contains(&counts[0]), "{}", counts[0]);
        assert!((1_150..1_500).contains(&counts[9]), "{}", counts[9]);
    }
}
