//! Organisations that sign up by themselves.

use admin::signup::Mode;
use axum::http::Method;
use serde_json::{Value, json};
use stack::mail_server::MailServer;

use crate::accounts::{EMAIL, PASSWORD, ask, audited, log_in, person};
use crate::harness::{Api, Options, Reply, with_api};
use crate::mail::{mail_server, post, token};
use crate::sessions::as_person;

fn body(email: &str, slug: &str, template: &str) -> Value {
    json!({
        "email": email, "name": "Ada Lovelace", "password": PASSWORD, "organisation": "Acme",
        "site_slug": slug,
        "template": template, "origin": {"address": "10.9.0.1", "port": 8080},
    })
}

async fn sign_up(api: &Api, body: &Value) -> Reply {
    ask(api, "/v1/signup", body).from("192.0.2.7").send().await
}

async fn verify(api: &Api, token: &str) -> Reply {
    ask(api, "/v1/signup/verify", &json!({"token": token})).send().await
}

fn opened(api: &Api, signup: Mode) -> Api {
    api.with(Options { signup, ..Options::default() })
}

/// Signs up, and returns the token of the e-mail.
async fn mailed(api: &Api, server: &MailServer, body: &Value) -> String {
    sign_up(api, body).await.expect(202);
    post(api, server.port).empty().await.unwrap();
    let to = format!("To: {}", body["email"].as_str().unwrap());
    let mut letters: Vec<String> =
        server.letters().into_iter().filter(|letter| letter.contains(&to)).collect();
    assert_eq!(letters.len(), 1);
    token(&letters.remove(0))
}

#[tokio::test]
async fn an_organisation_signs_up_and_has_a_site_at_once() {
    with_api(async |api| {
        let api = &opened(api, Mode::Open);
        let server = mail_server().await;
        for template in ["rest-api", "storefront", "public-content"] {
            let email = format!("{template}@example.com");
            let token = mailed(api, &server, &body(&email, template, template)).await;
            log_in(api, &email, PASSWORD).await.problem(401, "invalid-credentials");
            let outcome = verify(api, &token).await.expect(200).json();
            assert_eq!(outcome["waiting"], false);
            assert_eq!(outcome["made"]["hostname"], format!("{template}.gw.test"));
            verify(api, &token).await.problem(422, "invalid").fields(&["token"]);
            // The person is an Admin of the tenant, and sees the site with a route.
            let tokens = log_in(api, &email, PASSWORD).await.expect(200).json();
            let made = &outcome["made"];
            let site = format!(
                "/v1/tenants/{}/sites/{}",
                made["tenant_id"].as_str().unwrap(),
                made["site_id"].as_str().unwrap()
            );
            as_person(api, &tokens, Method::GET, &site).send().await.expect(200);
            let site = made["site_id"].as_str().unwrap();
            assert_eq!(
                api.count(&format!("SELECT count(*) FROM routes WHERE site_id = '{site}'")).await,
                1
            );
        }
        assert_eq!(api.count("SELECT count(*) FROM signups").await, 0);
        assert_eq!(audited(api, "signup.finish").await, 3);
        assert_eq!(audited(api, "tenant.create").await, 3);
    })
    .await;
}

#[tokio::test]
async fn a_slug_that_is_taken_stops_nobody() {
    with_api(async |api| {
        let api = &opened(api, Mode::Open);
        let server = mail_server().await;
        for email in ["ada@example.com", "bob@example.com"] {
            let token = mailed(api, &server, &body(email, "shop", "rest-api")).await;
            let hostname = verify(api, &token).await.expect(200).json()["made"]["hostname"].clone();
            assert_eq!(hostname == "shop.gw.test", email == "ada@example.com", "{hostname}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_address_that_has_an_account_is_answered_alike_and_told_by_mail() {
    with_api(async |api| {
        person(api, EMAIL).await;
        let api = &opened(api, Mode::Open);
        let server = mail_server().await;
        let known = sign_up(api, &body(EMAIL, "shop", "empty")).await.expect(202);
        let unknown = sign_up(api, &body("bob@example.com", "shop", "empty")).await.expect(202);
        assert_eq!(known.body, unknown.body);
        post(api, server.port).empty().await.unwrap();
        let letters = server.letters();
        let (to_ada, to_bob): (Vec<_>, Vec<_>) =
            letters.iter().partition(|letter| letter.contains("To: ada@"));
        assert!(to_ada.len() == 1 && !to_ada[0].contains("tne_"));
        assert!(to_bob.len() == 1 && to_bob[0].contains("tne_"));
        assert_eq!(api.count("SELECT count(*) FROM tenants").await, 0);
    })
    .await;
}

#[tokio::test]
async fn an_operator_may_have_to_approve() {
    with_api(async |api| {
        let api = &opened(api, Mode::Approval);
        let server = mail_server().await;
        let token = mailed(api, &server, &body(EMAIL, "shop", "storefront")).await;
        assert_eq!(api.get("/v1/signups").await.expect(200).json()["items"], json!([]));
        assert_eq!(
            verify(api, &token).await.expect(200).json(),
            json!({"waiting": true, "made": null})
        );
        log_in(api, EMAIL, PASSWORD).await.problem(401, "invalid-credentials");
        let waiting = api.get("/v1/signups").await.expect(200);
        assert!(!waiting.text().contains("argon2"));
        let id = waiting.json()["items"][0]["id"].as_str().unwrap().to_owned();
        let made =
            api.post(&format!("/v1/signups/{id}/approve"), json!({})).await.expect(200).json();
        assert_eq!(made["made"]["hostname"], "shop.gw.test");
        log_in(api, EMAIL, PASSWORD).await.expect(200);
        api.post(&format!("/v1/signups/{id}/approve"), json!({})).await.problem(404, "not-found");

        let token = mailed(api, &server, &body("bob@example.com", "spam", "empty")).await;
        verify(api, &token).await.expect(200);
        let id = api.get("/v1/signups").await.json()["items"][0]["id"].as_str().unwrap().to_owned();
        api.delete(&format!("/v1/signups/{id}")).await.expect(204);
        api.delete(&format!("/v1/signups/{id}")).await.problem(404, "not-found");
        assert_eq!(audited(api, "signup.reject").await, 1);
    })
    .await;
}

#[tokio::test]
async fn nobody_signs_up_unless_the_operator_says_so_and_nothing_wrong_is_taken() {
    with_api(async |api| {
        sign_up(api, &body(EMAIL, "shop", "empty")).await.problem(403, "signup-closed");
        verify(api, "tne_x").await.expect(422);
        let api = &opened(api, Mode::Open);
        let mut wrong = body("nobody", "-", "rest-api");
        wrong["origin"] = Value::Null;
        sign_up(api, &wrong).await.problem(422, "invalid").fields(&[
            "email",
            "site_slug",
            "origin",
        ]);
        let mut inside = body(EMAIL, "shop", "rest-api");
        inside["origin"]["address"] = json!("127.0.0.1");
        sign_up(api, &inside).await.problem(422, "invalid").fields(&["origin.address"]);
        let mut weak = body(EMAIL, "shop", "empty");
        weak["password"] = json!("acme ada lovelace");
        sign_up(api, &weak).await.problem(422, "invalid").fields(&["password"]);
        assert_eq!(api.count("SELECT count(*) FROM signups").await, 0);
    })
    .await;
}
