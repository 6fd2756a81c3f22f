//! Logins, and sessions that go on.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::accounts::{EMAIL, PASSWORD, account, ask, audited, log_in, person, refresh};
use crate::harness::{Api, Options, clock, pass, patiently, stop_clock, with_api};

fn claims(token: &Value) -> Value {
    let part = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

async fn keys(api: &Api) -> Vec<Value> {
    api.get("/v1/auth/jwks").await.expect(200).json()["keys"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_login_opens_a_session() {
    with_api(async |api| {
        let ada = person(api, EMAIL).await;
        let reply = log_in(api, " Ada@Example.com", PASSWORD).await.expect(200);
        assert_eq!(reply.header("cache-control"), "no-store");
        let tokens = reply.json();
        assert_eq!(tokens["token_type"], "Bearer");
        assert_eq!(tokens["expires_in"], 600);
        let claims = claims(&tokens["access_token"]);
        assert_eq!(claims["sub"], ada.to_string());
        assert_eq!(claims["sid"], tokens["session_id"]);
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
        assert_eq!(
            (&claims["iss"], &claims["aud"]),
            (&json!("tenantry"), &json!("tenantry-admin"))
        );
        assert_eq!(audited(api, "session.create").await, 1);
    })
    .await;
}

#[tokio::test]
async fn an_unknown_address_is_answered_like_a_wrong_password() {
    with_api(async |api| {
        person(api, EMAIL).await;
        let wrong = log_in(api, EMAIL, "something else").await.problem(401, "invalid-credentials");
        let unknown =
            log_in(api, "bob@example.com", PASSWORD).await.problem(401, "invalid-credentials");
        assert_eq!(wrong.body, unknown.body);
        assert_eq!(wrong.header("www-authenticate"), unknown.header("www-authenticate"));
        assert_eq!(audited(api, "account.login_failure").await, 2);
        assert_eq!(api.count("SELECT count(*) FROM sessions").await, 0);
    })
    .await;
}

#[tokio::test]
async fn an_account_without_a_password_or_a_verified_address_opens_nothing() {
    with_api(async |api| {
        account(api, EMAIL, false).await;
        log_in(api, EMAIL, PASSWORD).await.problem(403, "email-unverified");
        // The answer tells nothing to a caller without the password.
        log_in(api, EMAIL, "something else").await.problem(401, "invalid-credentials");
        sqlx::query("UPDATE accounts SET password_hash = NULL, verified_at = now()")
            .execute(&api.superuser)
            .await
            .unwrap();
        log_in(api, EMAIL, PASSWORD).await.problem(401, "invalid-credentials");
    })
    .await;
}

#[tokio::test]
async fn what_is_not_a_login_is_refused_by_field() {
    with_api(async |api| {
        let post = async |body: Value| ask(api, "/v1/auth/login", &body).send().await;
        post(json!({"email": "x", "password": ""}))
            .await
            .problem(422, "invalid")
            .fields(&["email", "password"]);
        post(json!({"email": EMAIL, "password": "x", "pasword": "y"}))
            .await
            .problem(422, "invalid")
            .fields(&["pasword"]);
        let reply =
            post(json!({"email": EMAIL, "password": 12_345_678})).await.problem(422, "invalid");
        assert!(!reply.text().contains("12345678"), "{}", reply.text());
        let long = "x".repeat(20_000);
        post(json!({"email": EMAIL, "password": long})).await.problem(413, "too-large");
    })
    .await;
}

#[tokio::test]
async fn without_a_secrets_key_nobody_logs_in() {
    with_api(async |api| {
        person(api, EMAIL).await;
        let api = api.with(Options { secrets: None, ..Options::default() });
        log_in(&api, EMAIL, PASSWORD).await.problem(503, "no-secrets-key");
        assert_eq!(api.count("SELECT count(*) FROM sessions").await, 0);
    })
    .await;
}

#[tokio::test]
async fn nothing_of_a_login_is_kept_in_clear() {
    with_api(async |api| {
        person(api, EMAIL).await;
        let tokens = log_in(api, EMAIL, PASSWORD).await.expect(200).json();
        let next = refresh(api, &tokens["refresh_token"]).await.expect(200).json();
        let secrets = [
            &tokens["refresh_token"],
            &tokens["access_token"],
            &next["refresh_token"],
            &next["access_token"],
        ];
        for secret in secrets.into_iter().map(|secret| secret.as_str().unwrap()).chain([PASSWORD]) {
            for table in [
                "accounts",
                "sessions",
                "refresh_tokens",
                "audit_log",
                "login_failures",
                "access_token_keys",
            ] {
                let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
                let found = format!(
                    "SELECT count(*) FROM {table} t WHERE \
                        t::text LIKE '%{secret}%' OR t::text LIKE '%{hex}%'"
                );
                assert_eq!(api.count(&found).await, 0, "{table}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_hundred_refreshes_at_once_have_one_successor() {
    with_api(async |api| {
        // All requests come within the seconds in which the successor is given again.
        stop_clock();
        person(api, EMAIL).await;
        let tokens = log_in(api, EMAIL, PASSWORD).await.expect(200).json();
        let replies =
            join_all((0..100).map(|_| patiently(|| refresh(api, &tokens["refresh_token"])))).await;
        let mut successors: Vec<Value> = replies
            .into_iter()
            .map(|reply| reply.expect(200).json()["refresh_token"].clone())
            .collect();
        successors.dedup();
        assert_eq!(successors.len(), 1);
        refresh(api, &successors[0]).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn a_lost_answer_can_be_had_again_and_reuse_ends_the_session() {
    with_api(async |api| {
        stop_clock();
        person(api, EMAIL).await;
        let first = log_in(api, EMAIL, PASSWORD).await.expect(200).json()["refresh_token"].clone();
        let second = refresh(api, &first).await.expect(200).json()["refresh_token"].clone();
        pass(TimeDelta::seconds(5));
        assert_eq!(refresh(api, &first).await.expect(200).json()["refresh_token"], second);
        pass(TimeDelta::seconds(6));
        refresh(api, &first).await.problem(401, "invalid-token");
        refresh(api, &second).await.problem(401, "invalid-token");
        assert_eq!(audited(api, "session.reuse").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_logout_ends_the_session() {
    with_api(async |api| {
        person(api, EMAIL).await;
        let tokens = log_in(api, EMAIL, PASSWORD).await.expect(200).json();
        let body = json!({"refresh_token": tokens["refresh_token"]});
        for token in [&body, &body, &json!({"refresh_token": "tnr_x"})] {
            ask(api, "/v1/auth/logout", token).send().await.expect(204);
        }
        refresh(api, &tokens["refresh_token"]).await.problem(401, "invalid-token");
        assert_eq!(audited(api, "session.logout").await, 1);
    })
    .await;
}

#[tokio::test]
async fn keys_are_shared_by_replicas_rotated_and_published_until_their_tokens_are_over() {
    with_api(async |api| {
        person(api, EMAIL).await;
        let other = api.with(Options::default());
        assert_eq!(keys(api).await, Vec::<Value>::new());
        log_in(api, EMAIL, PASSWORD).await.expect(200);
        log_in(&other, EMAIL, PASSWORD).await.expect(200);
        let first = keys(api).await;
        assert_eq!(first.len(), 1, "the replicas have one key");
        assert_eq!(first, keys(&other).await);
        assert_eq!(
            (&first[0]["kty"], &first[0]["crv"], &first[0]["alg"]),
            (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA"))
        );
        assert!(first[0].get("d").is_none(), "the secret half stays here");

        pass(TimeDelta::hours(24));
        log_in(api, EMAIL, PASSWORD).await.expect(200);
        let both = keys(api).await;
        assert_eq!(both.len(), 2);
        assert_eq!(
            both[1], first[0],
            "the old one is published for as long as its tokens may be used"
        );
        pass(TimeDelta::minutes(11));
        assert_eq!(keys(&other).await, both[..1]);
        assert!(clock() > chrono::Utc::now());
    })
    .await;
}
