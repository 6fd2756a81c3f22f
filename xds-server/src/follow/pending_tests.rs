use std::time::Duration;

use policy::id::Uuid;
use proptest::prelude::*;

use super::*;

fn tenant(number: u128) -> TenantId {
    TenantId(Uuid::from_u128(number))
}

fn site(number: u128) -> Change {
    Change::Site(SiteId(Uuid::from_u128(number)))
}

fn logged(seq: i64, tenant_number: u128, change: Change) -> Logged {
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seq.unsigned_abs());
    Logged { seq, tenant: tenant(tenant_number), change, at, trace: None }
}

/// Applies what is due; what it was.
fn step(pending: &mut Pending, now_ms: u64) -> Vec<Change> {
    let taken = pending.take(now_ms);
    pending.done(&taken, now_ms);
    taken.changes.into_iter().map(|(_, change)| change).collect()
}

#[test]
fn a_change_is_applied_at_once() {
    let mut pending = Pending::new(4);
    assert_eq!((pending.reached(), pending.due_ms()), (4, None));
    pending.add(&[logged(5, 1, site(1)), logged(6, 1, Change::Keys(7))], 0);
    assert_eq!((pending.read(), pending.reached(), pending.due_ms()), (6, 4, Some(0)));
    let taken = pending.take(0);
    assert_eq!(taken.changes, [(tenant(1), Change::Keys(7)), (tenant(1), site(1))]);
    assert_eq!(taken.oldest, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(5)));
    pending.done(&taken, 0);
    assert_eq!((pending.reached(), pending.len()), (6, 0));
}

#[test]
fn a_hundred_edits_of_a_site_in_a_second_are_a_few_steps() {
    let mut pending = Pending::new(0);
    let mut applied_ms = Vec::new();
    for now_ms in 0..1_000 {
        if now_ms % 10 == 0 {
            pending.add(&[logged(1 + now_ms as i64, 1, site(1))], now_ms);
        }
        if pending.due_ms().is_some_and(|due_ms| due_ms <= now_ms)
            && !step(&mut pending, now_ms).is_empty()
        {
            applied_ms.push(now_ms);
        }
    }
    assert_eq!(applied_ms, [0, 25, 75, 175, 375, 575, 775, 975]);
    assert_eq!(pending.due_ms(), Some(1_175), "the last edit is not lost");
    assert_eq!(step(&mut pending, 1_175), [site(1)]);
    assert_eq!(pending.reached(), pending.read());
}

#[test]
fn ten_edits_of_a_site_in_a_second_do_not_wait() {
    let mut pending = Pending::new(0);
    for edit in 0..10_u64 {
        pending.add(&[logged(1 + edit as i64, 1, site(1))], edit * 100);
        assert_eq!(step(&mut pending, edit * 100), [site(1)]);
    }
}

#[test]
fn the_keys_of_a_tenant_do_not_wait_for_its_sites() {
    let mut pending = Pending::new(0);
    pending.add(&[logged(1, 1, site(1))], 0);
    step(&mut pending, 0);
    pending.add(
        &[logged(2, 1, site(1)), logged(3, 1, Change::Keys(1)), logged(4, 1, Change::Keys(1))],
        1,
    );
    let taken = pending.take(1);
    assert_eq!(pending.sites_beside(&taken).len(), 1, "where the site is placed may have changed");
    assert_eq!(step(&mut pending, 1), [Change::Keys(1)]);
    assert_eq!(pending.reached(), 1, "the site waits, so not everything through 4 is applied");
    assert_eq!(step(&mut pending, 25), [site(1)]);
    assert_eq!(pending.reached(), 4);
}

#[test]
fn a_tenant_that_edits_a_thousand_sites_delays_nobody_beyond_a_step() {
    let mut pending = Pending::new(0);
    let many: Vec<_> =
        (1..=1_000).map(|seq| logged(seq, 1, site(seq.unsigned_abs().into()))).collect();
    pending.add(&many, 0);
    let first = step(&mut pending, 0);
    assert_eq!(first.len(), STEP_WEIGHT / SITE_WEIGHT);
    pending.add(&[logged(1_001, 2, site(9_999)), logged(1_002, 3, Change::Keys(3))], 0);
    let second = step(&mut pending, 1);
    assert!(second.contains(&site(9_999)) && second.contains(&Change::Keys(3)));
}

