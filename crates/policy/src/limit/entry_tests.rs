use proptest::prelude::*;

use super::*;

fn entry() -> impl Strategy<Value = Entry> {
    (any::<u64>(), any::<u64>(), any::<u64>(), any::<u32>(), any::<[u32; 2]>()).prop_map(
        |(until_ms, at_ms, amount, scale, held)| Entry { until_ms, at_ms, amount, scale, held },
    )
}

fn lasting(until_ms: u64) -> Entry {
    Entry { until_ms, ..Entry::default() }
}

proptest! {
    #[test]
    fn what_was_put_in_is_found(
        before in prop::collection::vec((any::<Tag>(), entry()), 0..6),
        tag: Tag,
        new in entry(),
    ) {
        let mut value = Vec::new();
        for (tag, entry) in &before {
            value = replace(&value, tag, entry, 0).expect("room");
        }
        let value = replace(&value, &tag, &new, 0).expect("room");
        prop_assert_eq!(find(&value, &tag), Some(new).filter(|new| !new.over(0)));
        for (other, entry) in before.iter().filter(|(other, _)| *other != tag) {
            prop_assert_eq!(find(&value, other).is_some(), !entry.over(0));
        }
    }

    #[test]
    fn any_bytes_are_read(
        value in prop::collection::vec(any::<u8>(), 0..400),
        tag: Tag,
        new in entry(),
        now_ms: u64,
    ) {
        find(&value, &tag);
        let replaced = replace(&value, &tag, &new, now_ms).expect("room");
        prop_assert_eq!(replaced.len() % ENTRY_LEN, 0);
        prop_assert_eq!(find(&replaced, &tag), Some(new).filter(|new| !new.over(now_ms)));
    }
}

#[test]
fn a_value_of_another_length_is_empty() {
    let mut value = replace(&[], &[1; 16], &lasting(u64::MAX), 0).expect("room");
    assert!(find(&value, &[1; 16]).is_some());
    value.push(0);
    assert_eq!(find(&value, &[1; 16]), None);
    assert_eq!(replace(&value, &[2; 16], &lasting(u64::MAX), 0).expect("room").len(), ENTRY_LEN);
}

#[test]
fn what_is_over_for_all_clocks_is_left_out() {
    let value = replace(&[], &[1; 16], &lasting(1_000), 0).expect("room");
    let just_before =
        replace(&value, &[2; 16], &lasting(u64::MAX), 1_000 + SKEW_MS - 1).expect("room");
    assert!(find(&just_before, &[1; 16]).is_some());
    let value = replace(&value, &[2; 16], &lasting(u64::MAX), 1_000 + SKEW_MS).expect("room");
    assert_eq!(find(&value, &[1; 16]), None);
    assert_eq!(value.len(), ENTRY_LEN);
}

#[test]
fn a_full_cell_takes_no_newcomer_and_keeps_what_it_has() {
    let mut value = Vec::new();
    for tag in 0..CELL_ENTRIES_MAX {
        value = replace(&value, &[u8::try_from(tag).expect("small"); 16], &lasting(1_000), 0)
            .expect("room");
    }
    assert_eq!(replace(&value, &[0xff; 16], &lasting(u64::MAX), 0), None);
    assert!(replace(&value, &[3; 16], &lasting(2_000), 0).is_some());
    assert!(replace(&value, &[0xff; 16], &lasting(u64::MAX), 1_000 + SKEW_MS).is_some());
}
