//! Usage: counted once, whatever happens, and read by its tenant.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use policy::id::{ConsumerId, KeyId, SiteId, TenantId};
use store::usage::{
    Grouping, Key, Ledger, Position, Query, Recorded, Report, Row, Step, Sums, read,
};
use store::{Store, StoreError};
use uuid::Uuid;

use crate::fixture::{Database, Sample, actor, ledger, sample, used, with_database};

/// 2026-03-31T22:00:00Z: two hours before a day and a month end.
const HOUR: u32 = 493_054;

fn sums(requests: i64) -> Sums {
    let mut histogram = [0; 16];
    histogram[0] = requests - 1;
    histogram[15] = 1;
    Sums {
        requests,
        request_bytes: 10 * requests,
        response_bytes: 20 * requests,
        duration_us: 30 * requests,
        histogram,
    }
}

fn report(reporter: u8, seq: i64, entries: Vec<(Key, Sums)>) -> Report {
    Report { reporter: [reporter; 16], seq, entries }
}

fn added(added: &[bool]) -> Recorded {
    Recorded { added: added.to_vec(), unknown_requests: 0 }
}

async fn requests(database: &Database) -> i64 {
    database.count("SELECT coalesce(sum(requests), 0)::bigint FROM usage_hours").await
}

#[tokio::test]
async fn a_report_is_added_once_however_often_it_comes() {
    with_database(async |database| {
        let ledger = ledger(database).await;
        let sample = sample(&database.store().await, "acme", 1).await;
        let first =
            report(1, 1, vec![(used(&sample, HOUR), sums(5)), (used(&sample, HOUR), sums(2))]);
        assert_eq!(ledger.record(std::slice::from_ref(&first)).await.unwrap(), added(&[true]));
        assert_eq!(ledger.record(std::slice::from_ref(&first)).await.unwrap(), added(&[false]));
        let second = report(1, 2, vec![(used(&sample, HOUR), sums(10))]);
        let other = report(2, 1, vec![(used(&sample, HOUR), sums(100))]);
        assert_eq!(ledger.record(&[second.clone(), other]).await.unwrap(), added(&[true, true]));
        // These reports are old, and late.
        assert_eq!(ledger.record(&[first]).await.unwrap(), added(&[false]));
        assert_eq!(ledger.record(&[second]).await.unwrap(), added(&[false]));
        let rows = database
            .count(
                "SELECT count(*) FROM usage_hours WHERE requests = 117 AND request_bytes = 1170 \
                AND response_bytes = 2340
                 AND duration_us = 3510 AND histogram = \
                 ARRAY[113,0,0,0,0,0,0,0,0,0,0,0,0,0,0,4]::bigint[]
                 AND hour = '2026-03-31T22:00:00Z' AND status_class = 2",
            )
            .await;
        assert_eq!(rows, 1);
        assert_eq!(database.count("SELECT count(*) FROM usage_hours").await, 1);
    })
    .await;
}

#[tokio::test]
async fn deliveries_at_the_same_time_count_once() {
    with_database(async |database| {
        let (left, right) = (ledger(database).await, ledger(database).await);
        let sample = sample(&database.store().await, "acme", 1).await;
        for seq in 1..=20 {
            let one = [report(1, seq, vec![(used(&sample, HOUR), sums(1))])];
            let (first, second) = tokio::join!(left.record(&one), right.record(&one));
            let times = [first, second]
                .into_iter()
                .filter(|recorded| recorded.as_ref().unwrap().added == [true]);
            assert_eq!(times.count(), 1);
        }
        assert_eq!(requests(database).await, 20);
    })
    .await;
}

#[tokio::test]
async fn a_report_that_fails_leaves_nothing_and_can_come_again() {
    with_database(async |database| {
        let ledger = ledger(database).await;
        let sample = sample(&database.store().await, "acme", 1).await;
        let wrong = Key { status_class: 9, ..used(&sample, HOUR) };
        let spoilt = report(1, 1, vec![(used(&sample, HOUR), sums(5)), (wrong, sums(5))]);
        let good = report(2, 1, vec![(used(&sample, HOUR), sums(3))]);
        let outcome = ledger.record(&[good.clone(), spoilt]).await;
        assert!(matches!(outcome, Err(StoreError::Invalid { .. })), "{outcome:?}");
        assert_eq!(
            (
                requests(database).await,
                database.count("SELECT count(*) FROM usage_reporters").await
            ),
            (0, 0)
        );
        let mended = report(1, 1, vec![(used(&sample, HOUR), sums(5))]);
        assert_eq!(ledger.record(&[good, mended]).await.unwrap(), added(&[true, true]));
        assert_eq!(requests(database).await, 8);
    })
    .await;
}

