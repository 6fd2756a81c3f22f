//! Connections that many tenants share, through pgbouncer in transaction mode: however a
//! transaction ends, the next one on the same connection sees nothing of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use policy::id::TenantId;
use sqlx::{Connection as _, Executor as _, PgConnection};
use store::{Page, Pooling, Store};
use tokio::time::timeout;
use uuid::Uuid;

use crate::fixture::{Sample, actor, new_consumer, sample, with_database};
use crate::pgbouncer::PgBouncer;

/// More than there are connections behind the pooler, so that each of those serves all of them.
const TENANTS: usize = 8;
const WORKERS: u64 = 24;
/// The least number of rows that have to be read.
const READS: u64 = 100_000;

/// The counts of the workers.
#[derive(Debug, Default)]
struct Seen {
    own: AtomicU64,
    others: AtomicU64,
    broken_off: AtomicU64,
}

impl Seen {
    /// Counts the tenants of rows.
    fn count(&self, tenant: TenantId, rows: impl IntoIterator<Item = Uuid>) {
        for row in rows {
            let counter = if row == Uuid::from(tenant) { &self.own } else { &self.others };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Runs one tenant's transaction, which ends in one of the ways in which transactions end.
async fn turn(store: &Store, sample: &Sample, number: u64, seen: &Seen) {
    let read = async |end: u64| {
        let mut tx = sample.begin(store).await;
        if end == 1 {
            // This work is never committed.
            store::consumer::create(&mut tx, sample.site, new_consumer("never"))
                .await
                .expect("a consumer is made");
        }
        let rows = store::audit::newest(&mut tx, sample.tenant, &Default::default(), None, 50)
            .await
            .expect("rows are read");
        seen.count(sample.tenant, rows.into_iter().map(|row| row.tenant_id));
        let consumers = store::consumer::list(&mut tx, sample.site, Page::first(10))
            .await
            .expect("consumers are read");
        assert_eq!(consumers.len(), 1, "what was never committed is not there");
        match end {
            2 => panic!("on purpose"),
            3 => tx.commit().await.expect("it commits"),
            _ => {}
        }
    };
    match number % 8 {
        // The future is dropped at whatever point it has reached.
        0 => {
            let patience = Duration::from_micros(number.wrapping_mul(7_919) % 4_000);
            if timeout(patience, read(0)).await.is_err() {
                seen.broken_off.fetch_add(1, Ordering::Relaxed);
            }
        }
        1 => {
            let panicked = std::panic::AssertUnwindSafe(read(2)).catch_unwind().await;
            assert!(panicked.is_err());
            seen.broken_off.fetch_add(1, Ordering::Relaxed);
        }
        2 => read(3).await,
        3 => {
            // This transaction has no tenant and may be on the same connection: it sees no rows.
            let mut tx = store
                .tenant(TenantId(Uuid::now_v7()), &actor())
                .await
                .expect("a transaction begins");
            assert!(store::site::get(&mut tx, sample.site).await.is_err());
        }
        _ => read(0).await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shared_connection_shows_no_other_tenants_rows() {
    with_database(async |database| {
        let direct = database.store().await;
        let mut samples = Vec::new();
        for place in 0..TENANTS {
            samples.push(sample(&direct, &format!("tenant-{place}"), place as u16).await);
        }
        let pooler = PgBouncer::start(&database.admin_url, 4).await;
        let store = Store::connect_through(&pooler.url, 16, Pooling::Transaction)
            .await
            .expect("the pooler connects");
        let (seen, samples) = (Arc::new(Seen::default()), Arc::new(samples));
        // Panics are part of the test, and their messages are noise.
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if panic.payload_as_str() != Some("on purpose") {
                hook(panic);
            }
        }));
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let (store, seen, samples) =
                    (store.clone(), Arc::clone(&seen), Arc::clone(&samples));
                tokio::spawn(async move {
                    let mut number = worker;
                    while seen.own.load(Ordering::Relaxed) < READS {
                        let sample = &samples[(number as usize).wrapping_mul(5) % TENANTS];
                        turn(&store, sample, number, &seen).await;
                        number = number.wrapping_add(WORKERS + 1);
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.await.expect("a worker ends well");
        }
        assert_eq!(seen.others.load(Ordering::Relaxed), 0, "rows of another tenant");
        assert!(seen.broken_off.load(Ordering::Relaxed) > 100, "{seen:?}");
        let behind = database
            .count(
                "SELECT count(*) FROM pg_stat_activity \
                WHERE datname = current_database() \
                AND usename = current_database() || '_admin_login' AND application_name <> ''",
            )
            .await;
        assert!(behind <= 4 + 8, "{behind} connections for {TENANTS} tenants");
        drop(store);
        pooler.stop();
    })
    .await;
}

#[tokio::test]
async fn neither_a_timeout_nor_a_killed_backend_leaves_anything_behind() {
    with_database(async |database| {
        let direct = database.store().await;
        let (left, right) = (sample(&direct, "left", 1).await, sample(&direct, "right", 2).await);
        let pooler = PgBouncer::start(&database.admin_url, 1).await;
        let store = Store::connect_through(&pooler.url, 4, Pooling::Transaction)
            .await
            .expect("the pooler connects");
        let nobody = async || {
            // A transaction without a tenant runs on the one connection that all share.
            let mut connection =
                PgConnection::connect(&pooler.url).await.expect("the pooler connects");
            let seen = connection
                .execute("BEGIN; SELECT FROM sites; SELECT FROM audit_log; ROLLBACK")
                .await
                .expect("it reads");
            assert_eq!(seen.rows_affected(), 0);
        };
        for sample in [left, right] {
            // The database ends the statement in the middle of the transaction.
            let mut connection =
                PgConnection::connect(&pooler.url).await.expect("the pooler connects");
            let setting = format!(
                "BEGIN; SELECT set_config('tenantry.tenant_id', '{}', true), \
                set_config('statement_timeout', '20', true)",
                sample.tenant
            );
            connection.execute(sqlx::AssertSqlSafe(setting)).await.expect("it begins");
            assert!(connection.execute("SELECT pg_sleep(60)").await.is_err(), "it is ended");
            drop(connection);
            nobody().await;
            // The connection behind the pooler ends with a transaction in it.
            let mut tx = sample.begin(&store).await;
            store::site::get(&mut tx, sample.site).await.expect("it reads");
            let killed = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                 WHERE datname = current_database() \
                 AND usename = current_database() || '_admin_login' \
                 AND state = 'idle in transaction'";
            assert_eq!(database.count(killed).await, 1);
            assert!(
                store::site::get(&mut tx, sample.site).await.is_err(),
                "its transaction is over"
            );
            drop(tx);
            nobody().await;
            // A transaction's timeout does not hold for the next one.
            let mut connection =
                PgConnection::connect(&pooler.url).await.expect("the pooler connects");
            connection.execute("BEGIN; SELECT pg_sleep(0.05); COMMIT").await.expect("it has time");
            drop(connection);
            let mut tx = sample.begin(&store).await;
            store::site::get(&mut tx, sample.site).await.expect("it goes on");
            tx.commit().await.expect("it commits");
        }
        drop(store);
        pooler.stop();
    })
    .await;
}

#[tokio::test]
async fn the_service_works_through_a_pooler() {
    with_database(async |database| {
        let pooler = PgBouncer::start(&database.admin_url, 2).await;
        let store = Store::connect_through(&pooler.url, 8, Pooling::Transaction)
            .await
            .expect("the pooler connects");
        store.ping().await.expect("it answers");
        let made = futures::future::join_all((0..6_u16).map(|place| {
            let store = store.clone();
            async move { sample(&store, &format!("tenant-{place}"), place).await }
        }))
        .await;
        for sample in &made {
            assert!(store.authenticate(&[7; 32]).await.expect("it looks").is_none());
            assert!(store.authenticate_service(&[7; 32]).await.expect("it looks").is_none());
            let account = store
                .authenticate_account(Uuid::now_v7(), Uuid::now_v7(), Some(sample.tenant))
                .await;
            assert!(account.expect("it looks").is_none());
            assert!(store::envoy::connected(&store).await.expect("it reads").is_empty());
            let mut tx = sample.begin(&store).await;
            let verdict = store::audit::verify(&mut tx, sample.tenant, Default::default())
                .await
                .expect("it reads");
            assert_eq!(verdict.expect("the chain is intact").rows, 9);
        }
        drop(store);
        pooler.stop();
    })
    .await;
}