#[test]
fn more_tenants_than_a_step_has_room_for_all_have_their_turn() {
    let mut pending = Pending::new(0);
    let tenants = 3 * STEP_WEIGHT / SITE_WEIGHT;
    for round in 0..2 {
        let numbers = 0..tenants as u128;
        let edits = numbers.map(|number| {
            logged(1 + (round * tenants) as i64 + number as i64, number, site(number))
        });
        pending.add(&edits.collect::<Vec<_>>(), 0);
    }
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        seen.extend(step(&mut pending, 1));
    }
    assert_eq!((seen.len(), pending.len()), (tenants, 0));
}

#[test]
fn what_was_not_applied_is_taken_again() {
    let mut pending = Pending::new(0);
    pending.add(&[logged(1, 1, site(1))], 0);
    assert_eq!(pending.take(0), pending.take(0));
    assert_eq!(pending.reached(), 0);
}

#[test]
fn the_buckets_of_one_change_of_the_database_are_applied_together() {
    let mut pending = Pending::new(0);
    pending.add(
        &[logged(1, 1, Change::Consumers(1)), logged(2, 1, Change::Keys(2)), logged(3, 2, site(1))],
        0,
    );
    let applied = step(&mut pending, 0);
    assert_eq!(applied[..2], [Change::Consumers(1), Change::Keys(2)]);
}

proptest! {
    #[test]
    fn whatever_comes_is_applied_within_a_bounded_time(
        edits in prop::collection::vec(
            (0_u128..4, 0_u128..6, 0_u16..6, any::<bool>(), 0_u64..60),
            1..200,
        )
    ) {
        let mut pending = Pending::new(0);
        let mut now_ms = 0;
        let mut wanted: BTreeMap<Change, u64> = BTreeMap::new();
        for (seq, (tenant, number, bucket, of_site, pause_ms)) in (1..).zip(edits) {
            let change = if of_site { site(number) } else { Change::Keys(bucket) };
            pending.add(&[logged(seq, tenant, change)], now_ms);
            wanted.entry(change).or_insert(now_ms);
            for _ in 0..=pause_ms {
                for applied in step(&mut pending, now_ms) {
                    wanted.remove(&applied);
                }
                now_ms += 1;
            }
            prop_assert!(wanted.values().all(|since_ms| now_ms - since_ms <= LAST_GAP_MS + 61));
            prop_assert!(pending.reached() <= pending.read());
            prop_assert_eq!(pending.reached() == pending.read(), pending.len() == 0);
        }
    }
}

#[test]
fn a_change_that_waits_names_the_traced_commits_that_ask_for_it() {
    let traced = |seq, span_id| Logged {
        trace: Some(TraceParent { trace_id: 1, span_id, sampled: true }),
        ..logged(seq, 1, site(1))
    };
    let mut pending = Pending::new(0);
    pending.add(&[traced(1, 10), logged(2, 1, site(1)), traced(3, 11), logged(4, 1, site(1))], 0);
    let waiting = pending.waiting(tenant(1), &site(1)).unwrap();
    let causes: Vec<_> =
        waiting.causes.iter().map(|cause| (cause.seq, cause.trace.span_id)).collect();
    assert_eq!(causes, [(1, 10), (3, 11)]);
    assert_eq!((waiting.seq, waiting.last_seq), (1, 4));
}

#[test]
fn the_causes_of_one_change_are_bounded() {
    let mut pending = Pending::new(0);
    let edits: Vec<_> = (1..=100)
        .map(|seq| Logged {
            trace: Some(TraceParent { trace_id: 1, span_id: seq as u64, sampled: true }),
            ..logged(seq, 1, site(1))
        })
        .collect();
    pending.add(&edits, 0);
    let waiting = pending.waiting(tenant(1), &site(1)).unwrap();
    assert_eq!((waiting.causes.len(), waiting.last_seq), (CAUSES, 100));
}