#[tokio::test]
async fn sites_that_are_not_the_tenants_are_left_out() {
    with_database(async |database| {
        let (ledger, store) = (ledger(database).await, database.store().await);
        let (left, right) = (sample(&store, "left", 1).await, sample(&store, "right", 2).await);
        let own = used(&left, HOUR);
        let entries = vec![
            (own, sums(1)),
            (Key { site: right.site, ..own }, sums(10)),
            (Key { tenant: TenantId(Uuid::now_v7()), ..own }, sums(100)),
            (Key { site: SiteId(Uuid::now_v7()), ..own }, sums(1000)),
        ];
        let recorded = ledger.record(&[report(1, 1, entries)]).await.unwrap();
        assert_eq!(recorded, Recorded { added: vec![true], unknown_requests: 1110 });
        assert_eq!(requests(database).await, 1);
    })
    .await;
}

#[tokio::test]
async fn usage_outlives_what_it_names_and_goes_with_its_tenant() {
    with_database(async |database| {
        let (ledger, store) = (ledger(database).await, database.store().await);
        let sample = sample(&store, "acme", 1).await;
        ledger.record(&[report(1, 1, vec![(used(&sample, HOUR), sums(1))])]).await.unwrap();
        let mut tx = sample.begin(&store).await;
        store::site::delete(&mut tx, sample.site, None).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(requests(database).await, 1);
        let mut platform = store.platform(&actor()).await.unwrap();
        store::tenant::delete(&mut platform, sample.tenant, None).await.unwrap();
        platform.commit().await.unwrap();
        assert_eq!(requests(database).await, 0);
    })
    .await;
}

/// Many VMs add to the same rows through two ledgers, each report twice, while another tenant in
/// the same reports is removed.
#[tokio::test]
async fn writers_of_the_same_rows_neither_block_each_other_for_good_nor_lose_anything() {
    with_database(async |database| {
        let store = database.store().await;
        let kept = sample(&store, "kept", 1).await;
        let removed = sample(&store, "removed", 2).await;
        let ledgers = [ledger(database).await, ledger(database).await];
        let mut writers = Vec::new();
        for reporter in 1..=8_u8 {
            let ledger = ledgers[usize::from(reporter) % 2].clone();
            writers.push(tokio::spawn(async move {
                for seq in 1..=10 {
                    let hours = (0..20).map(|hour| HOUR + (hour * 7 + u32::from(reporter)) % 20);
                    let entries = hours.flat_map(|hour| {
                        [(used(&kept, hour), sums(1)), (used(&removed, hour), sums(1))]
                    });
                    let one = [report(reporter, seq, entries.collect())];
                    assert_eq!(ledger.record(&one).await.unwrap().added, [true]);
                    assert_eq!(ledger.record(&one).await.unwrap().added, [false]);
                }
            }));
        }
        let mut platform = store.platform(&actor()).await.unwrap();
        store::tenant::delete(&mut platform, removed.tenant, None).await.unwrap();
        platform.commit().await.unwrap();
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(requests(database).await, 8 * 10 * 20);
        assert_eq!(database.count("SELECT count(*) FROM usage_hours").await, 20);
    })
    .await;
}

#[tokio::test]
async fn old_sums_and_reporters_are_forgotten() {
    with_database(async |database| {
        let (ledger, store) = (ledger(database).await, database.store().await);
        let sample = sample(&store, "acme", 1).await;
        let now = u32::try_from(Utc::now().timestamp() / 3_600).unwrap();
        let entries = vec![(used(&sample, now), sums(1)), (used(&sample, now - 72), sums(10))];
        ledger.record(&[report(1, 1, entries)]).await.unwrap();
        ledger.record(&[report(2, 1, Vec::new())]).await.unwrap();
        sqlx::query(
            "UPDATE usage_reporters SET seen_at = now() - interval '3 days' WHERE reporter = $1",
        )
        .bind(&[1_u8; 16][..])
        .execute(&database.superuser)
        .await
        .unwrap();
        let day = Duration::from_secs(24 * 60 * 60);
        let mut platform = store.platform(&actor()).await.unwrap();
        assert_eq!(store::usage::prune(&mut platform, day * 4, day * 4).await.unwrap(), (0, 0));
        assert_eq!(store::usage::prune(&mut platform, day * 2, day * 2).await.unwrap(), (1, 1));
        platform.commit().await.unwrap();
        assert_eq!(requests(database).await, 1);
    })
    .await;
}

