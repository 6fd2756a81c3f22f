use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::id::{ConsumerId, KeyId, RouteId, TenantId, Uuid};
use crate::usage::MAX_REPORT_BYTES;

const HOUR: u64 = 500_000;

fn id<T: From<Uuid>>(number: u128) -> T {
    Uuid::from_u128(number).into()
}

/// The `consumer`-th consumer of a site, with a key and a route of these numbers.
fn who(site: u8, consumer: u16, key: u8, route: u8) -> Who {
    let (site, consumer) = (u128::from(site) + 1, u128::from(consumer) + 1);
    Who {
        tenant: id::<TenantId>(site),
        site: id(site << 16),
        consumer: Some(id::<ConsumerId>(site << 64 | consumer << 32)),
        key: Some(id::<KeyId>(site << 64 | consumer << 32 | (u128::from(key) + 1))),
        route: Some(id::<RouteId>((site << 80) | (u128::from(route) + 1))),
    }
}

fn exchange(hours: u64, status: u16, duration_us: u64) -> Exchange {
    Exchange {
        ended_at_ms: (HOUR + hours) * HOUR_MS,
        status,
        duration_us,
        request_bytes: 7,
        response_bytes: 11,
    }
}

/// A receiver as the [module](crate::usage) describes it; its state outlives it.
#[derive(Default)]
struct Receiver {
    last_seq: BTreeMap<Vec<u8>, u64>,
    sums: BTreeMap<EntryKey, Sums>,
    coarsened: u64,
    lost: u64,
}

impl Receiver {
    fn receive(&mut self, message: &[u8]) -> u64 {
        assert!(message.len() <= MAX_REPORT_BYTES);
        let report = UsageReport::decode(message).unwrap();
        let last = self.last_seq.entry(report.reporter).or_default();
        if report.seq > *last {
            assert_eq!(report.seq, *last + 1);
            *last = report.seq;
            for entry in &report.entries {
                let (key, sums) = parsed(entry);
                self.sums.entry(key).or_default().add(&sums);
            }
            self.coarsened += report.coarsened_requests;
            self.lost += report.lost_requests;
        }
        report.seq
    }
}

fn parsed(entry: &UsageEntry) -> (EntryKey, Sums) {
    let who = Who {
        tenant: TenantId::from_slice(&entry.tenant_id).unwrap(),
        site: SiteId::from_slice(&entry.site_id).unwrap(),
        consumer: ConsumerId::from_slice(&entry.consumer_id),
        key: KeyId::from_slice(&entry.key_id),
        route: RouteId::from_slice(&entry.route_id),
    };
    let mut sums = Sums {
        requests: entry.requests,
        request_bytes: entry.request_bytes,
        response_bytes: entry.response_bytes,
        duration_us: entry.duration_us,
        histogram: [0; BUCKETS],
    };
    sums.histogram[..entry.histogram.len()].copy_from_slice(&entry.histogram);
    (
        EntryKey { who, hour: entry.hour, status_class: u8::try_from(entry.status_class).unwrap() },
        sums,
    )
}

/// Sums at a coarser detail.
fn at(detail: Detail, sums: &BTreeMap<EntryKey, Sums>) -> BTreeMap<EntryKey, Sums> {
    let mut coarse: BTreeMap<EntryKey, Sums> = BTreeMap::new();
    for (key, sums) in sums {
        coarse.entry(detail.of(*key)).or_default().add(sums);
    }
    coarse
}

/// Reports until nothing is left, over a network that loses nothing.
fn drain(aggregator: &mut Aggregator, receiver: &mut Receiver, now_ms: &mut u64) {
    for _ in 0..10_000 {
        *now_ms += LAST_DELAY_MS;
        let Some(report) = aggregator.next_report(*now_ms) else {
            assert_eq!(aggregator.pending(), Pending::default());
            return;
        };
        let seq = receiver.receive(report.message);
        aggregator.acked(seq);
    }
    panic!("it does not come to an end");
}

