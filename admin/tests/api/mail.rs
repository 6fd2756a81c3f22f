//! E-mail, through a real mail server.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use admin::mail::Smtp;
use admin::mail::post::Post;
use chrono::TimeDelta;
use serde_json::{Value, json};
use store::seal::SecretsKey;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use uuid::Uuid;

use crate::accounts::{EMAIL, PASSWORD, account, ask, audited, log_in, refresh};
use crate::harness::{Api, Options, Reply, clock, pass, with_api};

/// A mail server that keeps what it gets.
pub(crate) struct MailServer {
    pub(crate) port: u16,
    folder: PathBuf,
    seen: Mutex<BTreeSet<String>>,
    _process: Child,
}

impl MailServer {
    pub(crate) async fn start() -> Self {
        let tools = std::env::var("TENANTRY_PYTHON_TOOLS")
            .expect("TENANTRY_PYTHON_TOOLS is the folder of aiosmtpd: run `cargo xtask test`, which gets it");
        let port = free_port();
        let folder = std::env::temp_dir().join(format!("tenantry-mail-{}", Uuid::now_v7()));
        let process = Command::new(Path::new(&tools).join("aiosmtpd"))
            .args(["--nosetuid", "--listen", &format!("127.0.0.1:{port}"), "--class", "aiosmtpd.handlers.Mailbox"])
            .arg(&folder)
            .kill_on_drop(true)
            .spawn()
            .expect("aiosmtpd starts");
        let ready = async {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), ready).await.expect("aiosmtpd listens");
        Self { port, folder, seen: Mutex::default(), _process: process }
    }

    /// Whether a token was noted.
    pub(crate) fn seen(&self, token: &str) -> bool {
        self.seen.lock().unwrap().contains(token)
    }

    /// Notes tokens.
    pub(crate) fn note(&self, tokens: &[String]) {
        self.seen.lock().unwrap().extend(tokens.iter().cloned());
    }

    /// What has arrived.
    pub(crate) fn letters(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.folder.join("new")).into_iter().flatten();
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(crate) fn post(api: &Api, port: u16) -> Post {
    let url = format!("smtp://127.0.0.1:{port}").parse().unwrap();
    let smtp = Smtp::new(&url, "Tenantry <no-reply@example.com>".parse().unwrap()).unwrap();
    Post::new(api.store.clone(), Arc::new(SecretsKey::new([7; 32])), smtp, clock)
}

/// The token in a letter.
pub(crate) fn token(letter: &str) -> String {
    letter.split_whitespace().find(|word| word.starts_with("tne_")).expect("a token").to_owned()
}

async fn ask_for_reset(api: &Api, email: &str) -> Reply {
    ask(api, "/v1/auth/password-reset", &json!({"email": email})).from("192.0.2.7").send().await
}

async fn confirm(api: &Api, token: &str, password: &str) -> Reply {
    let body: Value = json!({"token": token, "new_password": password});
    ask(api, "/v1/auth/password-reset/confirm", &body).send().await
}

#[tokio::test]
async fn a_lost_password_is_replaced_with_the_token_of_the_e_mail() {
    with_api(async |api| {
        let server = MailServer::start().await;
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
            letters[0].contains("To: ada@example.com") && letters[0].contains("From: Tenantry <no-reply@example.com>")
        );

        let token = token(&letters[0]);
        let new = "mild winters in northern valleys";
        confirm(api, &token, "too short").await.problem(422, "invalid").fields(&["new_password"]);
        confirm(api, "tne_x", new).await.problem(422, "invalid").fields(&["token"]);
        confirm(api, &token, new).await.expect(204);
        confirm(api, &token, new).await.problem(422, "invalid").fields(&["token"]);
        log_in(api, EMAIL, PASSWORD).await.problem(401, "invalid-credentials");
        // Who has the token reads the mail of the address.
        log_in(api, EMAIL, new).await.expect(200);
        assert_eq!(audited(api, "account.password_reset").await, 1);
        let kept =
            format!("SELECT count(*) FROM email_tokens t, audit_log a WHERE t::text || a::text LIKE '%{token}%'");
        assert_eq!(api.count(&kept).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_reset_ends_all_sessions_and_all_other_tokens() {
    with_api(async |api| {
        let server = MailServer::start().await;
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
        confirm(api, &token(&letters[1]), "mild winters in southern valleys").await.problem(422, "invalid");
    })
    .await;
}

#[tokio::test]
async fn a_letter_waits_for_a_mail_server_that_is_down() {
    with_api(async |api| {
        account(api, EMAIL, true).await;
        ask_for_reset(api, EMAIL).await.expect(202);
        let nobody = post(api, free_port());
        assert_eq!(nobody.empty().await.unwrap(), 0);
        let server = MailServer::start().await;
        let post = post(api, server.port);
        assert_eq!(post.empty().await.unwrap(), 0, "not before its time");
        pass(TimeDelta::seconds(11));
        assert_eq!(post.empty().await.unwrap(), 1);
        assert_eq!(server.letters().len(), 1);
        // It was made once, so that a letter that comes twice is the same.
        assert_eq!(api.count("SELECT count(*) FROM email_tokens").await, 1);
        pass(TimeDelta::hours(1));
        confirm(api, &token(&server.letters()[0]), "mild winters in northern valleys").await.problem(422, "invalid");
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
