//! Chains that were tampered with, in every way and at random.

use chrono::DateTime;
use proptest::prelude::*;
use serde_json::value::RawValue;
use sqlx::types::Json;
use uuid::Uuid;

use super::AuditRow;
use super::chain::{Checker, Fault, Intact, Noted};

const TENANT: Uuid = Uuid::from_u128(7);

fn row(seq: i64, prev_hash: &str, salt: u64) -> AuditRow {
    let object: Box<RawValue> =
        serde_json::from_str(&format!(r#"{{"name": "n{salt}", "n": {salt}}}"#)).unwrap();
    let row = AuditRow {
        tenant_id: TENANT,
        seq,
        at: DateTime::from_timestamp_micros(1_775_558_700_000_000 + seq).unwrap(),
        actor_kind: "operator".to_owned(),
        actor_id: Uuid::from_u128(u128::from(salt)),
        request_id: format!("r{salt}"),
        source: salt.is_multiple_of(2).then(|| "192.0.2.1".to_owned()),
        action: "route.update".to_owned(),
        object_id: Uuid::from_u128(9),
        before: None,
        after: Some(Json(object)),
        prev_hash: prev_hash.to_owned(),
        hash: String::new(),
    };
    hashed(row)
}

fn hashed(row: AuditRow) -> AuditRow {
    let hash = row.computed_hash().unwrap();
    AuditRow { hash, ..row }
}

fn chain(rows: i64, salt: u64) -> Vec<AuditRow> {
    let mut chain: Vec<AuditRow> = Vec::new();
    for seq in 1..=rows {
        let head = chain.last().map(|row| row.hash.clone()).unwrap_or_default();
        chain.push(row(seq, &head, salt.wrapping_add(seq.unsigned_abs())));
    }
    chain
}

fn verdict(rows: &[AuditRow], noted: Noted) -> Result<Intact, Fault> {
    let mut checker = Checker::new(noted);
    rows.iter().try_for_each(|row| checker.take(row))?;
    checker.end()
}

fn noted(rows: &[AuditRow]) -> Noted {
    Noted { head: rows.last().map(|row| row.hash.clone()), rows: Some(rows.len() as i64) }
}

#[test]
fn an_untouched_chain_is_intact_and_may_have_grown() {
    let rows = chain(9, 1);
    let intact = Intact { tenant: Some(TENANT), rows: 9, head: rows[8].hash.clone() };
    assert_eq!(verdict(&rows, Noted::default()), Ok(intact.clone()));
    assert_eq!(verdict(&rows, noted(&rows[..4])), Ok(intact));
    assert_eq!(
        verdict(&[], Noted::default()),
        Ok(Intact { tenant: None, rows: 0, head: String::new() })
    );
}

#[test]
fn a_chain_that_was_cut_off_or_made_anew_is_told_by_what_was_noted() {
    let rows = chain(9, 1);
    let head = rows[8].hash.clone();
    assert!(verdict(&rows[..6], Noted::default()).is_ok(), "by itself it cannot be told");
    assert_eq!(verdict(&rows[..6], noted(&rows)), Err(Fault::Truncated { seq: 7, noted: 9 }));
    let by_head = Noted { head: Some(head.clone()), rows: None };
    assert_eq!(
        verdict(&rows[..6], by_head),
        Err(Fault::HeadNotFound { rows: 6, noted: head.clone() })
    );
    assert_eq!(verdict(&chain(9, 2), noted(&rows)), Err(Fault::Rewritten { seq: 9, noted: head }));
}

#[test]
fn another_chains_row_is_told() {
    let mut rows = chain(3, 1);
    let foreign = Uuid::from_u128(8);
    rows[2] = hashed(AuditRow { tenant_id: foreign, ..rows[2].clone() });
    assert_eq!(verdict(&rows, Noted::default()), Err(Fault::Foreign { seq: 3, tenant: foreign }));
}

/// A change of a chain; the number chooses the field.
#[derive(Clone, Debug)]
enum Tampering {
    /// A field is another.
    Edit(usize),
    /// The same, and the row's hash is computed again.
    EditAndHash(usize),
    Delete,
    /// The rows after it get new numbers.
    DeleteAndRenumber,
    Swap,
    Repeat,
    /// A row that fits to the one before it.
    Insert,
    Truncate,
    /// Everything from here on is made anew, with all hashes right.
    Remake,
}

fn tampering() -> impl Strategy<Value = Tampering> {
    prop_oneof![
        (0..12_usize).prop_map(Tampering::Edit),
        (0..12_usize).prop_map(Tampering::EditAndHash),
        Just(Tampering::Delete),
        Just(Tampering::DeleteAndRenumber),
        Just(Tampering::Swap),
        Just(Tampering::Repeat),
        Just(Tampering::Insert),
        Just(Tampering::Truncate),
        Just(Tampering::Remake),
    ]
}

fn edit(row: &mut AuditRow, field: usize) {
    let other = Uuid::from_u128(0xffff_ffff);
    let object = || Some(Json(serde_json::from_str(r#"{"n": 1.0}"#).unwrap()));
    match field {
        0 => row.at += chrono::TimeDelta::microseconds(1),
        1 => row.actor_kind.push('x'),
        2 => row.actor_id = other,
        3 => row.request_id.push('"'),
        4 => row.source = Some("192.0.2.2".to_owned()),
        5 => row.action.push('x'),
        6 => row.object_id = other,
        7 => row.before = object(),
        8 => row.after = object(),
        9 => row.after = None,
        10 => row.prev_hash = "00".repeat(32),
        _ => row.source = Some(String::new()),
    }
}

fn tamper(rows: &mut Vec<AuditRow>, how: &Tampering, at: usize) {
    match how {
        Tampering::Edit(field) => edit(&mut rows[at], *field),
        Tampering::EditAndHash(field) => {
            edit(&mut rows[at], *field);
            rows[at] = hashed(rows[at].clone());
        }
        Tampering::Delete => drop(rows.remove(at)),
        Tampering::DeleteAndRenumber => {
            rows.remove(at);
            rows.iter_mut().skip(at).for_each(|row| row.seq -= 1);
        }
        Tampering::Swap => {
            let other = if at + 1 < rows.len() { at + 1 } else { at - 1 };
            rows.swap(at, other);
        }
        Tampering::Repeat => rows.insert(at, rows[at].clone()),
        Tampering::Insert => {
            let forged = row(rows[at].seq, &rows[at].prev_hash, u64::MAX / 2);
            rows.insert(at, forged);
        }
        Tampering::Truncate => rows.truncate(at),
        Tampering::Remake => {
            for place in at..rows.len() {
                let head = if place == 0 { String::new() } else { rows[place - 1].hash.clone() };
                rows[place] = row(rows[place].seq, &head, u64::MAX / 3);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_tampering_goes_unnoticed(
        rows in 2..12_i64, salt in 0..1_000_u64, at in 0..12_usize, how in tampering()
    ) {
        let rows = chain(rows, salt);
        let mut tampered = rows.clone();
        let at = at % rows.len();
        tamper(&mut tampered, &how, at);
        let fault = verdict(&tampered, noted(&rows)).expect_err("it has to be noticed");
        // The first thing that is wrong is at the place, next to it, or at the end, where what was
        // noted tells.
        prop_assert!(fault.seq() >= at as i64, "{fault}");
        // Without anything noted, only what leaves a whole chain can go unnoticed.
        let last = at + 1 == rows.len();
        let whole = match how {
            Tampering::Truncate | Tampering::Remake => true,
            Tampering::EditAndHash(field) => last && field != 10,
            Tampering::Delete | Tampering::DeleteAndRenumber => last,
            _ => false,
        };
        prop_assert_eq!(verdict(&tampered, Noted::default()).is_ok(), whole);
    }
}