#[test]
fn what_is_reported_is_not_changed_until_it_is_acknowledged() {
    let mut aggregator = Aggregator::new([1; 16], "envoy-1".to_owned());
    assert_eq!(aggregator.next_report(0), None);
    aggregator.record(&who(0, 0, 0, 0), &exchange(0, 200, 900));
    let first =
        aggregator.next_report(0).map(|report| (report.seq, report.message.to_vec())).unwrap();
    assert_eq!(first.0, 1);
    assert_eq!(aggregator.next_report(1_000), None, "an answer is awaited");
    aggregator.record(&who(0, 0, 0, 0), &exchange(0, 200, 900));
    aggregator.failed(2, 1_000);
    aggregator.acked(2);
    assert_eq!(aggregator.pending(), Pending { entries: 1, requests: 2 });
    aggregator.failed(1, 1_000);
    assert_eq!(aggregator.next_report(1_000), None, "it pauses");
    let again =
        aggregator.next_report(2_000).map(|report| (report.seq, report.message.to_vec())).unwrap();
    assert_eq!(again, first);
    aggregator.acked(1);
    let report = UsageReport::decode(aggregator.next_report(5_000).unwrap().message).unwrap();
    assert_eq!((report.seq, report.entries.len(), report.entries[0].requests), (2, 1, 1));
    assert_eq!((report.node_id.as_str(), &report.reporter[..]), ("envoy-1", &[1; 16][..]));
}

#[test]
fn an_unanswered_report_is_sent_again_and_failures_make_pauses_longer() {
    let mut aggregator = Aggregator::new([0; 16], String::new());
    aggregator.record(&who(0, 0, 0, 0), &exchange(0, 200, 0));
    assert!(aggregator.next_report(0).is_some());
    assert!(aggregator.next_report(ANSWER_TIMEOUT_MS - 1).is_none());
    assert!(aggregator.next_report(ANSWER_TIMEOUT_MS).is_some());
    let mut now_ms = 100_000;
    for pause in [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
        aggregator.failed(1, now_ms);
        assert!(aggregator.next_report(now_ms + pause - 1).is_none(), "{pause}");
        assert!(aggregator.next_report(now_ms + pause).is_some(), "{pause}");
        now_ms += 100_000;
    }
    // The end of a VM does not wait.
    aggregator.failed(1, now_ms);
    assert_eq!(aggregator.last_report(now_ms).map(|report| report.seq), Some(1));
}

#[test]
fn reports_are_spaced_unless_one_is_full() {
    let mut aggregator = Aggregator::bounded(100, 2, [1; 16]);
    aggregator.record(&who(0, 0, 0, 0), &exchange(0, 200, 0));
    assert_eq!(aggregator.next_report(0).map(|report| report.seq), Some(1));
    aggregator.acked(1);
    aggregator.record(&who(0, 0, 0, 0), &exchange(0, 200, 0));
    assert!(aggregator.next_report(REPORT_INTERVAL_MS - 1).is_none());
    aggregator.record(&who(0, 1, 0, 0), &exchange(0, 200, 0));
    assert_eq!(aggregator.next_report(1).map(|report| report.seq), Some(2));
    aggregator.acked(2);
    aggregator.record(&who(0, 0, 0, 0), &exchange(0, 200, 0));
    assert_eq!(aggregator.next_report(1 + REPORT_INTERVAL_MS).map(|report| report.seq), Some(3));
}

#[test]
fn a_refused_report_is_counted_as_lost_and_holds_nothing_up() {
    let mut aggregator = Aggregator::new([1; 16], String::new());
    let mut receiver = Receiver::default();
    aggregator.record(&who(0, 0, 0, 0), &exchange(0, 200, 0));
    for (seq, now_ms) in [(1, 0), (2, REPORT_INTERVAL_MS)] {
        assert_eq!(aggregator.next_report(now_ms).map(|report| report.seq), Some(seq));
        aggregator.refused(seq);
    }
    let mut now_ms = 0;
    receiver.last_seq.insert(vec![1; 16], 2);
    drain(&mut aggregator, &mut receiver, &mut now_ms);
    assert_eq!(receiver.lost, 1);
}

#[test]
fn the_greatest_report_is_within_its_bound() {
    let mut aggregator = Aggregator::new([0xff; 16], "n".repeat(1024));
    let sums = Sums {
        requests: u64::MAX,
        request_bytes: u64::MAX,
        response_bytes: u64::MAX,
        duration_us: u64::MAX,
        histogram: [u32::MAX; BUCKETS],
    };
    let ended_at_ms = u64::MAX;
    for consumer in 0..2_000 {
        aggregator.record(
            &who(0, consumer, 0, 0),
            &Exchange { ended_at_ms, status: 500, ..Exchange::default() },
        );
    }
    aggregator.entries.values_mut().for_each(|entry| *entry = sums);
    aggregator.lost_requests = u64::MAX;
    aggregator.coarsened_requests = u64::MAX;
    let report = aggregator.next_report(0).unwrap();
    assert!(report.message.len() <= MAX_REPORT_BYTES, "{}", report.message.len());
    assert_eq!(UsageReport::decode(report.message).unwrap().entries.len(), MAX_REPORT_ENTRIES);
    assert_eq!(aggregator.pending().entries, 2_000 - MAX_REPORT_ENTRIES);
}

