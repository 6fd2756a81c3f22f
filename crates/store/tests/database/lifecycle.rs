//! Removal, revocation, rotation, revisions and rollback.

use std::time::Duration;

use store::change::{Change, Logged};
use store::{Page, StoreError};

use crate::catalog::tenant_tables;
use crate::fixture::{
    Database, actor, hold_back, new_key, sample, site_sample, until, use_once, with_database,
};
use crate::furniture::furnish;

/// The changes that follow `seq`.
async fn changes(database: &Database, seq: i64) -> Vec<Change> {
    let mut snapshot = database.reader().await.snapshot().await.unwrap();
    let logged: Vec<Logged> = snapshot.changes_since(seq, 1000).await.unwrap();
    logged.into_iter().map(|logged| logged.change).collect()
}

async fn head(database: &Database) -> i64 {
    database.reader().await.snapshot().await.unwrap().head_seq().await.unwrap()
}

#[tokio::test]
async fn removing_a_tenant_takes_everything_but_its_audit_log() {
    with_database(async |database| {
        let store = database.store().await;
        let gone = sample(&store, "gone", 5).await;
        let mut tx = gone.begin(&store).await;
        let second = site_sample(&mut tx, "gone-too", 6).await;
        tx.commit().await.unwrap();
        let stays = sample(&store, "stays", 7).await;
        let furniture = furnish(&store, gone).await;
        furnish(&store, stays).await;
        use_once(database, &[gone, stays]).await;
        hold_back(database, &[gone, stays]).await;
        let from = head(database).await;

        let mut platform = store.platform(&actor()).await.unwrap();
        store::tenant::delete(&mut platform, gone.tenant, Some(2)).await.unwrap();
        platform.commit().await.unwrap();

        for (table, column) in tenant_tables(database).await {
            let left = database
                .count(&format!("SELECT count(*) FROM {table} WHERE {column} = '{}'", gone.tenant))
                .await;
            let logs = ["audit_log", "change_log"].contains(&table.as_str());
            assert_eq!(left > 0, logs, "{table} has {left} rows of the removed tenant");
            let others = database
                .count(&format!("SELECT count(*) FROM {table} WHERE {column} = '{}'", stays.tenant))
                .await;
            assert!(others > 0, "{table} has lost the rows of another tenant");
        }
        let mut expected = vec![
            Change::Site(gone.site),
            Change::Site(second.site),
            Change::Keys(5),
            Change::Keys(6),
        ];
        expected.extend(furniture.changes());
        expected.push(Change::Listeners(gone.tenant));
        expected.sort_unstable();
        expected.dedup();
        assert_eq!(changes(database, from).await, expected);
        let mut tx = gone.begin(&store).await;
        let rows = crate::audit::written(&mut tx).await;
        assert_eq!(rows.last().unwrap().action, "tenant.delete");
        let tenant = tx.tenant();
        assert!(store::audit::verify(&mut tx, tenant, Default::default()).await.unwrap().is_ok());
    })
    .await;
}

#[tokio::test]
async fn removing_a_site_or_a_consumer_logs_its_buckets() {
    with_database(async |database| {
        let store = database.store().await;
        let sample = sample(&store, "one", 5).await;
        let from = head(database).await;
        let mut tx = sample.begin(&store).await;
        store::key::create(&mut tx, sample.site, sample.consumer, new_key(9)).await.unwrap();
        store::consumer::delete(&mut tx, sample.site, sample.consumer, None).await.unwrap();
        tx.commit().await.unwrap();
        let of_consumer = Change::Consumers(policy::consumer::bucket_of(sample.consumer));
        assert_eq!(changes(database, from).await, [Change::Keys(5), Change::Keys(9), of_consumer]);

        let mut tx = sample.begin(&store).await;
        let other = site_sample(&mut tx, "two", 8).await;
        tx.commit().await.unwrap();
        let from = head(database).await;
        let mut tx = other.begin(&store).await;
        store::site::delete(&mut tx, other.site, None).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(changes(database, from).await, [Change::Site(other.site), Change::Keys(8)]);
    })
    .await;
}

#[tokio::test]
async fn a_key_made_while_its_site_is_removed_is_in_no_bucket_unseen() {
    with_database(async |database| {
        let store = database.store().await;
        let sample = sample(&store, "one", 5).await;
        let from = head(database).await;
        let mut making = sample.begin(&store).await;
        store::key::create(&mut making, sample.site, sample.consumer, new_key(77)).await.unwrap();
        let removing = tokio::spawn({
            let store = store.clone();
            async move {
                let mut tx = sample.begin(&store).await;
                store::site::delete(&mut tx, sample.site, None).await.unwrap();
                tx.commit().await.unwrap();
            }
        });
        until(
            database,
            "EXISTS (SELECT FROM pg_stat_activity \
            WHERE datname = current_database() AND wait_event_type = 'Lock')",
        )
        .await;
        making.commit().await.unwrap();
        removing.await.unwrap();
        let after_the_key = changes(database, from).await.split_off(1);
        assert_eq!(after_the_key, [Change::Site(sample.site), Change::Keys(5), Change::Keys(77)]);
    })
    .await;
}

