//! Expired rows go when their time is over, and nothing goes before.

use std::time::Duration;

use admin::jobs::disposable::{Disposable, dispose};
use admin::signup::Mode;
use axum::http::Method;
use chrono::TimeDelta;
use serde_json::json;

use crate::accounts::{EMAIL, PASSWORD, ask, audited, log_in, person};
use crate::harness::{Api, Options, clock, with_api};
use crate::publishing::World;
use crate::sessions::as_person;

/// A row of one kind, and the time that it is kept from now on.
struct Kept {
    kind: Disposable,
    rows: &'static str,
    time: TimeDelta,
}

/// One of everything that is disposable, made as the service makes it.
const KEPT: [Kept; 12] = [
    Kept { kind: Disposable::Attempts, rows: "login_failures", time: TimeDelta::minutes(15) },
    Kept { kind: Disposable::SignUps, rows: "signups", time: TimeDelta::days(1) },
    Kept { kind: Disposable::Letters, rows: "mail_outbox", time: TimeDelta::days(1) },
    Kept {
        kind: Disposable::IdempotentAnswers,
        rows: "idempotency_keys",
        time: TimeDelta::days(1),
    },
    Kept { kind: Disposable::UnconfirmedFactors, rows: "totp_factors", time: TimeDelta::days(1) },
    Kept {
        kind: Disposable::AccessTokenKeys,
        rows: "access_token_keys",
        time: TimeDelta::minutes(24 * 60 + 11),
    },
    Kept {
        kind: Disposable::EmailTokens,
        rows: "email_tokens",
        time: TimeDelta::minutes(60 + 30 * 24 * 60),
    },
    Kept {
        kind: Disposable::ServiceTokens,
        rows: "service_tokens WHERE revoked_at IS NOT NULL",
        time: TimeDelta::days(30),
    },
    Kept { kind: Disposable::LoginSources, rows: "login_sources", time: TimeDelta::days(30) },
    Kept { kind: Disposable::RefreshTokens, rows: "refresh_tokens", time: TimeDelta::days(15) },
    Kept { kind: Disposable::Invitations, rows: "invitations", time: TimeDelta::days(37) },
    Kept {
        kind: Disposable::Sessions,
        rows: "sessions WHERE expires_at > now() + interval '1 day'",
        time: TimeDelta::days(120),
    },
];

async fn furnish(api: &Api) -> World {
    let world = World::make(api, "acme").await;
    person(api, EMAIL).await;
    let signup = json!({"email": "bob@example.com", "name": "Bob", "password": PASSWORD,
        "organisation": "Globex",
        "site_slug": "globex", "template": "empty"});
    ask(api, "/v1/signup", &signup).send().await.expect(202);
    log_in(api, EMAIL, "wrong").await.expect(401);
    let tokens = log_in(api, EMAIL, PASSWORD).await.expect(200).json();
    let enrol =
        as_person(api, &tokens, Method::POST, "/v1/me/totp").json(&json!({"password": PASSWORD}));
    enrol.send().await.expect(200);
    ask(api, "/v1/auth/password-reset", &json!({"email": EMAIL})).send().await.expect(202);
    // This is the row that the mailer writes, without a mail server.
    let token = "INSERT INTO email_tokens (digest, account_id, purpose, created_at, expires_at)
                 SELECT sha256('x'), id, 'reset', now(), now() + interval '1 hour' FROM accounts \
                 WHERE email = 'ada@example.com'";
    sqlx::query(token).execute(&api.superuser).await.unwrap();
    let list = format!("{}/service-tokens", world.tenant);
    let made = api
        .call(Method::POST, &list)
        .header("idempotency-key", "k")
        .json(&json!({"name": "old", "role": "viewer"}));
    api.delete(&made.send().await.expect(201).location()).await.expect(204);
    world
}

async fn count(api: &Api, rows: &str) -> i64 {
    api.count(&format!("SELECT count(*) FROM {rows}")).await
}

