//! The second factor.

use admin::identity::totp::base32;
use axum::http::Method;
use chrono::TimeDelta;
use futures::future::join_all;
use hmac_sha1_compact::HMAC;
use serde_json::{Value, json};

use crate::accounts::{EMAIL, PASSWORD, ask, audited, log_in, person};
use crate::harness::{Api, Reply, clock, pass, stop_clock, with_api};
use crate::sessions::as_person;

/// The code that an authenticator shows, computed over the text of the secret, unlike in the
/// service.
fn code(secret: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: String =
        secret.chars().map(|c| format!("{:05b}", ALPHABET.find(c).expect("base32"))).collect();
    let bytes: Vec<u8> = (0..bits.len() / 8)
        .map(|at| u8::from_str_radix(&bits[at * 8..at * 8 + 8], 2).unwrap())
        .collect();
    assert_eq!(base32(&bytes), secret);
    let mac = HMAC::mac(&(clock().timestamp() / 30).to_be_bytes(), &bytes);
    let offset = usize::from(mac[19] & 15);
    let number = u32::from_be_bytes(mac[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

/// Another code than this.
fn wrong(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

async fn log_in_with(api: &Api, field: &str, code: &str) -> Reply {
    ask(api, "/v1/auth/login", &json!({"email": EMAIL, "password": PASSWORD, field: code}))
        .send()
        .await
}

/// A person who has set up a second factor: the tokens of the session, the secret, and the recovery
/// codes.
async fn with_factor(api: &Api) -> (Value, String, Vec<String>) {
    // A code is valid for a time step, which must not be over before the code is tried again.
    stop_clock();
    person(api, EMAIL).await;
    let tokens = log_in(api, EMAIL, PASSWORD).await.expect(200).json();
    let post = async |path: &str, body: Value| {
        as_person(api, &tokens, Method::POST, path).json(&body).send().await
    };
    post("/v1/me/totp", json!({"password": "wrong"}))
        .await
        .problem(422, "invalid")
        .fields(&["password"]);
    let shown = post("/v1/me/totp", json!({"password": PASSWORD})).await.expect(200);
    assert_eq!(shown.header("cache-control"), "no-store");
    let secret = shown.json()["secret"].as_str().unwrap().to_owned();
    // The factor does not count before it is confirmed.
    log_in(api, EMAIL, PASSWORD).await.expect(200);
    let bad = json!({"code": wrong(&code(&secret))});
    post("/v1/me/totp/confirm", bad).await.problem(422, "invalid").fields(&["code"]);
    let codes =
        post("/v1/me/totp/confirm", json!({"code": code(&secret)})).await.expect(200).json();
    let codes: Vec<String> = serde_json::from_value(codes["recovery_codes"].clone()).unwrap();
    assert_eq!(codes.len(), 10);
    post("/v1/me/totp", json!({"password": PASSWORD})).await.problem(409, "factor-exists");
    (tokens, secret, codes)
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_each_code_is_good_once() {
    with_api(async |api| {
        let (_, secret, _) = with_factor(api).await;
        log_in(api, EMAIL, PASSWORD).await.problem(401, "mfa-required");
        log_in(api, EMAIL, "something else").await.problem(401, "invalid-credentials");
        // The code that has confirmed it is used up.
        log_in_with(api, "code", &code(&secret)).await.problem(401, "invalid-code");
        pass(TimeDelta::seconds(30));
        let next = code(&secret);
        let both =
            join_all([log_in_with(api, "code", &next), log_in_with(api, "code", &next)]).await;
        let mut statuses: Vec<u16> = both.iter().map(|reply| reply.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401], "one code opens one session");
        pass(TimeDelta::seconds(30));
        let tokens = log_in_with(api, "code", &code(&secret)).await.expect(200).json();
        let list =
            as_person(api, &tokens, Method::GET, "/v1/me/sessions").send().await.expect(200).json();
        let with_factor =
            list["items"].as_array().unwrap().iter().filter(|one| one["mfa"] == true).count();
        assert_eq!(with_factor, 2, "a session says whether it was given");
        assert_eq!(audited(api, "account.mfa_on").await, 1);
        let kept = format!("SELECT count(*) FROM audit_log t WHERE t::text LIKE '%{secret}%'");
        assert_eq!(api.count(&kept).await, 0);
    })
    .await;
}

#[tokio::test]
async fn five_wrong_codes_are_the_end_wherever_they_come_from() {
    with_api(async |api| {
        let (_, secret, codes) = with_factor(api).await;
        // One attempt was wrong when it was set up.
        for _ in 0..4 {
            log_in_with(api, "code", &wrong(&code(&secret))).await.problem(401, "invalid-code");
        }
        pass(TimeDelta::seconds(30));
        let refused = log_in_with(api, "code", &code(&secret)).await.problem(429, "too-often");
        assert!(refused.header("retry-after").parse::<i64>().unwrap() > 800);
        log_in_with(api, "recovery_code", &codes[0]).await.problem(429, "too-often");
        pass(TimeDelta::minutes(15));
        log_in_with(api, "code", &code(&secret)).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn a_recovery_code_is_good_once() {
    with_api(async |api| {
        let (_, _, codes) = with_factor(api).await;
        log_in_with(api, "recovery_code", &codes[0].to_uppercase()).await.expect(200);
        log_in_with(api, "recovery_code", &codes[0]).await.problem(401, "invalid-code");
        log_in_with(api, "recovery_code", "abcd-abcd-abcd-abcd").await.problem(401, "invalid-code");
        log_in_with(api, "recovery_code", &codes[1]).await.expect(200);
        assert_eq!(audited(api, "account.recovery_code").await, 2);
        let used = api.count("SELECT count(*) FROM recovery_codes WHERE used_at IS NULL").await;
        assert_eq!(used, 8);
    })
    .await;
}

#[tokio::test]
async fn taking_the_factor_away_needs_the_password_and_a_code() {
    with_api(async |api| {
        let (tokens, secret, _) = with_factor(api).await;
        let post = async |body: Value| {
            as_person(api, &tokens, Method::POST, "/v1/me/totp/disable").json(&body).send().await
        };
        pass(TimeDelta::seconds(30));
        post(json!({"password": PASSWORD})).await.problem(422, "invalid").fields(&["code"]);
        let good = code(&secret);
        post(json!({"password": "wrong", "code": good}))
            .await
            .problem(422, "invalid")
            .fields(&["password"]);
        let me = post(json!({"password": PASSWORD, "code": good})).await.expect(200).json();
        assert_eq!(me["mfa"], false);
        log_in(api, EMAIL, PASSWORD).await.expect(200);
        assert_eq!(audited(api, "account.mfa_off").await, 1);
        assert_eq!(api.count("SELECT count(*) FROM recovery_codes").await, 0);
    })
    .await;
}
