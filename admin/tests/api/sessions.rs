//! A person's own account and sessions.

use axum::http::Method;
use serde_json::{Value, json};

use crate::accounts::{EMAIL, PASSWORD, ask, audited, log_in, log_in_from, person, refresh};
use crate::harness::{Api, Call, with_api};

/// A request with an access token.
pub(crate) fn as_person(api: &Api, tokens: &Value, method: Method, path: &str) -> Call {
    let authorization =
        format!("Bearer {}", tokens["access_token"].as_str().expect("an access token"));
    api.anonymous(method, path).header("authorization", &authorization)
}

#[tokio::test]
async fn people_see_their_own_account_and_change_their_name() {
    with_api(async |api| {
        let ada = person(api, EMAIL).await;
        let tokens = log_in(api, EMAIL, PASSWORD).await.expect(200).json();
        let me = as_person(api, &tokens, Method::GET, "/v1/me").send().await.expect(200);
        assert_eq!(me.json()["id"], ada.to_string());
        assert_eq!((&me.json()["email"], &me.json()["mfa"]), (&json!(EMAIL), &json!(false)));
        assert!(!me.text().contains("argon2"));
        let patch = |tag: &str| {
            let call = as_person(api, &tokens, Method::PATCH, "/v1/me").header("if-match", tag);
            call.json(&json!({"name": "Countess"}))
        };
        patch("\"7\"").send().await.problem(412, "changed");
        let changed = patch(&me.etag()).send().await.expect(200).json();
        assert_eq!(changed["name"], "Countess");
        assert_eq!(audited(api, "account.update").await, 1);
        api.get("/v1/me").await.expect(403);
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_ended_is_refused_at_once() {
    with_api(async |api| {
        person(api, EMAIL).await;
        let office = log_in_from(api, "192.0.2.7", EMAIL, PASSWORD).await.expect(200).json();
        let cafe = log_in_from(api, "198.51.100.9", EMAIL, PASSWORD).await.expect(200).json();
        let list =
            as_person(api, &office, Method::GET, "/v1/me/sessions").send().await.expect(200).json();
        let items = list["items"].as_array().unwrap();
        let seen: Vec<_> =
            items.iter().map(|one| (one["source"].clone(), one["current"].clone())).collect();
        assert_eq!(
            seen,
            [(json!("192.0.2.7"), json!(true)), (json!("198.51.100.9"), json!(false))]
        );
        assert!(items.iter().all(|one| one["user_agent"] == "a test"));

        let place = format!("/v1/me/sessions/{}", cafe["session_id"].as_str().unwrap());
        as_person(api, &office, Method::DELETE, &place).send().await.expect(204);
        as_person(api, &office, Method::DELETE, &place).send().await.expect(204);
        as_person(api, &cafe, Method::GET, "/v1/me").send().await.problem(401, "invalid-token");
        refresh(api, &cafe["refresh_token"]).await.problem(401, "invalid-token");
        as_person(api, &office, Method::GET, "/v1/me").send().await.expect(200);
        assert_eq!(audited(api, "session.revoke").await, 1);
    })
    .await;
}

#[tokio::test]
async fn somebody_elses_session_is_as_good_as_absent() {
    with_api(async |api| {
        person(api, EMAIL).await;
        person(api, "bob@example.com").await;
        let ada = log_in(api, EMAIL, PASSWORD).await.expect(200).json();
        let bob = log_in(api, "bob@example.com", PASSWORD).await.expect(200).json();
        let end = async |id: &str| {
            as_person(api, &bob, Method::DELETE, &format!("/v1/me/sessions/{id}")).send().await
        };
        let foreign = end(ada["session_id"].as_str().unwrap()).await.problem(404, "not-found");
        let absent = end(&uuid::Uuid::now_v7().to_string()).await.problem(404, "not-found");
        assert_eq!(foreign.body, absent.body);
        as_person(api, &ada, Method::GET, "/v1/me").send().await.expect(200);
        let list =
            as_person(api, &bob, Method::GET, "/v1/me/sessions").send().await.expect(200).json();
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_logout_ends_the_access_token_too() {
    with_api(async |api| {
        person(api, EMAIL).await;
        let tokens = log_in(api, EMAIL, PASSWORD).await.expect(200).json();
        let body = json!({"refresh_token": tokens["refresh_token"]});
        ask(api, "/v1/auth/logout", &body).send().await.expect(204);
        as_person(api, &tokens, Method::GET, "/v1/me").send().await.problem(401, "invalid-token");
    })
    .await;
}

#[tokio::test]
async fn another_password_ends_the_other_sessions() {
    with_api(async |api| {
        person(api, EMAIL).await;
        let here = log_in(api, EMAIL, PASSWORD).await.expect(200).json();
        let there = log_in(api, EMAIL, PASSWORD).await.expect(200).json();
        let change = async |current: &str, new: &str| {
            let body = json!({"current_password": current, "new_password": new});
            as_person(api, &here, Method::PATCH, "/v1/me/password").json(&body).send().await
        };
        let new = "mild winters in northern valleys";
        change("something else", new).await.problem(422, "invalid").fields(&["current_password"]);
        change(PASSWORD, "too short").await.problem(422, "invalid").fields(&["new_password"]);
        change(PASSWORD, "ada@example.com").await.problem(422, "invalid").fields(&["new_password"]);
        change(PASSWORD, new).await.expect(204);
        as_person(api, &here, Method::GET, "/v1/me").send().await.expect(200);
        as_person(api, &there, Method::GET, "/v1/me").send().await.problem(401, "invalid-token");
        log_in(api, EMAIL, PASSWORD).await.problem(401, "invalid-credentials");
        log_in(api, EMAIL, new).await.expect(200);
        assert_eq!(audited(api, "account.password_change").await, 1);
    })
    .await;
}
