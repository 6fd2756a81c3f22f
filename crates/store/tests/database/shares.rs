//! A tenant has a share of the connections, whatever its requests wait for and however they end.

use std::time::Duration;

use sqlx::Executor as _;
use store::site::{self, SitePatch};
use store::{Actor, ActorKind, Party, Store, StoreError};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::fixture::{Database, Sample, actor, sample, with_database};

/// A quarter of the eight connections of a test's store.
const SHARE: i64 = 2;

/// A program of a tenant.
fn program(sample: &Sample) -> Actor {
    Actor { kind: ActorKind::Service, party: Party::Tenant(sample.tenant), ..actor() }
}

/// A change of the sample's site, with its commit.
async fn change(store: &Store, sample: &Sample, actor: &Actor) -> Result<(), StoreError> {
    let mut tx = store.tenant(sample.tenant, actor).await?;
    let patch = SitePatch { name: Some("changed".to_owned()), ..SitePatch::default() };
    site::update(&mut tx, sample.site, patch, None).await?;
    tx.commit().await
}

/// Sends many changes of one site.
fn flood(store: &Store, sample: Sample, changes: usize) -> JoinSet<Result<(), StoreError>> {
    let mut flood = JoinSet::new();
    for _ in 0..changes {
        let store = store.clone();
        flood.spawn(async move { change(&store, &sample, &program(&sample)).await });
    }
    flood
}

async fn waiting_for_locks(database: &Database) -> i64 {
    database
        .count(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .await
}

/// Waits until the flood has reached the lock.
async fn until_they_wait(database: &Database) {
    while waiting_for_locks(database).await < SHARE {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn writes_that_wait_for_a_lock_hold_a_share_of_the_connections() {
    with_database(async |database| {
        let store = database.store().await;
        let busy = sample(&store, "busy", 1).await;
        let neighbour = sample(&store, "neighbour", 2).await;
        let mut lock = database.superuser.begin().await.unwrap();
        let held =
            sqlx::query("SELECT 1 FROM sites WHERE id = $1 FOR UPDATE").bind(Uuid::from(busy.site));
        lock.execute(held).await.unwrap();

        let mut flood_of_busy = flood(&store, busy, 20);
        until_they_wait(database).await;
        for _ in 0..20 {
            // Each holds the one connection that it needs, and is done before the lock is free.
            let mut tx = store.tenant(neighbour.tenant, &program(&neighbour)).await.unwrap();
            site::get(&mut tx, neighbour.site).await.unwrap();
            change(&store, &neighbour, &program(&neighbour)).await.unwrap();
            assert!(waiting_for_locks(database).await <= SHARE);
        }
        // An operator reads in the tenant itself.
        let mut tx = busy.begin(&store).await;
        site::get(&mut tx, busy.site).await.unwrap();
        drop(tx);

        // Clients that hang up and come again have no more than those that wait: their connections
        // still wait for the lock.
        flood_of_busy.abort_all();
        while flood_of_busy.join_next().await.is_some() {}
        flood_of_busy = flood(&store, busy, 20);
        for _ in 0..20 {
            change(&store, &neighbour, &program(&neighbour)).await.unwrap();
            assert!(waiting_for_locks(database).await <= SHARE);
        }

        let mut named = 0;
        while let Some(done) = flood_of_busy.join_next().await {
            match done.unwrap().unwrap_err() {
                StoreError::BeingChanged { what: "site", id } if id == Uuid::from(busy.site) => {
                    named += 1;
                }
                StoreError::ShareTaken { .. } => {}
                error => panic!("{error:?}"),
            }
        }
        assert!(named > 0, "none has waited for the lock until its time was over");
        drop(lock);
        change(&store, &busy, &program(&busy)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_queue_that_is_full_refuses_at_once() {
    with_database(async |database| {
        let store = database.store().await;
        let busy = sample(&store, "busy", 1).await;
        let program = program(&busy);
        let held = [
            store.tenant(busy.tenant, &program).await.unwrap(),
            store.tenant(busy.tenant, &program).await.unwrap(),
        ];
        let refused =
            futures::future::join_all((0..40).map(|_| store.tenant(busy.tenant, &program))).await;
        for begun in refused {
            let error = begun.unwrap_err();
            assert!(
                matches!(error, StoreError::ShareTaken { party: Party::Tenant(tenant) }
                    if tenant == busy.tenant),
                "{error:?}"
            );
        }
        drop(held);
        store.tenant(busy.tenant, &program).await.unwrap();
    })
    .await;
}