#[tokio::test]
async fn it_is_known_which_sites_were_used_lately() {
    with_database(async |database| {
        let (ledger, store, reader) =
            (ledger(database).await, database.store().await, database.reader().await);
        let (busy, idle) = (sample(&store, "busy", 1).await, sample(&store, "idle", 2).await);
        let now = u32::try_from(Utc::now().timestamp() / 3_600).unwrap();
        let entries = [
            (used(&busy, now), sums(2)),
            (used(&busy, now - 8), sums(2)),
            (used(&idle, now - 8), sums(2)),
        ];
        ledger.record(&[report(1, 1, entries.to_vec())]).await.unwrap();
        let hour = Duration::from_secs(60 * 60);
        for (hours, sites) in [(4, vec![busy.site]), (12, vec![busy.site, idle.site])] {
            let found = store::usage::sites_used(&reader, hour * hours).await.unwrap();
            assert_eq!(found, sites.into_iter().collect());
        }
    })
    .await;
}

fn time(hour: u32) -> DateTime<Utc> {
    DateTime::from_timestamp(i64::from(hour) * 3_600, 0).unwrap()
}

/// Everything of four hours, by hour, in one page.
fn all() -> Query {
    let (from, to) = (time(HOUR), time(HOUR + 4));
    Query {
        site: None,
        from,
        to,
        step: Step::Hour,
        grouping: Grouping::default(),
        limit: 1000,
        after: None,
    }
}

async fn ask(store: &Store, sample: &Sample, query: Query) -> Vec<Row> {
    let mut tx = sample.begin(store).await;
    read(&mut tx, &query).await.unwrap()
}

/// Makes usage of two sites of a tenant, two consumers and none, two classes and six hours; and of
/// another tenant.
async fn some_usage(database: &Database, store: &Store) -> (Sample, SiteId) {
    let (own, other) = (sample(store, "own", 1).await, sample(store, "other", 2).await);
    let mut tx = own.begin(store).await;
    let second = crate::fixture::site_sample(&mut tx, "second", 3).await.site;
    tx.commit().await.unwrap();
    let mut entries = Vec::new();
    for hour in HOUR - 1..=HOUR + 4 {
        for (site, times) in [(own.site, 1), (second, 10)] {
            for consumer in
                [None, Some(ConsumerId(Uuid::from_u128(1))), Some(ConsumerId(Uuid::from_u128(2)))]
            {
                for status_class in [2, 4] {
                    let key =
                        consumer.map(|consumer| KeyId(Uuid::from_u128(consumer.0.as_u128() + 10)));
                    entries.push((
                        Key { hour, site, consumer, key, status_class, ..used(&own, hour) },
                        sums(times),
                    ));
                }
            }
        }
        entries.push((used(&other, hour), sums(1_000_000)));
    }
    ledger(database).await.record(&[report(1, 1, entries)]).await.unwrap();
    (own, second)
}

#[tokio::test]
async fn sums_are_read_by_steps_of_time() {
    with_database(async |database| {
        let store = database.store().await;
        let (own, second) = some_usage(database, &store).await;
        let starts = |rows: &[Row]| {
            rows.iter().map(|row| (row.position.start, row.requests)).collect::<Vec<_>>()
        };
        let hours = ask(&store, &own, all()).await;
        assert_eq!(starts(&hours), (0..4).map(|hour| (time(HOUR + hour), 66)).collect::<Vec<_>>());
        let expected = Sums { histogram: [0; 16], ..sums(66) };
        for row in &hours {
            let got = (row.request_bytes, row.response_bytes, row.duration_us);
            assert_eq!(
                got,
                (expected.request_bytes, expected.response_bytes, expected.duration_us)
            );
            assert_eq!((row.histogram[0], row.histogram[15], row.histogram.len()), (54, 12, 16));
        }
        // The span begins in the middle of a day and of a month: so does the first step.
        for step in [Step::Day, Step::Month] {
            let rows = ask(&store, &own, Query { step, ..all() }).await;
            assert_eq!(starts(&rows), [(time(HOUR), 132), (time(HOUR + 2), 132)]);
        }
        let total = ask(&store, &own, Query { step: Step::Total, ..all() }).await;
        assert_eq!(starts(&total), [(time(HOUR), 264)]);
        let one_site =
            ask(&store, &own, Query { step: Step::Total, site: Some(second), ..all() }).await;
        assert_eq!(starts(&one_site), [(time(HOUR), 240)]);
        assert_eq!(time(HOUR + 2).hour(), 0, "a day begins there");
    })
    .await;
}

