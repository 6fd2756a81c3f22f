//! The change log: no change is missed, whatever runs at the same time.

use std::time::Duration;

use store::change::{self, Change, Logged};
use store::{Reader, StoreError};

use crate::fixture::{actor, new_key, sample, with_database};

/// The time that a step may take which should happen soon.
const PATIENCE: Duration = Duration::from_secs(60);

async fn read_from(reader: &Reader, seq: i64) -> Vec<Logged> {
    let mut snapshot = reader.snapshot().await.unwrap();
    snapshot.changes_since(seq, 10_000).await.unwrap()
}

#[tokio::test]
async fn sequence_order_is_commit_order() {
    const WRITERS: u16 = 6;
    const KEYS_EACH: u16 = 15;
    with_database(async |database| {
        // This draws out the time between the insertion of a change and its commit, in which
        // another change could overtake it.
        let slow_commits = "
            CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN PERFORM pg_sleep(random() * 0.02); RETURN NULL; END';
            CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON change_log \
            DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION linger()";
        sqlx::raw_sql(slow_commits).execute(&database.superuser).await.unwrap();
        let store = database.store().await;
        let reader = database.reader().await;
        let one = sample(&store, "one", 0).await;
        let other = sample(&store, "other", 0).await;
        let start = reader.snapshot().await.unwrap().head_seq().await.unwrap();
        let writers = (0..WRITERS).map(|writer| {
            let store = store.clone();
            let owner = if writer % 2 == 0 { one } else { other };
            tokio::spawn(async move {
                for turn in 0..KEYS_EACH {
                    let mut tx = store.tenant(owner.tenant, &actor()).await.unwrap();
                    let bucket = 1000 + writer * KEYS_EACH + turn;
                    store::key::create(&mut tx, owner.site, owner.consumer, new_key(bucket))
                        .await
                        .unwrap();
                    tx.commit().await.unwrap();
                }
            })
        });
        let writers: Vec<_> = writers.collect();
        // The reader only ever goes forward, as xds-server does.
        let mut followed = Vec::new();
        let mut seq = start;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while followed.len() < usize::from(WRITERS * KEYS_EACH) {
            assert!(
                tokio::time::Instant::now() < deadline,
                "changes were missed: {} arrived",
                followed.len()
            );
            for logged in read_from(&reader, seq).await {
                assert!(logged.seq > seq);
                seq = logged.seq;
                followed.push(logged);
            }
        }
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(followed, read_from(&reader, start).await);
    })
    .await;
}

#[tokio::test]
async fn a_commit_wakes_the_listener() {
    with_database(async |database| {
        let store = database.store().await;
        let reader = database.reader().await;
        let sample = sample(&store, "one", 1).await;
        let mut listener = change::listen(&reader).await.unwrap();
        let mut tx = sample.begin(&store).await;
        store::key::revoke(&mut tx, sample.site, sample.consumer, sample.key, None).await.unwrap();
        let early = tokio::time::timeout(Duration::from_millis(200), listener.wait()).await;
        assert!(early.is_err(), "nothing is to be read before the commit");
        tx.commit().await.unwrap();
        tokio::time::timeout(PATIENCE, listener.wait()).await.expect("it wakes").unwrap();
        let last = read_from(&reader, 0).await.pop().unwrap();
        assert_eq!((last.tenant, last.change), (sample.tenant, Change::Keys(1)));
    })
    .await;
}

#[tokio::test]
async fn the_listener_outlives_its_connection() {
    with_database(async |database| {
        let store = database.store().await;
        let reader = database.reader().await;
        let sample = sample(&store, "one", 1).await;
        let mut listener = change::listen(&reader).await.unwrap();
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE usename = current_database() || '_xds_login' AND query LIKE 'LISTEN%'";
        sqlx::query(end).execute(&database.superuser).await.unwrap();
        // The loss wakes it, with or without an error, for something may have been missed; then it
        // listens again.
        let mut attempts = 0;
        while listener.wait().await.is_err() {
            attempts += 1;
            assert!(attempts < 5, "it does not connect again");
        }
        let mut tx = sample.begin(&store).await;
        store::key::revoke(&mut tx, sample.site, sample.consumer, sample.key, None).await.unwrap();
        tx.commit().await.unwrap();
        tokio::time::timeout(PATIENCE, listener.wait()).await.expect("it wakes").unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_reader_that_is_behind_the_pruned_log_is_told() {
    with_database(async |database| {
        let store = database.store().await;
        let reader = database.reader().await;
        let sample = sample(&store, "one", 1).await;
        let head = reader.snapshot().await.unwrap().head_seq().await.unwrap();
        let mut platform = store.platform(&actor()).await.unwrap();
        assert_eq!(change::prune(&mut platform, Duration::from_secs(3600)).await.unwrap(), 0);
        assert!(change::prune(&mut platform, Duration::ZERO).await.unwrap() > 0);
        platform.commit().await.unwrap();

        let mut snapshot = reader.snapshot().await.unwrap();
        let behind = snapshot.changes_since(head - 1, 10).await;
        assert!(
            matches!(behind, Err(StoreError::ChangesLost { seq }) if seq == head - 1),
            "{behind:?}"
        );
        let ahead = snapshot.changes_since(head + 1, 10).await;
        assert!(
            matches!(ahead, Err(StoreError::ChangesLost { .. })),
            "the database was put back: {ahead:?}"
        );
        assert_eq!(snapshot.head_seq().await.unwrap(), head, "the head survives the pruning");
        assert_eq!(snapshot.changes_since(head, 10).await.unwrap(), []);
        drop(snapshot);

        let mut tx = sample.begin(&store).await;
        store::key::revoke(&mut tx, sample.site, sample.consumer, sample.key, None).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(read_from(&reader, head).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_snapshot_stays_where_it_is() {
    with_database(async |database| {
        let store = database.store().await;
        let reader = database.reader().await;
        let sample = sample(&store, "one", 1).await;
        let mut snapshot = reader.snapshot().await.unwrap();
        let head = snapshot.head_seq().await.unwrap();
        let mut tx = sample.begin(&store).await;
        store::site::delete(&mut tx, sample.site, None).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(snapshot.head_seq().await.unwrap(), head);
        assert_eq!(
            store::desired::sites(&mut snapshot, &[sample.site]).await.unwrap().sites.len(),
            1
        );
        assert_eq!(store::desired::buckets(&mut snapshot, &[1]).await.unwrap()[0].keys.len(), 1);
    })
    .await;
}
