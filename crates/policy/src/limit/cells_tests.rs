use super::{
    super::{CELL_ENTRIES_MAX, Check, Limit, Limiter, Measure, Standing, Verdict, testing::*},
    *,
};

#[test]
fn a_conflict_is_tried_again_with_what_the_other_wrote() {
    /// Another worker takes one unit before the first write arrives.
    struct Overtaken(Map, bool);
    impl Cells for Overtaken {
        fn read(&mut self, name: &str) -> Option<(Vec<u8>, u32)> {
            self.0.read(name)
        }
        fn write(&mut self, name: &str, value: &[u8], cas: Option<u32>) -> bool {
            if !std::mem::replace(&mut self.1, true) {
                count_one(&mut self.0);
            }
            self.0.write(name, value, cas)
        }
    }
    fn count_one(cells: &mut impl Cells) -> Option<u64> {
        update(cells, &seed().place(1, 1), 0, |entry| {
            let amount = entry.unwrap_or_default().amount + 1;
            (Some(Entry { until_ms: u64::MAX, amount, ..Entry::default() }), amount)
        })
    }
    assert_eq!(count_one(&mut Overtaken(Map::default(), false)), Some(2));
}

#[test]
fn a_new_counter_in_a_full_cell_is_refused() {
    let limit = Limit::new(1, "n", Measure::Rate { requests: 1, per_ms: 1_000, burst: 9 });
    let place = seed().place(limit.id, 0);
    let full: Vec<u8> = (0..CELL_ENTRIES_MAX).flat_map(|_| [0xff; entry::ENTRY_LEN]).collect();
    let mut map = Map::default();
    map.write(&place.name, &full, None);
    let check = Check { limit: &limit, subject: 0, zone: utc() };
    let refused = Verdict::Refused(Standing {
        limit: &limit,
        remaining: 0,
        reset_ms: super::super::RETRY_MS,
    });
    assert_eq!(Limiter::new(seed()).admit(&[check], 1_700_000_000_000, &mut map), refused);
}