#[tokio::test]
async fn sums_are_told_apart_by_what_is_asked_for() {
    with_database(async |database| {
        let store = database.store().await;
        let (own, second) = some_usage(database, &store).await;
        let total = Query { step: Step::Total, ..all() };
        let by = async |grouping: Grouping| ask(&store, &own, Query { grouping, ..total }).await;
        let sites = by(Grouping { site: true, ..Grouping::default() }).await;
        let found: BTreeMap<_, _> =
            sites.iter().map(|row| (row.position.site, row.requests)).collect();
        assert_eq!(found, BTreeMap::from([(own.site.into(), 24), (second.into(), 240)]));
        let consumers = by(Grouping { consumer: true, key: true, ..Grouping::default() }).await;
        let found: Vec<_> = consumers
            .iter()
            .map(|row| (row.position.consumer.as_u128(), row.position.key.as_u128(), row.requests))
            .collect();
        assert_eq!(found, [(0, 0, 88), (1, 11, 88), (2, 12, 88)]);
        let classes = by(Grouping { status_class: true, ..Grouping::default() }).await;
        let found: Vec<_> =
            classes.iter().map(|row| (row.position.status_class, row.requests)).collect();
        assert_eq!(found, [(2, 132), (4, 132)]);
        let routes = by(Grouping { route: true, ..Grouping::default() }).await;
        assert_eq!(
            routes.iter().map(|row| row.position.route).collect::<Vec<_>>(),
            [Uuid::from(own.route)]
        );
    })
    .await;
}

#[tokio::test]
async fn pages_of_usage_follow_each_other() {
    with_database(async |database| {
        let store = database.store().await;
        let (own, _) = some_usage(database, &store).await;
        let grouping =
            Grouping { site: true, consumer: true, key: true, route: true, status_class: true };
        for step in [Step::Hour, Step::Day, Step::Total] {
            let query = Query { step, grouping, ..all() };
            let whole = ask(&store, &own, query).await;
            let steps = if step == Step::Hour {
                4
            } else if step == Step::Day {
                2
            } else {
                1
            };
            assert_eq!(whole.len(), steps * 12);
            for limit in [1, 5, 7] {
                let (mut pieces, mut after): (Vec<Row>, Option<Position>) = (Vec::new(), None);
                loop {
                    let page = ask(&store, &own, Query { limit, after, ..query }).await;
                    let Some(last) = page.last() else { break };
                    after = Some(last.position);
                    pieces.extend(page);
                }
                assert_eq!(pieces, whole, "{step:?} {limit}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn usage_of_what_does_not_exist_is_not_found() {
    with_database(async |database| {
        let store = database.store().await;
        let (own, _) = some_usage(database, &store).await;
        let mut tx = own.begin(&store).await;
        let absent = read(&mut tx, &Query { site: Some(SiteId(Uuid::now_v7())), ..all() }).await;
        assert!(matches!(absent, Err(StoreError::NotFound { what: "site" })), "{absent:?}");
        let mut tx = store.tenant(TenantId(Uuid::now_v7()), &actor()).await.unwrap();
        let absent = read(&mut tx, &all()).await;
        assert!(matches!(absent, Err(StoreError::NotFound { what: "tenant" })), "{absent:?}");
        let empty = Query {
            from: all().from - TimeDelta::days(9),
            to: all().from - TimeDelta::days(8),
            ..all()
        };
        assert_eq!(ask(&store, &own, empty).await, []);
    })
    .await;
}

#[tokio::test]
async fn only_a_safe_role_keeps_the_ledger() {
    with_database(async |database| {
        let unreachable = Ledger::connect("postgres://nobody@127.0.0.1:1/none", 1).await;
        assert!(unreachable.is_err_and(|error| error.is_unavailable()));
        let admin = Ledger::connect(&database.admin_url, 1).await.unwrap();
        let outcome = admin.record(&[report(1, 1, Vec::new())]).await;
        assert!(matches!(outcome, Err(StoreError::Database(_))), "{outcome:?}");
    })
    .await;
}
