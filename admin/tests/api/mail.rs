//! E-mail, through a real mail server.

use std::sync::Arc;

use admin::jobs::deliver_mail::Mailer;
use admin::mail::{Links, Smtp, SmtpAuthorities};
use chrono::TimeDelta;
use serde_json::{Value, json};
use stack::mail_server::{MailServer, word};
use stack::ports;
use store::seal::SecretsKey;

use crate::accounts::{EMAIL, PASSWORD, account, ask, audited, log_in, refresh};
use crate::harness::{Api, Options, Reply, clock, pass, stop_clock, with_api};

/// Starts a mail server that accepts everything.
pub(crate) async fn mail_server() -> MailServer {
    MailServer::start().await.unwrap_or_else(|error| panic!("{error:?}"))
}

/// The mailer of the service, for a server without TLS.
pub(crate) fn post(api: &Api, port: u16) -> Mailer {
    post_to(api, &format!("smtp://127.0.0.1:{port}"), SmtpAuthorities::default(), Links::default())
}

/// The mailer of the service.
pub(crate) fn post_to(api: &Api, url: &str, authorities: SmtpAuthorities, links: Links) -> Mailer {
    let from = "Tenantry <no-reply@example.com>".parse().unwrap();
    let smtp = Smtp::new(&url.parse().unwrap(), from, authorities).unwrap();
    Mailer::new(api.store.clone(), Arc::new(SecretsKey::new([7; 32])), smtp, links, clock)
}

/// The token in a letter.
pub(crate) fn token(letter: &str) -> String {
    word(letter, "tne_").expect("a token").to_owned()
}

pub(crate) async fn ask_for_reset(api: &Api, email: &str) -> Reply {
    ask(api, "/v1/auth/password-reset", &json!({"email": email})).from("192.0.2.7").send().await
}

async fn confirm(api: &Api, token: &str, password: &str) -> Reply {
    let body: Value = json!({"token": token, "new_password": password});
    ask(api, "/v1/auth/password-reset/confirm", &body).send().await
}

#[tokio::test]
async fn a_lost_password_is_replaced_with_the_token_of_the_e_mail() {
    with_api(async |api| {
        let server = mail_server().await;
        account(api, EMAIL, false).await;
        let known = ask_for_reset(api, EMAIL).await.expect(202);
        let unknown = ask_for_reset(api, "nobody@example.com").await.expect(202);
        assert_eq!(known.body, unknown.body);
        assert_eq!(api.count("SELECT count(*) FROM mail_outbox").await, 2, "both do the same work");
        assert_eq!(api.count("SELECT count(*) FROM email_tokens").await, 0);
        post(api, server.port).empty().await.unwrap();
        assert_eq!(api.count("SELECT count(*) FROM mail_outbox").await, 0);
        let letters = server.letters();
        assert_eq!(letters.len(), 1);
        assert!(
            letters[0].contains("To: ada@example.com")
                && letters[0].contains("From: Tenantry <no-reply@example.com>")
        );

        let token = token(&letters[0]);
        let new = "mild winters in northern valleys";
        confirm(api, &token, "too short").await.problem(422, "invalid").fields(&["new_password"]);
        confirm(api, "tne_x", new).await.problem(422, "invalid").fields(&["token"]);
        confirm(api, &token, new).await.expect(204);
        confirm(api, &token, new).await.problem(422, "invalid").fields(&["token"]);
        log_in(api, EMAIL, PASSWORD).await.problem(401, "invalid-credentials");
        // The holder of the token reads the mail of the address.
        log_in(api, EMAIL, new).await.expect(200);
        assert_eq!(audited(api, "account.password_reset").await, 1);
        let kept = format!(
            "SELECT count(*) FROM email_tokens t, audit_log a WHERE \
                t::text || a::text LIKE '%{token}%'"
        );
        assert_eq!(api.count(&kept).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_reset_ends_all_sessions_and_all_other_tokens() {
    with_api(async |api| {
        let server = mail_server().await;
        account(api, EMAIL, true).await;
        let tokens = log_in(api, EMAIL, PASSWORD).await.expect(200).json();
        for _ in 0..2 {
            ask_for_reset(api, EMAIL).await.expect(202);
        }
        post(api, server.port).empty().await.unwrap();
        let letters = server.letters();
        assert_eq!(letters.len(), 2);
        confirm(api, &token(&letters[0]), "mild winters in northern valleys").await.expect(204);
        refresh(api, &tokens["refresh_token"]).await.problem(401, "invalid-token");
        confirm(api, &token(&letters[1]), "mild winters in southern valleys")
            .await
            .problem(422, "invalid");
    })
    .await;
}

#[tokio::test]
async fn a_letter_waits_for_a_mail_server_that_is_down() {
    with_api(async |api| {
        // The mail server takes its time to start.
        stop_clock();
        account(api, EMAIL, true).await;
        ask_for_reset(api, EMAIL).await.expect(202);
        let nobody = post(api, ports::free().port());
        assert_eq!(nobody.empty().await.unwrap(), 0);
        let server = mail_server().await;
        let post = post(api, server.port);
        assert_eq!(post.empty().await.unwrap(), 0, "not before its time");
        pass(TimeDelta::seconds(11));
        assert_eq!(post.empty().await.unwrap(), 1);
        assert_eq!(server.letters().len(), 1);
        // The token was made once, so a letter that comes twice is the same.
        assert_eq!(api.count("SELECT count(*) FROM email_tokens").await, 1);
        pass(TimeDelta::hours(1));
        confirm(api, &token(&server.letters()[0]), "mild winters in northern valleys")
            .await
            .problem(422, "invalid");
    })
    .await;
}

#[tokio::test]
async fn a_link_carries_the_token_in_its_fragment() {
    with_api(async |api| {
        let server = mail_server().await;
        account(api, EMAIL, true).await;
        ask_for_reset(api, EMAIL).await.expect(202);
        let links = Links(Some("https://console.example.com".parse().unwrap()));
        let url = format!("smtp://127.0.0.1:{}", server.port);
        post_to(api, &url, SmtpAuthorities::default(), links).empty().await.unwrap();
        let letters = server.letters();
        let beginning = "https://console.example.com/reset-password#token=";
        let link =
            word(&letters[0], beginning).unwrap_or_else(|| panic!("no link in {}", letters[0]));
        let token = link.strip_prefix(beginning).unwrap();
        confirm(api, token, "mild winters in northern valleys").await.expect(204);
    })
    .await;
}

#[tokio::test]
async fn an_address_is_not_flooded() {
    with_api(async |api| {
        for _ in 0..3 {
            ask_for_reset(api, "nobody@example.com").await.expect(202);
        }
        ask_for_reset(api, "Nobody@example.com").await.problem(429, "too-often");
        let silent = api.with(Options { sends_mail: false, ..Options::default() });
        ask_for_reset(&silent, EMAIL).await.problem(503, "no-mail");
    })
    .await;
}
