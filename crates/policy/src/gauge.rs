//! Numbers of all VMs of an Envoy, added up.
//!
//! Envoy's gauges are shared by all VMs and outlive them: a VM that added its changes to one would
//! leave its part in there when it traps. So the VMs keep their numbers in one shared value, each
//! with its last sign of life, and each writer takes the dead out and tells the sums of those that
//! live. The sums are at most as old as [`DEAD_AFTER_MS`].

use crate::limit::Cells;

/// The shared-data name of the numbers.
const KEY: &str = "gauges";

/// A VM that told nothing for so long is taken for dead, in milliseconds: five ticks. One that was
/// not writes again with its next.
pub const DEAD_AFTER_MS: u64 = 5_000;

/// The most VMs that are added up, far more than an Envoy has workers: it bounds the value, which
/// all of them read once a second.
pub const VMS_MAX: usize = 1_024;

/// The most attempts at a write that conflicts. A figure that is left out comes with the next tick.
const TRIES_MAX: u32 = 8;

/// The length of a number.
const WORD_LEN: usize = size_of::<u64>();

/// The figures that one VM has told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told<const N: usize> {
    vm: u64,
    at_ms: u64,
    numbers: [u64; N],
}

impl<const N: usize> Told<N> {
    /// VM, time, numbers.
    const LEN: usize = (2 + N) * WORD_LEN;

    fn read(bytes: &[u8]) -> Option<Self> {
        let (words, _) = bytes.as_chunks::<WORD_LEN>();
        let (head, numbers) = words.split_at_checked(2)?;
        let [vm, at_ms] = <[_; 2]>::try_from(head).ok()?.map(u64::from_le_bytes);
        let numbers = <[_; N]>::try_from(numbers).ok()?.map(u64::from_le_bytes);
        Some(Self { vm, at_ms, numbers })
    }

    fn write(&self, value: &mut Vec<u8>) {
        for word in [self.vm, self.at_ms].iter().chain(&self.numbers) {
            value.extend(word.to_le_bytes());
        }
    }
}

/// Tells the numbers of a VM, and answers the sums over all that live: to be called on each tick,
/// about once a second. `vm` is a random number that no other VM of this Envoy has or had. `None`
/// if that could not be written; then the sums stay as they were.
pub fn add_up<const N: usize>(
    vm: u64,
    numbers: [u64; N],
    now_ms: u64,
    cells: &mut impl Cells,
) -> Option<[u64; N]> {
    for _ in 0..TRIES_MAX {
        let (value, version) =
            cells.read(KEY).map_or((Vec::new(), None), |(value, version)| (value, Some(version)));
        let others = value.chunks_exact(Told::<N>::LEN).filter_map(Told::<N>::read);
        let living =
            others.filter(|told| told.vm != vm && now_ms.abs_diff(told.at_ms) <= DEAD_AFTER_MS);
        let own = Told { vm, at_ms: now_ms, numbers };
        let (mut sums, mut value) = ([0_u64; N], Vec::new());
        for told in std::iter::once(own).chain(living).take(VMS_MAX) {
            told.write(&mut value);
            for (sum, number) in sums.iter_mut().zip(told.numbers) {
                *sum = sum.saturating_add(number);
            }
        }
        if cells.write(KEY, &value, version) {
            return Some(sums);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::testing::Map;

    const NOW_MS: u64 = 1_700_000_000_000;

    #[test]
    fn the_sums_are_those_of_all_vms_whoever_tells_them() {
        let mut map = Map::default();
        assert_eq!(add_up(1, [3, 10], NOW_MS, &mut map), Some([3, 10]));
        assert_eq!(add_up(2, [4, 0], NOW_MS + 100, &mut map), Some([7, 10]));
        assert_eq!(
            add_up(1, [1, 20], NOW_MS + 1_000, &mut map),
            Some([5, 20]),
            "what it told before is replaced"
        );
        assert_eq!(add_up(2, [u64::MAX, 0], NOW_MS + 1_100, &mut map), Some([u64::MAX, 20]));
    }

    #[test]
    fn a_vm_that_is_replaced_leaves_nothing_behind() {
        let mut map = Map::default();
        for dead in 2..50 {
            add_up(dead, [100], NOW_MS, &mut map);
        }
        assert_eq!(add_up(1, [1], NOW_MS + DEAD_AFTER_MS, &mut map), Some([4_801]));
        assert_eq!(add_up(1, [1], NOW_MS + DEAD_AFTER_MS + 1, &mut map), Some([1]));
        assert_eq!(map.values[KEY].0.len(), Told::<1>::LEN);
    }

    #[test]
    fn after_a_leap_of_the_clock_the_sums_are_right_again_with_the_next_ticks() {
        for leap in [1_000_000_i64, -1_000_000] {
            let mut map = Map::default();
            add_up(1, [1], NOW_MS, &mut map);
            add_up(2, [2], NOW_MS, &mut map);
            let leapt_ms = NOW_MS.saturating_add_signed(leap);
            add_up(1, [1], leapt_ms, &mut map);
            assert_eq!(add_up(2, [2], leapt_ms, &mut map), Some([3]));
        }
    }

    #[test]
    fn the_value_is_bounded_and_what_cannot_be_read_is_left_out() {
        let mut map = Map::default();
        for vm in 0..u64::try_from(VMS_MAX).unwrap() + 10 {
            add_up(vm, [1], NOW_MS, &mut map);
        }
        assert_eq!(map.values[KEY].0.len(), VMS_MAX * Told::<1>::LEN);
        let mut map = Map::default();
        assert!(map.write(KEY, b"no numbers, and not of that length", None));
        assert_eq!(add_up(1, [7], NOW_MS, &mut map), Some([7]));
        assert_eq!(map.values[KEY].0.len(), Told::<1>::LEN);
    }

    #[test]
    fn without_end_of_conflicts_nothing_is_told() {
        struct Busy;
        impl Cells for Busy {
            fn read(&mut self, _: &str) -> Option<(Vec<u8>, u32)> {
                None
            }
            fn write(&mut self, _: &str, _: &[u8], _: Option<u32>) -> bool {
                false
            }
        }
        assert_eq!(add_up(1, [7], NOW_MS, &mut Busy), None);
    }
}
