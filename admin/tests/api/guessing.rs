//! Guessing is stopped, without locking anybody out.

use chrono::TimeDelta;
use futures::future::join_all;

use crate::accounts::{EMAIL, PASSWORD, log_in_from, person};
use crate::harness::{Options, pass, with_api};

const HOME: &str = "192.0.2.7";
const ELSEWHERE: &str = "198.51.100.9";

#[tokio::test]
async fn ten_wrong_passwords_from_one_source_are_the_end_of_it_on_all_replicas() {
    with_api(async |api| {
        person(api, EMAIL).await;
        let other = api.with(Options::default());
        for email in [EMAIL, "nobody@example.com"] {
            let tries = (0..30).map(|at| {
                let api = if at % 2 == 0 { api } else { &other };
                log_in_from(api, ELSEWHERE, email, "something else")
            });
            let replies = join_all(tries).await;
            let wrong = replies.iter().filter(|reply| reply.status == 401).count();
            assert_eq!(
                wrong, 10,
                "those at the same time are counted, too, and an absent account is like one"
            );
        }
        let refused = log_in_from(api, ELSEWHERE, EMAIL, PASSWORD).await.problem(429, "too-often");
        let seconds: i64 = refused.header("retry-after").parse().unwrap();
        assert!((1..=901).contains(&seconds), "{seconds}");
        pass(TimeDelta::minutes(15));
        log_in_from(api, ELSEWHERE, EMAIL, PASSWORD).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn what_others_fail_locks_nobody_out() {
    with_api(async |api| {
        person(api, EMAIL).await;
        log_in_from(api, HOME, EMAIL, PASSWORD).await.expect(200);
        pass(TimeDelta::days(29));
        // There are more sources than any one limit allows, all at once.
        let tries = (0..60).map(|at| {
            let source = format!("203.0.113.{}", at % 20);
            async move { log_in_from(api, &source, EMAIL, "something else").await }
        });
        join_all(tries).await;
        log_in_from(api, HOME, EMAIL, PASSWORD).await.expect(200);
        // A login from elsewhere is let in too, only slower.
        log_in_from(api, ELSEWHERE, EMAIL, PASSWORD).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn one_password_is_not_tried_on_every_account() {
    with_api(async |api| {
        person(api, EMAIL).await;
        log_in_from(api, HOME, EMAIL, PASSWORD).await.expect(200);
        let tries = (0..110).map(|at| async move {
            let email = format!("somebody-{at}@example.com");
            // The addresses of one network are one source.
            log_in_from(api, HOME, &email, "something else").await
        });
        let replies = join_all(tries).await;
        assert_eq!(replies.iter().filter(|reply| reply.status == 401).count(), 100);
        person(api, "bob@example.com").await;
        log_in_from(api, HOME, "bob@example.com", PASSWORD).await.problem(429, "too-often");
        // A source that the account has logged in from gets in all the same.
        log_in_from(api, HOME, EMAIL, PASSWORD).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn a_right_password_is_no_failure() {
    with_api(async |api| {
        person(api, EMAIL).await;
        for _ in 0..15 {
            log_in_from(api, ELSEWHERE, EMAIL, PASSWORD).await.expect(200);
        }
    })
    .await;
}
