//! The usage service with a real PostgreSQL: reports come in by gRPC, as from Envoy, and are added
//! to the sums once.

#![expect(
    clippy::disallowed_methods,
    reason = "tests read the clock and make ids where they need them"
)]

mod fixture;

use policy::id::{ConsumerId, SiteId, Uuid};
use policy::usage::{Aggregator, Exchange, UsageEntry, UsageReport, Who};
use prost::Message as _;
use tonic::Code;

use crate::fixture::{Database, Server, now_ms, report, with_database};

/// A VM that has counted this number of requests of the site.
fn counted(reporter: u8, who: &Who, requests: u64) -> Aggregator {
    let mut aggregator = Aggregator::new([reporter; 16], format!("envoy-{reporter}"));
    for _ in 0..requests {
        let exchange = Exchange {
            ended_at_ms: now_ms(),
            status: 200,
            request_bytes: 2,
            response_bytes: 3,
            duration_us: 4,
        };
        aggregator.record(who, &exchange);
    }
    aggregator
}

/// Its next report, before it is due.
fn message(aggregator: &mut Aggregator) -> UsageReport {
    UsageReport::decode(aggregator.last_report(now_ms()).expect("there is usage").message)
        .expect("a report")
}

async fn sums(database: &Database) -> (i64, i64, i64, i64) {
    let sum = async |column: &str| {
        database.count(&format!("SELECT coalesce(sum({column}), 0)::bigint FROM usage_hours")).await
    };
    (
        sum("requests").await,
        sum("request_bytes").await,
        sum("response_bytes").await,
        sum("duration_us").await,
    )
}

#[tokio::test]
async fn an_acknowledged_report_is_in_the_sums_and_counts_once() {
    with_database(async |database| {
        let who = database.somebody("acme").await;
        let server = Server::start(&database.xds_url).await;
        let mut aggregator = counted(1, &who, 5);
        let first = message(&mut aggregator);
        assert_eq!(server.report(&first).await.unwrap().seq, 1);
        assert_eq!(sums(database).await, (5, 10, 15, 20));
        // The answer got lost, and another replica is asked at the same time as the first one.
        let replica = Server::start(&database.xds_url).await;
        let (again, elsewhere) = tokio::join!(server.report(&first), replica.report(&first));
        assert_eq!((again.unwrap().seq, elsewhere.unwrap().seq), (1, 1));
        assert_eq!(sums(database).await, (5, 10, 15, 20));
        aggregator.acked(1);
        server.stop().await;
        // A server that was started anew knows the earlier reports.
        let restarted = Server::start(&database.xds_url).await;
        assert_eq!(restarted.report(&first).await.unwrap().seq, 1);
        aggregator.record(&who, &Exchange { ended_at_ms: now_ms(), ..Exchange::default() });
        let second = message(&mut aggregator);
        assert_eq!(restarted.report(&second).await.unwrap().seq, 2);
        assert_eq!(sums(database).await.0, 6);
    })
    .await;
}

#[tokio::test]
async fn reports_of_many_vms_at_once_all_count() {
    with_database(async |database| {
        let who = database.somebody("acme").await;
        let server = Server::start(&database.xds_url).await;
        let reports = (1..=40_u8).map(|reporter| {
            let one = message(&mut counted(reporter, &who, u64::from(reporter)));
            let client = server.client();
            tokio::spawn(
                async move { (report(client.clone(), &one).await, report(client, &one).await) },
            )
        });
        for both in reports.collect::<Vec<_>>() {
            let (first, second) = both.await.unwrap();
            assert_eq!((first.unwrap().seq, second.unwrap().seq), (1, 1));
        }
        assert_eq!(sums(database).await.0, (1..=40).sum::<i64>());
        assert_eq!(database.count("SELECT count(*) FROM usage_reporters").await, 40);
    })
    .await;
}

#[tokio::test]
async fn without_the_database_a_report_has_to_come_again() {
    with_database(async |database| {
        let who = database.somebody("acme").await;
        let server = Server::start(&database.xds_url).await;
        let mut aggregator = counted(1, &who, 5);
        let first = message(&mut aggregator);
        server.report(&first).await.unwrap();
        aggregator.acked(1);
        database.cut_off().await;
        aggregator.record(&who, &Exchange { ended_at_ms: now_ms(), ..Exchange::default() });
        let second = message(&mut aggregator);
        assert_eq!(server.report(&second).await.unwrap_err().code(), Code::Unavailable);
        database.reconnect().await;
        assert_eq!(server.report_until_taken(&second).await.seq, 2);
        assert_eq!(sums(database).await.0, 6);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_true_is_left_out_and_never_comes_again() {
    with_database(async |database| {
        let who = database.somebody("acme").await;
        let server = Server::start(&database.xds_url).await;
        let mut one = message(&mut counted(1, &who, 5));
        let good = one.entries[0].clone();
        one.entries.push(UsageEntry { hour: 1, ..good.clone() });
        one.entries.push(UsageEntry {
            site_id: SiteId(Uuid::from_u128(1)).as_bytes().to_vec(),
            ..good.clone()
        });
        one.entries.push(UsageEntry { tenant_id: good.site_id.clone(), ..good.clone() });
        one.entries.push(UsageEntry { consumer_id: vec![1], ..good });
        assert_eq!(server.report(&one).await.unwrap().seq, 1);
        assert_eq!(sums(database).await.0, 5);
        let nobody = UsageReport { reporter: vec![1; 3], seq: 1, ..UsageReport::default() };
        assert_eq!(server.report(&nobody).await.unwrap_err().code(), Code::InvalidArgument);
        let too_large = UsageReport { node_id: "x".repeat(policy::usage::MAX_REPORT_BYTES), ..one };
        assert_eq!(server.report(&too_large).await.unwrap_err().code(), Code::OutOfRange);
    })
    .await;
}

#[tokio::test]
async fn the_fullest_report_is_taken() {
    with_database(async |database| {
        let who = database.somebody("acme").await;
        let server = Server::start(&database.xds_url).await;
        let mut aggregator = Aggregator::new([1; 16], "envoy".to_owned());
        for consumer in 0..2_000_u128 {
            let consumer = Some(ConsumerId(Uuid::from_u128(consumer + 1)));
            aggregator.record(
                &Who { consumer, ..who },
                &Exchange { ended_at_ms: now_ms(), status: 503, ..Exchange::default() },
            );
        }
        for seq in 1..=2 {
            let one = message(&mut aggregator);
            assert_eq!(server.report(&one).await.unwrap().seq, seq);
            aggregator.acked(seq);
        }
        assert_eq!(aggregator.pending().requests, 0);
        assert_eq!(sums(database).await.0, 2_000);
    })
    .await;
}
