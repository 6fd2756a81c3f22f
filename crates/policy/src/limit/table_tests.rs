use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::limit::testing::seed;

const MEASURE: Measure = Measure::Rate { requests: 1, per_ms: 1, burst: 1 };

fn slot(subject: u64, used_by: u64) -> Slot {
    Slot { used_by, at_ms: subject * 3, ..Slot::new(7, subject, MEASURE, 0) }
}

fn found(table: &Table, subject: u64) -> Option<u64> {
    table.find(7, subject).and_then(|index| table.peek(index)).map(|slot| slot.at_ms)
}

#[derive(Clone, Debug)]
enum Act {
    Insert(u64),
    Remove(u64),
    Look,
}

fn act() -> impl Strategy<Value = Act> {
    let subject = || 1..400_u64;
    prop_oneof![
        6 => subject().prop_map(Act::Insert),
        2 => subject().prop_map(Act::Remove),
        1 => Just(Act::Look),
    ]
}

proptest! {
    /// Beside a plain map: a counter that was put in and has not had to go is found, and nothing
    /// else.
    #[test]
    fn a_table_finds_what_it_has(acts in prop::collection::vec(act(), 0..600)) {
        let (mut table, mut map) = (Table::new(seed(), 1), BTreeMap::new());
        for (request, act) in (1..).zip(acts) {
            match act {
                Act::Insert(subject) if !map.contains_key(&subject) => {
                    let inserted = table.insert(slot(subject, request), 0);
                    let (index, gone) = inserted.expect("others are older");
                    prop_assert_eq!(table.peek(index).map(|slot| slot.subject), Some(subject));
                    map.insert(subject, subject * 3);
                    if let Some(gone) = gone {
                        prop_assert_eq!(map.remove(&gone.subject), Some(gone.at_ms));
                    }
                }
                Act::Remove(subject) => {
                    let removed = table.find(7, subject).and_then(|index| table.remove(index));
                    prop_assert_eq!(removed.map(|slot| slot.at_ms), map.remove(&subject));
                }
                Act::Insert(_) => {}
                Act::Look => {
                    table.look_after_size();
                    for subject in 1..400 {
                        prop_assert_eq!(found(&table, subject), map.get(&subject).copied());
                    }
                }
            }
        }
    }
}

#[test]
fn a_table_grows_until_what_is_in_use_has_room() {
    let mut table = Table::new(seed(), SETS);
    let mut request = 0;
    let mut lost = 0;
    for _ in 0..8 {
        lost = 0;
        for subject in 1..=40_000 {
            request += 1;
            match table.find(7, subject).and_then(|index| table.get(index)) {
                Some(known) => known.used_by = request,
                None => {
                    lost += table
                        .insert(slot(subject, request), 0)
                        .map_or(0, |(_, gone)| usize::from(gone.is_some()))
                }
            }
        }
        table.look_after_size();
    }
    assert_eq!((table.len(), lost), (65_536, 0));
}

#[test]
fn a_table_grows_only_for_what_is_in_use() {
    let mut table = Table::new(seed(), 1);
    for subject in 1..1_000 {
        table.insert(slot(subject, subject), subject - 1);
    }
    table.look_after_size();
    assert_eq!(table.len(), 16, "each was gone before the next was needed");
}

#[test]
fn a_table_has_a_largest_size() {
    let mut table = Table::new(seed(), SETS_MAX);
    for subject in 1..=400_000 {
        table.insert(slot(subject, subject), 0);
    }
    table.look_after_size();
    assert_eq!(table.len(), SETS_MAX * 16);
}
