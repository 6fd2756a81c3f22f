use policy::usage::{Aggregator, Exchange, HOUR_MS, Who};
use prost::Message as _;

use super::*;

const NOW: u32 = 500_000;

fn entry() -> UsageEntry {
    UsageEntry {
        tenant_id: vec![1; 16],
        site_id: vec![2; 16],
        consumer_id: vec![3; 16],
        hour: NOW,
        status_class: 2,
        requests: 3,
        histogram: vec![1, 2],
        ..UsageEntry::default()
    }
}

fn report(entries: Vec<UsageEntry>) -> UsageReport {
    UsageReport { reporter: vec![7; 16], seq: 1, entries, ..UsageReport::default() }
}

#[test]
fn what_the_aggregator_writes_is_read_as_it_was_meant() {
    let mut aggregator = Aggregator::new([9; 16], "envoy-1".to_owned());
    let id = |byte| Uuid::from_bytes([byte; 16]);
    let who = Who {
        tenant: id(1).into(),
        site: id(2).into(),
        consumer: Some(id(3).into()),
        key: None,
        route: Some(id(4).into()),
    };
    let ended_at_ms = u64::from(NOW) * HOUR_MS + 1;
    let exchange = Exchange {
        ended_at_ms,
        status: 503,
        duration_us: 1_500,
        request_bytes: 5,
        response_bytes: 7,
    };
    aggregator.record(&who, &exchange);
    aggregator.record(&who, &exchange);
    let message = aggregator
        .next_report(0)
        .map(|report| UsageReport::decode(report.message).unwrap())
        .unwrap();
    let parsed = parse(message, NOW).unwrap();
    assert_eq!(
        (parsed.report.reporter, parsed.report.seq, parsed.node_id.as_str()),
        ([9; 16], 1, "envoy-1")
    );
    let key = Key {
        tenant: who.tenant,
        hour: NOW,
        site: who.site,
        consumer: who.consumer,
        key: None,
        route: who.route,
        status_class: 5,
    };
    let mut histogram = [0; BUCKETS];
    histogram[1] = 2;
    let sums =
        Sums { requests: 2, request_bytes: 10, response_bytes: 14, duration_us: 3_000, histogram };
    assert_eq!(parsed.report.entries, [(key, sums)]);
    assert_eq!((parsed.requests, parsed.malformed_requests, parsed.untimely_requests), (2, 0, 0));
}

#[test]
fn a_report_of_nobody_is_refused() {
    for (reporter, seq, error) in [
        (vec![], 1, ParseError::Reporter(0)),
        (vec![1; 17], 1, ParseError::Reporter(17)),
        (vec![1; 16], 0, ParseError::Seq(0)),
        (vec![1; 16], u64::MAX, ParseError::Seq(u64::MAX)),
    ] {
        let message = UsageReport { reporter, seq, ..UsageReport::default() };
        assert_eq!(parse(message, NOW).err(), Some(error));
    }
}

#[test]
fn entries_that_cannot_be_true_are_left_out_and_counted() {
    let wrong: [fn(&mut UsageEntry); 9] = [
        |entry| entry.tenant_id.clear(),
        |entry| entry.site_id.truncate(15),
        |entry| entry.consumer_id = vec![0; 16],
        |entry| entry.key_id = vec![1; 3],
        |entry| entry.route_id = vec![1; 17],
        |entry| entry.status_class = 6,
        |entry| entry.response_bytes = MOST + 1,
        |entry| entry.duration_us = u64::MAX,
        |entry| entry.histogram = vec![0; 17],
    ];
    for (place, spoil) in wrong.iter().enumerate() {
        let mut spoilt = entry();
        spoil(&mut spoilt);
        let parsed = parse(report(vec![spoilt, entry()]), NOW).unwrap();
        assert_eq!(
            (parsed.report.entries.len(), parsed.malformed_requests, parsed.requests),
            (1, 3, 3),
            "{place}"
        );
    }
}

#[test]
fn usage_of_another_time_is_left_out_and_counted() {
    for (hour, good) in [
        (NOW - OLDEST_HOURS, true),
        (NOW - OLDEST_HOURS - 1, false),
        (NOW + AHEAD_HOURS, true),
        (NOW + AHEAD_HOURS + 1, false),
        (0, false),
        (u32::MAX, false),
    ] {
        let parsed = parse(report(vec![UsageEntry { hour, ..entry() }]), NOW).unwrap();
        assert_eq!(
            (parsed.report.entries.len(), parsed.untimely_requests),
            if good { (1, 0) } else { (0, 3) },
            "{hour}"
        );
    }
}
