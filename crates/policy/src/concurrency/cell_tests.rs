use proptest::prelude::*;

use super::{super::BEAT_MS, *};

const ENTRY: Entry = Entry { tag: [7; 16], vm: 3, slots: 4, beat_ms: 100_000, in_doubt: false };

#[test]
fn an_entry_without_a_sign_of_life_is_doubted_and_then_dropped() {
    assert_eq!(ENTRY.aged(100_000 + DEAD_AFTER_MS - 1), Some(ENTRY));
    let doubted = ENTRY.aged(100_000 + DEAD_AFTER_MS).expect("still counted");
    assert_eq!(doubted, Entry { in_doubt: true, beat_ms: 100_000 + DEAD_AFTER_MS, ..ENTRY });
    assert_eq!(doubted.aged(doubted.beat_ms + GRACE_MS - 1), Some(doubted));
    assert_eq!(doubted.aged(doubted.beat_ms + GRACE_MS), None);
    assert_eq!(DEAD_AFTER_MS, 3 * BEAT_MS);
}

#[test]
fn a_sign_of_life_from_the_future_is_doubted() {
    let now_ms = 100_000 - SKEW_MS;
    assert_eq!(ENTRY.aged(now_ms), Some(ENTRY));
    assert_eq!(
        ENTRY.aged(now_ms - 1),
        Some(Entry { in_doubt: true, beat_ms: now_ms - 1, ..ENTRY })
    );
}

#[test]
fn entries_come_back_as_they_were_written() {
    let mut value = Vec::new();
    ENTRY.encode(&mut value);
    assert_eq!(decode(&value, 100_000), [ENTRY]);
    value.push(0);
    assert_eq!(decode(&value, 100_000), []);
}

proptest! {
    #[test]
    fn any_bytes_are_read(value in prop::collection::vec(any::<u8>(), 0..300), now_ms: u64) {
        prop_assert!(decode(&value, now_ms).len() <= value.len() / ENTRY_LEN);
    }
}
