//! Answers kept for repeated requests.

use std::time::Duration;

use store::consumer::{self, NewConsumer};
use store::idempotency::{Begin, IdempotencyKey, begin, finish};

use crate::fixture::{actor, sample, until, with_database};

fn key(request: u8) -> IdempotencyKey {
    IdempotencyKey { principal_hash: [1; 32], key_hash: [2; 32], request_hash: [request; 32] }
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_answer() {
    with_database(async |database| {
        let store = database.store().await;
        let sample = sample(&store, "one", 1).await;
        let mut tx = sample.begin(&store).await;
        assert_eq!(begin(&mut tx, &key(3)).await.unwrap(), Begin::Fresh);
        finish(&mut tx, &key(3), 201, b"sealed").await.unwrap();
        tx.commit().await.unwrap();
        // The other kind of transaction finds it, too.
        let mut platform = store.platform(&actor()).await.unwrap();
        let again = begin(&mut platform, &key(3)).await.unwrap();
        assert_eq!(again, Begin::Replay { status: 201, sealed_body: b"sealed".to_vec() });
        assert_eq!(begin(&mut platform, &key(4)).await.unwrap(), Begin::Mismatch);
        let other = IdempotencyKey { principal_hash: [9; 32], ..key(3) };
        assert_eq!(
            begin(&mut platform, &other).await.unwrap(),
            Begin::Fresh,
            "keys are each principal's own"
        );
    })
    .await;
}

#[tokio::test]
async fn parallel_requests_are_done_once() {
    with_database(async |database| {
        let store = database.store().await;
        let sample = sample(&store, "one", 1).await;
        let requests = (0..8).map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut tx = sample.begin(&store).await;
                match begin(&mut tx, &key(3)).await.unwrap() {
                    Begin::Fresh => {
                        let new = NewConsumer {
                            name: "made once".to_owned(),
                            plan_id: None,
                            settings: Default::default(),
                        };
                        let made = consumer::create(&mut tx, sample.site, new).await.unwrap();
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        finish(&mut tx, &key(3), 201, made.id.as_bytes()).await.unwrap();
                        tx.commit().await.unwrap();
                        made.id.as_bytes().to_vec()
                    }
                    Begin::Replay { sealed_body, .. } => sealed_body,
                    Begin::Mismatch => panic!("it is the same request"),
                }
            })
        });
        let mut answers = Vec::new();
        for request in requests.collect::<Vec<_>>() {
            answers.push(request.await.unwrap());
        }
        answers.dedup();
        assert_eq!(answers.len(), 1);
        assert_eq!(
            database.count("SELECT count(*) FROM consumers WHERE name = 'made once'").await,
            1
        );
    })
    .await;
}

#[tokio::test]
async fn the_one_who_waits_takes_over_after_a_rollback() {
    with_database(async |database| {
        let store = database.store().await;
        let sample = sample(&store, "one", 1).await;
        let mut first = sample.begin(&store).await;
        assert_eq!(begin(&mut first, &key(3)).await.unwrap(), Begin::Fresh);
        let second = tokio::spawn({
            let store = store.clone();
            async move { begin(&mut sample.begin(&store).await, &key(3)).await.unwrap() }
        });
        until(
            database,
            "EXISTS (SELECT FROM pg_stat_activity \
            WHERE datname = current_database() AND wait_event_type = 'Lock')",
        )
        .await;
        drop(first);
        assert_eq!(second.await.unwrap(), Begin::Fresh);
    })
    .await;
}

#[tokio::test]
async fn answers_are_kept_for_a_day() {
    with_database(async |database| {
        let store = database.store().await;
        for (principal, age) in
            [([1u8; 32], "25 hours"), ([2; 32], "25 hours"), ([3; 32], "23 hours")]
        {
            sqlx::query(
                "INSERT INTO idempotency_keys \
                VALUES ($1, decode(repeat('02', 32), 'hex'), $1, 200, '', now() - $2::interval)",
            )
            .bind(&principal[..])
            .bind(age)
            .execute(&database.superuser)
            .await
            .unwrap();
        }
        let mut platform = store.platform(&actor()).await.unwrap();
        assert_eq!(
            begin(&mut platform, &key(3)).await.unwrap(),
            Begin::Fresh,
            "the old answer is forgotten"
        );
        finish(&mut platform, &key(3), 200, b"").await.unwrap();
        platform.commit().await.unwrap();
        assert_eq!(
            database.count("SELECT count(*) FROM idempotency_keys").await,
            2,
            "the other old one was purged"
        );
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_was_begun_has_to_be_finished() {
    with_database(async |database| {
        let store = database.store().await;
        let mut platform = store.platform(&actor()).await.unwrap();
        begin(&mut platform, &key(3)).await.unwrap();
        assert!(platform.commit().await.is_err());
        assert_eq!(database.count("SELECT count(*) FROM idempotency_keys").await, 0);
    })
    .await;
}