#[tokio::test]
async fn a_revoked_key_stays_revoked() {
    with_database(async |database| {
        let store = database.store().await;
        let sample = sample(&store, "one", 5).await;
        let from = head(database).await;
        let mut tx = sample.begin(&store).await;
        let revoked =
            store::key::revoke(&mut tx, sample.site, sample.consumer, sample.key, Some(1))
                .await
                .unwrap();
        assert!(revoked.revoked_at.is_some());
        let again = store::key::revoke(&mut tx, sample.site, sample.consumer, sample.key, None)
            .await
            .unwrap();
        assert_eq!(again, revoked);
        let rotated = store::key::rotate(
            &mut tx,
            sample.site,
            sample.consumer,
            sample.key,
            new_key(6),
            Duration::ZERO,
            None,
        )
        .await;
        assert!(matches!(rotated, Err(StoreError::KeyEnded { .. })), "{rotated:?}");
        tx.commit().await.unwrap();
        assert_eq!(changes(database, from).await, [Change::Keys(5)]);
        let mut snapshot = database.reader().await.snapshot().await.unwrap();
        assert_eq!(store::desired::buckets(&mut snapshot, &[5]).await.unwrap()[0].keys, []);
    })
    .await;
}

#[tokio::test]
async fn rotation_leaves_the_old_key_its_grace() {
    with_database(async |database| {
        let store = database.store().await;
        let sample = sample(&store, "one", 5).await;
        let from = head(database).await;
        let mut tx = sample.begin(&store).await;
        let hour = Duration::from_secs(3600);
        let rotated = store::key::rotate(
            &mut tx,
            sample.site,
            sample.consumer,
            sample.key,
            new_key(6),
            hour,
            None,
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(rotated.old.replaced_by, Some(rotated.new.id));
        assert_eq!(
            rotated.old.expires_at.unwrap() - rotated.old.updated_at,
            chrono::TimeDelta::hours(1)
        );
        assert_eq!(changes(database, from).await, [Change::Keys(5), Change::Keys(6)]);

        // A longer grace period does not give time back, and a rotation without one ends the key at
        // once.
        let mut tx = sample.begin(&store).await;
        let again = store::key::rotate(
            &mut tx,
            sample.site,
            sample.consumer,
            sample.key,
            new_key(7),
            5 * hour,
            None,
        )
        .await
        .unwrap();
        assert_eq!(again.old.expires_at, rotated.old.expires_at);
        store::key::rotate(
            &mut tx,
            sample.site,
            sample.consumer,
            rotated.new.id,
            new_key(8),
            Duration::ZERO,
            None,
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
        let mut snapshot = database.reader().await.snapshot().await.unwrap();
        let buckets = store::desired::buckets(&mut snapshot, &[5, 6, 7, 8]).await.unwrap();
        assert_eq!(
            buckets.iter().map(|bucket| bucket.keys.len()).collect::<Vec<_>>(),
            [1, 0, 1, 1]
        );

        let mut tx = sample.begin(&store).await;
        let expired = store::key::rotate(
            &mut tx,
            sample.site,
            sample.consumer,
            rotated.new.id,
            new_key(9),
            hour,
            None,
        )
        .await;
        assert!(matches!(expired, Err(StoreError::KeyEnded { .. })), "{expired:?}");
    })
    .await;
}

#[tokio::test]
async fn a_stale_revision_changes_nothing() {
    with_database(async |database| {
        let store = database.store().await;
        let sample = sample(&store, "one", 5).await;
        let mut tx = sample.begin(&store).await;
        let patch = |name: &str| store::site::SitePatch {
            name: Some(name.to_owned()),
            ..Default::default()
        };
        let updated =
            store::site::update(&mut tx, sample.site, patch("new"), Some(1)).await.unwrap();
        assert_eq!((updated.revision, updated.name.as_str()), (2, "new"));
        let stale = store::site::update(&mut tx, sample.site, patch("newer"), Some(1)).await;
        assert!(matches!(stale, Err(StoreError::Revision { current: 2 })), "{stale:?}");
        let stale = store::site::delete(&mut tx, sample.site, Some(1)).await;
        assert!(matches!(stale, Err(StoreError::Revision { current: 2 })), "{stale:?}");
        assert_eq!(store::site::get(&mut tx, sample.site).await.unwrap(), updated);
    })
    .await;
}

#[tokio::test]
async fn a_rolled_back_transaction_leaves_nothing() {
    with_database(async |database| {
        let store = database.store().await;
        let sample = sample(&store, "one", 5).await;
        let rows = "SELECT (SELECT count(*) FROM sites) \
            + (SELECT count(*) FROM hostnames) + (SELECT count(*) FROM api_keys)
                    + (SELECT count(*) FROM audit_log) + (SELECT count(*) FROM change_log)";
        let before = database.count(rows).await;
        let mut tx = sample.begin(&store).await;
        site_sample(&mut tx, "never", 6).await;
        drop(tx);
        assert_eq!(database.count(rows).await, before);
        let mut tx = sample.begin(&store).await;
        assert_eq!(store::site::list(&mut tx, None, Page::first(10)).await.unwrap().len(), 1);
    })
    .await;
}