#[tokio::test]
async fn each_kind_goes_when_its_time_is_over_and_not_before() {
    with_api(async |api| {
        let api = &api.with(Options { signup: Mode::Open, ..Options::default() });
        furnish(api).await;
        assert_eq!(KEPT.len(), Disposable::ALL.len());
        let now = clock();
        let shy = TimeDelta::minutes(2);
        for Kept { kind, rows, time } in KEPT {
            let before = count(api, rows).await;
            assert!(before > 0, "{kind:?}: there is nothing to remove");
            dispose(&api.store, kind, now + time - shy).await.unwrap();
            assert_eq!(count(api, rows).await, before, "{kind:?} is gone too early");
            let removed = dispose(&api.store, kind, now + time + shy).await.unwrap();
            assert_eq!((removed, count(api, rows).await), (before.unsigned_abs(), 0), "{kind:?}");
            assert_eq!(dispose(&api.store, kind, now + time + shy).await.unwrap(), 0);
        }
        assert_eq!(audited(api, "service_token.expire").await, 1);
        assert_eq!(audited(api, "invitation.expire").await, 1);
        let chain = "SELECT count(*) FROM audit_log WHERE action LIKE '%.expire' \
            AND actor_kind = 'system' AND before IS NOT NULL";
        assert_eq!(api.count(chain).await, 2);
    })
    .await;
}

#[tokio::test]
async fn what_is_still_good_stays_however_long_it_is_there() {
    with_api(async |api| {
        let api = &api.with(Options { signup: Mode::Open, ..Options::default() });
        furnish(api).await;
        let tokens = "service_tokens WHERE revoked_at IS NULL AND expires_at IS NULL";
        assert_eq!(count(api, tokens).await, 1);
        sqlx::query("UPDATE totp_factors SET confirmed_at = now()")
            .execute(&api.superuser)
            .await
            .unwrap();
        sqlx::query("UPDATE signups SET expires_at = 'infinity'")
            .execute(&api.superuser)
            .await
            .unwrap();
        sqlx::query("UPDATE invitations SET expires_at = 'infinity'")
            .execute(&api.superuser)
            .await
            .unwrap();
        for kind in Disposable::ALL {
            dispose(&api.store, kind, clock() + TimeDelta::days(4_000)).await.unwrap();
        }
        for rows in [
            tokens,
            "totp_factors",
            "signups",
            "invitations",
            "accounts",
            "members",
            "operator_tokens",
        ] {
            assert!(count(api, rows).await > 0, "{rows} is gone");
        }
    })
    .await;
}

#[tokio::test]
async fn replicas_that_do_it_at_once_remove_each_row_once_and_pass_by_what_is_held() {
    with_api(async |api| {
        let many = "INSERT INTO login_failures (kind, subject, window_start, failures)
                    SELECT 'account', sha256(n::text::bytea), now() - interval '1 day', 1 FROM \
                    generate_series(1, 4500) n";
        sqlx::query(many).execute(&api.superuser).await.unwrap();
        let mut holder = api.superuser.begin().await.unwrap();
        sqlx::query("SELECT FROM login_failures LIMIT 1 FOR UPDATE")
            .execute(&mut *holder)
            .await
            .unwrap();
        let replicas: Vec<_> = (0..4)
            .map(|_| {
                let store = api.store.clone();
                tokio::spawn(async move {
                    dispose(&store, Disposable::Attempts, clock()).await.unwrap()
                })
            })
            .collect();
        let mut removed = 0;
        for replica in replicas {
            removed += tokio::time::timeout(Duration::from_secs(60), replica)
                .await
                .expect("nobody waits")
                .unwrap();
        }
        assert_eq!(removed, 4_499);
        holder.rollback().await.unwrap();
        assert_eq!(dispose(&api.store, Disposable::Attempts, clock()).await.unwrap(), 1);
    })
    .await;
}
