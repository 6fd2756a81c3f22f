use std::collections::BTreeSet;

use super::{
    super::{CELLS, testing::seed},
    *,
};

#[test]
fn subjects_are_told_apart_by_value_and_seed() {
    let subjects = [
        seed().subject(b"ab"),
        seed().subject(b"abc"),
        Seed::new([0; 16]).subject(b"abc"),
        seed().subject(b""),
        0,
    ];
    assert_eq!(BTreeSet::from(subjects).len(), subjects.len());
}

#[test]
fn open_values_share_a_bounded_number_of_subjects_of_their_limit() {
    let subjects: BTreeSet<_> =
        (0u32..50_000).map(|value| seed().open_subject(1, &value.to_le_bytes())).collect();
    assert_eq!(subjects, (1..=OPEN_SUBJECTS).collect());
    let moved = (0u32..1_000).filter(|value| {
        seed().open_subject(1, &value.to_le_bytes()) != seed().open_subject(2, &value.to_le_bytes())
    });
    assert!(moved.count() > 990, "values that share a subject in one limit do not in another");
}

#[test]
fn places_are_bounded_and_spread() {
    let places: Vec<_> = (0..10_000).map(|subject| seed().place(1, subject)).collect();
    for place in &places {
        let digits = place.name.strip_prefix("l/").expect("the prefix");
        assert!(digits.len() == 5 && u32::from_str_radix(digits, 16).expect("a number") < CELLS);
    }
    // Of 10,000 in 2^20 cells, 48 are expected to meet another.
    let names: BTreeSet<_> = places.iter().map(|place| &place.name).collect();
    assert!(names.len() > 9_800, "{}", names.len());
    let tags: BTreeSet<_> = places.iter().map(|place| place.tag).collect();
    assert_eq!(tags.len(), places.len());
}

#[test]
fn the_seed_does_not_show() {
    assert_eq!(format!("{:?}", seed()), "Seed(redacted)");
}
