//! Sessions: a refresh token has one successor, whatever happens at the same time.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use store::Store;
use store::account::{self, AccountId, NewAccount};
use store::attempt::{self, Attempt, Count};
use store::session::{self, Drawn, Exchange, NewSession};
use uuid::Uuid;

use crate::fixture::{actor, with_database};

const RETRY: TimeDelta = TimeDelta::seconds(10);

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_900_000_000, 0).unwrap()
}

fn drawn(byte: u8) -> Drawn {
    Drawn { digest: [byte; 32], expires_at: start() + TimeDelta::days(14) }
}

async fn session(store: &Store) -> (AccountId, Uuid) {
    let mut tx = store.platform(&actor()).await.unwrap();
    let new = NewAccount {
        email: "ada@example.com".into(),
        name: "Ada".into(),
        password: None,
        verified_at: None,
    };
    let account = account::create(&mut tx, new, start()).await.unwrap().id;
    let new = NewSession {
        id: Uuid::now_v7(),
        account,
        mfa: false,
        source: None,
        user_agent: None,
        expires_at: start() + TimeDelta::days(90),
    };
    let session = session::create(&mut tx, new, &drawn(1), start()).await.unwrap();
    tx.commit().await.unwrap();
    (account, session.id)
}

async fn exchange(store: &Store, presented: u8, successor: u8, at: DateTime<Utc>) -> Exchange {
    let mut tx = store.platform(&actor()).await.unwrap();
    let sealed = [successor];
    let exchanged =
        session::exchange(&mut tx, &[presented; 32], (&drawn(successor), &sealed), RETRY, at)
            .await
            .unwrap();
    tx.commit().await.unwrap();
    exchanged
}

#[tokio::test]
async fn a_hundred_who_present_a_token_at_once_get_one_successor() {
    with_database(async |database| {
        let store = database.store().await;
        session(&store).await;
        let exchanged =
            join_all((2..102).map(|successor| exchange(&store, 1, successor, start()))).await;
        let first = exchanged.iter().filter(|one| matches!(one, Exchange::Done(_))).count();
        assert_eq!(first, 1, "one exchange makes the successor");
        let mut successors: Vec<_> = exchanged
            .into_iter()
            .filter_map(
                |one| if let Exchange::Again { sealed, .. } = one { Some(sealed) } else { None },
            )
            .collect();
        assert_eq!(successors.len(), 99, "the others get it again");
        successors.dedup();
        assert_eq!(successors.len(), 1);
        assert_eq!(database.count("SELECT count(*) FROM refresh_tokens").await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_token_that_comes_again_later_ends_the_session() {
    with_database(async |database| {
        let store = database.store().await;
        let (account, session) = session(&store).await;
        assert!(matches!(exchange(&store, 1, 2, start()).await, Exchange::Done(_)));
        let last = start() + RETRY - TimeDelta::milliseconds(1);
        let again = exchange(&store, 1, 3, last).await;
        assert!(matches!(again, Exchange::Again { sealed, .. } if sealed == [2]));
        assert_eq!(exchange(&store, 1, 3, start() + RETRY).await, Exchange::Reused);
        // The whole family has ended with it.
        assert_eq!(exchange(&store, 2, 4, start() + RETRY).await, Exchange::Unknown);
        let mut tx = store.platform(&actor()).await.unwrap();
        assert!(session::get(&mut tx, account, session).await.unwrap().revoked_at.is_some());
        drop(tx);
        let reuse = "SELECT count(*) FROM audit_log WHERE action = 'session.reuse'";
        assert_eq!(database.count(reuse).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_token_ends_with_its_time_and_with_its_session() {
    with_database(async |database| {
        let store = database.store().await;
        let (account, session) = session(&store).await;
        assert_eq!(exchange(&store, 9, 2, start()).await, Exchange::Unknown);
        assert_eq!(exchange(&store, 1, 2, start() + TimeDelta::days(14)).await, Exchange::Unknown);
        let mut tx = store.platform(&actor()).await.unwrap();
        session::revoke(&mut tx, account, session, "session.revoke", start()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(exchange(&store, 1, 2, start()).await, Exchange::Unknown);
    })
    .await;
}

#[tokio::test]
async fn no_more_is_tried_at_once_than_in_turn() {
    with_database(async |database| {
        let store = database.store().await;
        let count = Count { kind: "login", subject: [7; 32], limit: Some(5) };
        let window = TimeDelta::minutes(15);
        let take = async |at: DateTime<Utc>| {
            let mut tx = store.platform(&actor()).await.unwrap();
            let attempt = attempt::take(&mut tx, &[count], window, at).await.unwrap();
            if matches!(attempt, Attempt::Taken(_)) {
                tx.commit().await.unwrap();
            }
            attempt
        };
        let attempts = join_all((0..50).map(|_| take(start()))).await;
        assert_eq!(attempts.iter().filter(|one| matches!(one, Attempt::Taken(_))).count(), 5);
        let until = start() + window;
        assert!(attempts.contains(&Attempt::Refused { until }));
        assert_eq!(take(until).await, Attempt::Taken(vec![1]), "a new window begins");
    })
    .await;
}

#[tokio::test]
async fn nothing_changes_when_its_audit_row_cannot_be_written() {
    with_database(async |database| {
        let store = database.store().await;
        let (account, session) = session(&store).await;
        sqlx::query(
            "ALTER TABLE audit_log ADD CONSTRAINT refused CHECK (action <> \
            'session.revoke') NOT VALID",
        )
        .execute(&database.superuser)
        .await
        .unwrap();
        let mut tx = store.platform(&actor()).await.unwrap();
        session::revoke(&mut tx, account, session, "session.revoke", start()).await.unwrap();
        assert!(tx.commit().await.is_err());
        assert_eq!(
            database.count("SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL").await,
            0
        );
    })
    .await;
}