#[test]
fn the_stated_memory_is_what_an_entry_takes() {
    assert_eq!(std::mem::size_of::<(EntryKey, Sums)>() + 1, 185);
    let (mut aggregator, mut receiver) =
        (Aggregator::new([0; 16], String::new()), Receiver::default());
    let mut consumers = (0..u16::MAX).cycle();
    for round in 0..12 {
        for consumer in consumers.by_ref().take(20_000) {
            aggregator.record(&who(0, consumer, 0, 0), &exchange(0, 200, 0));
        }
        assert!(aggregator.pending().entries <= MAX_ENTRIES);
        for _ in 0..2 * round {
            let Some(report) = aggregator.last_report(0) else { break };
            let seq = receiver.receive(report.message);
            aggregator.acked(seq);
        }
        assert!(
            aggregator.entries.capacity() <= 2 * MAX_ENTRIES,
            "{}",
            aggregator.entries.capacity()
        );
    }
}

#[test]
fn at_the_bound_a_noisy_site_pays_and_a_quiet_one_keeps_all_detail() {
    let (mut aggregator, mut receiver) =
        (Aggregator::bounded(100, 1_000, [3; 16]), Receiver::default());
    let quiet = [who(1, 0, 0, 0), who(1, 0, 1, 1), who(1, 1, 0, 0)];
    for round in 0..50 {
        for key in 0..10 {
            aggregator.record(&who(0, round, key, 0), &exchange(0, 200, 0));
        }
        for quiet in &quiet {
            aggregator.record(quiet, &exchange(0, 200, 0));
        }
    }
    assert!(aggregator.pending().entries <= 100);
    assert_eq!(aggregator.pending().requests, 650);
    drain(&mut aggregator, &mut receiver, &mut 0);
    for quiet in quiet {
        let key = EntryKey { who: quiet, hour: u32::try_from(HOUR).unwrap(), status_class: 2 };
        assert_eq!(receiver.sums[&key].requests, 50);
    }
    // The noisy site has lost its keys, not its consumers, for whom there was room.
    let consumers = at(Detail::NoKey, &receiver.sums);
    for consumer in 0..50 {
        let who = Who { key: None, route: None, ..who(0, consumer, 0, 0) };
        let key = EntryKey { who, hour: u32::try_from(HOUR).unwrap(), status_class: 2 };
        assert_eq!(consumers[&key].requests, 10, "{consumer}");
    }
    assert!(receiver.coarsened > 0);
    assert_eq!(receiver.lost, 0);
}

#[test]
fn what_fits_nowhere_is_counted_as_lost() {
    let (mut aggregator, mut receiver) =
        (Aggregator::bounded(8, 1_000, [3; 16]), Receiver::default());
    for site in 0..20 {
        aggregator.record(&who(site, 0, 0, 0), &exchange(0, 200, 0));
    }
    assert_eq!(aggregator.pending(), Pending { entries: 8, requests: 8 });
    drain(&mut aggregator, &mut receiver, &mut 0);
    assert_eq!(receiver.lost, 12);
    aggregator.record(&who(19, 0, 0, 0), &exchange(0, 200, 0));
    assert_eq!(aggregator.pending().requests, 1);
}

#[derive(Clone, Debug)]
enum Step {
    Record(u8, u16, u8, u8, u64, u16, u64),
    Advance(u64),
    /// Asks for a report; it goes on its way, and is lost or arrives, and so does the answer.
    Send {
        arrives: bool,
        answered: bool,
    },
    /// The answer says to try again, whether the report was taken or not.
    SendAndFail {
        arrives: bool,
    },
    /// One that has arrived, or got lost, arrives (again).
    Replay(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..4_u8, 0..6_u16, 0..3_u8, 0..3_u8, 0..30_u64, 0..700_u16, 0..90_000_000_u64)
            .prop_map(|(site, consumer, key, route, hours, status, us)| {
                Step::Record(site, consumer, key, route, hours, status, us)
            }),
        2 => (0..40_000_u64).prop_map(Step::Advance),
        4 => (any::<bool>(), any::<bool>())
            .prop_map(|(arrives, answered)| Step::Send { arrives, answered }),
        1 => any::<bool>().prop_map(|arrives| Step::SendAndFail { arrives }),
        2 => any::<prop::sample::Index>().prop_map(Step::Replay),
    ]
}

