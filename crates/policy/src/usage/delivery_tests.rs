use super::*;
use crate::id::{SiteId, TenantId, Uuid};
use crate::usage::{Exchange, Who};

const NOW_MS: u64 = 1_700_000_000_000;

/// Far longer than any pause after a failure.
const LATER_MS: u64 = 60_000;

/// A VM that has counted a request.
fn counted() -> Aggregator {
    let mut usage = Aggregator::new([9; 16], "edge".to_owned());
    count(&mut usage);
    usage
}

fn count(usage: &mut Aggregator) {
    let (tenant, site) = (TenantId(Uuid::from_u128(1)), SiteId(Uuid::from_u128(2)));
    let exchange = Exchange { ended_at_ms: NOW_MS, status: 200, ..Exchange::default() };
    usage.record(&Who { tenant, site, consumer: None, key: None, route: None }, &exchange);
}

/// The report that is due has to be sent, and is, in a call with this token; its number and bytes.
fn send(
    delivery: &mut Delivery,
    usage: &mut Aggregator,
    token: u32,
    now_ms: u64,
) -> (u64, Vec<u8>) {
    let Step::Send(Report { seq, message }) = delivery.next(usage, now_ms) else {
        panic!("a report is due")
    };
    let message = message.to_vec();
    delivery.sent(usage, seq, Some(token), now_ms);
    (seq, message)
}

#[test]
fn a_call_whose_end_is_never_told_is_given_up_and_its_report_comes_again_unchanged() {
    let (mut delivery, mut usage) = (Delivery::default(), counted());
    let first = send(&mut delivery, &mut usage, 7, NOW_MS);
    count(&mut usage);
    for now_ms in (NOW_MS..=NOW_MS + GIVE_UP_MS).step_by(500) {
        assert_eq!(delivery.next(&mut usage, now_ms), Step::Wait, "one call at a time");
    }
    let given_up_ms = NOW_MS + GIVE_UP_MS + 1;
    assert_eq!(delivery.next(&mut usage, given_up_ms), Step::GiveUp(7));
    assert_eq!(delivery.next(&mut usage, given_up_ms), Step::Wait, "not without a pause");
    assert_eq!(send(&mut delivery, &mut usage, 8, given_up_ms + LATER_MS), first);
    assert_eq!(delivery.ended(&mut usage, 8, 0, given_up_ms + LATER_MS), End::Taken);
    assert_eq!(usage.pending().requests, 1, "what was counted since is in the next report");
    assert_eq!(send(&mut delivery, &mut usage, 9, given_up_ms + 2 * LATER_MS).0, first.0 + 1);
}

#[test]
fn the_end_of_a_call_that_was_given_up_counts_for_nothing() {
    let (mut delivery, mut usage) = (Delivery::default(), counted());
    let first = send(&mut delivery, &mut usage, 7, NOW_MS);
    let now_ms = NOW_MS + GIVE_UP_MS + 1;
    assert_eq!(delivery.next(&mut usage, now_ms), Step::GiveUp(7));
    assert_eq!(delivery.ended(&mut usage, 7, 0, now_ms), End::Unknown);
    assert_eq!(delivery.ended(&mut usage, 7, INVALID_ARGUMENT, now_ms), End::Unknown);
    assert_eq!(usage.pending().requests, 1);
    // Nor does it while the report is under way again.
    assert_eq!(send(&mut delivery, &mut usage, 8, now_ms + LATER_MS), first);
    assert_eq!(delivery.ended(&mut usage, 7, INVALID_ARGUMENT, now_ms + LATER_MS), End::Unknown);
    assert_eq!(delivery.ended(&mut usage, 8, 0, now_ms + LATER_MS), End::Taken);
    assert_eq!(usage.pending().requests, 0);
}

#[test]
fn a_clock_that_leaps_gives_a_call_up_and_stops_no_report() {
    for leap in [1_000_000_i64, -1_000_000] {
        let (mut delivery, mut usage) = (Delivery::default(), counted());
        let first = send(&mut delivery, &mut usage, 7, NOW_MS);
        let leapt_ms = NOW_MS.saturating_add_signed(leap);
        assert_eq!(delivery.next(&mut usage, leapt_ms), Step::GiveUp(7));
        assert_eq!(send(&mut delivery, &mut usage, 8, leapt_ms + LATER_MS), first);
    }
}

#[test]
fn a_call_that_cannot_be_made_is_tried_again_after_a_pause() {
    let (mut delivery, mut usage) = (Delivery::default(), counted());
    let Step::Send(Report { seq, .. }) = delivery.next(&mut usage, NOW_MS) else {
        panic!("a report is due")
    };
    delivery.sent(&mut usage, seq, None, NOW_MS);
    assert_eq!(delivery.next(&mut usage, NOW_MS), Step::Wait);
    assert_eq!(send(&mut delivery, &mut usage, 7, NOW_MS + LATER_MS).0, seq);
}

#[test]
fn a_report_that_failed_comes_again_and_one_that_is_refused_does_not() {
    let (mut delivery, mut usage) = (Delivery::default(), counted());
    let first = send(&mut delivery, &mut usage, 7, NOW_MS);
    assert_eq!(delivery.ended(&mut usage, 6, 0, NOW_MS), End::Unknown, "another's call");
    // UNAVAILABLE: nobody listens there.
    assert_eq!(delivery.ended(&mut usage, 7, 14, NOW_MS), End::Failed);
    assert_eq!(send(&mut delivery, &mut usage, 8, NOW_MS + LATER_MS), first);
    assert_eq!(delivery.ended(&mut usage, 8, INVALID_ARGUMENT, NOW_MS + LATER_MS), End::Refused);
    assert_eq!(usage.pending().requests, 0);
    // That a request was lost is reported in its turn.
    assert_eq!(send(&mut delivery, &mut usage, 9, NOW_MS + 2 * LATER_MS).0, first.0 + 1);
}