/// Performs the steps, then lets everything arrive. Gives what was received, and what the obvious
/// model counted.
fn perform(mut aggregator: Aggregator, steps: Vec<Step>) -> (Receiver, BTreeMap<EntryKey, Sums>) {
    let (mut receiver, mut model) = (Receiver::default(), BTreeMap::<EntryKey, Sums>::new());
    let (mut now_ms, mut sent) = (0, Vec::<Vec<u8>>::new());
    for step in steps {
        match step {
            Step::Record(site, consumer, key, route, hours, status, us) => {
                let (who, exchange) =
                    (who(site, consumer, key, route), exchange(hours, status, us));
                aggregator.record(&who, &exchange);
                let hour = u32::try_from(HOUR + hours).unwrap();
                let key = EntryKey { who, hour, status_class: status_class(status) };
                model.entry(key).or_default().record(&exchange);
            }
            Step::Advance(ms) => now_ms += ms,
            Step::Send { arrives, answered } => {
                if let Some(report) = aggregator.next_report(now_ms) {
                    sent.push(report.message.to_vec());
                    let seq = report.seq;
                    if arrives {
                        assert_eq!(receiver.receive(report.message), seq);
                    }
                    if arrives && answered {
                        aggregator.acked(seq);
                    }
                }
            }
            Step::SendAndFail { arrives } => {
                if let Some(report) = aggregator.next_report(now_ms) {
                    sent.push(report.message.to_vec());
                    let seq = report.seq;
                    if arrives {
                        receiver.receive(report.message);
                    }
                    aggregator.failed(seq, now_ms);
                }
            }
            Step::Replay(index) => {
                if !sent.is_empty() {
                    let seq = receiver.receive(index.get::<Vec<u8>>(&sent));
                    aggregator.acked(seq);
                }
            }
        }
    }
    drain(&mut aggregator, &mut receiver, &mut now_ms);
    for message in &sent {
        receiver.receive(message);
    }
    (receiver, model)
}

proptest! {
    #[test]
    fn every_request_is_counted_once_whatever_gets_lost_or_comes_twice(
        steps in prop::collection::vec(step(), 0..300),
    ) {
        let (receiver, model) = perform(Aggregator::bounded(10_000, 7, [9; 16]), steps);
        prop_assert_eq!(receiver.sums, model);
        prop_assert_eq!((receiver.coarsened, receiver.lost), (0, 0));
    }

    /// With room for each site's own sums (four sites, six classes, two days), those stay exact.
    #[test]
    fn for_want_of_memory_detail_is_given_up_and_no_request(
        steps in prop::collection::vec(step(), 0..300),
    ) {
        let (receiver, model) = perform(Aggregator::bounded(64, 7, [9; 16]), steps);
        prop_assert_eq!(receiver.lost, 0);
        prop_assert_eq!(at(Detail::NoConsumer, &receiver.sums), at(Detail::NoConsumer, &model));
    }

    /// With room for each consumer's days, those stay exact.
    #[test]
    fn consumers_stay_exact_while_there_is_room_for_them(
        steps in prop::collection::vec(step(), 0..300),
    ) {
        let (receiver, model) = perform(Aggregator::bounded(4 * 6 * 6 * 2 * 2, 7, [9; 16]), steps);
        prop_assert_eq!(at(Detail::Day, &receiver.sums), at(Detail::Day, &model));
    }

    /// Far too little memory: the missing requests are counted, and nothing else is missing.
    #[test]
    fn nothing_is_lost_silently(steps in prop::collection::vec(step(), 0..300)) {
        let (receiver, model) = perform(Aggregator::bounded(5, 2, [9; 16]), steps);
        let counted: u64 = receiver.sums.values().map(|sums| sums.requests).sum();
        let asked: u64 = model.values().map(|sums| sums.requests).sum();
        prop_assert_eq!(counted + receiver.lost, asked);
    }
}
