//! Shortcuts to make accounts and to log in.

use admin::identity::password::{Password, Passwords};
use axum::http::Method;
use serde_json::{Value, json};
use store::Actor;
use store::account::{self, AccountId, NewAccount};

use crate::harness::{Api, Call, Reply, clock};

pub(crate) const EMAIL: &str = "ada@example.com";
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Makes an account with a verified address and [`PASSWORD`].
pub(crate) async fn person(api: &Api, email: &str) -> AccountId {
    account(api, email, true).await
}

pub(crate) async fn account(api: &Api, email: &str, verified: bool) -> AccountId {
    let password = Passwords::default().hash(Password::new(PASSWORD)).await.expect("it is hashed");
    let mut tx = api.store.platform(&Actor::system("test")).await.unwrap();
    let new = NewAccount {
        email: email.to_owned(),
        name: "Ada".to_owned(),
        password: Some(password),
        verified_at: verified.then(clock),
    };
    let account = account::create(&mut tx, new, clock()).await.unwrap();
    tx.commit().await.unwrap();
    account.id
}

/// A request without credentials.
pub(crate) fn ask(api: &Api, path: &str, body: &Value) -> Call {
    api.anonymous(Method::POST, path).json(body)
}

/// Logs in from an address.
pub(crate) async fn log_in_from(api: &Api, source: &str, email: &str, password: &str) -> Reply {
    let body = json!({"email": email, "password": password});
    ask(api, "/v1/auth/login", &body).from(source).header("user-agent", "a test").send().await
}

/// Logs in.
pub(crate) async fn log_in(api: &Api, email: &str, password: &str) -> Reply {
    log_in_from(api, "192.0.2.7", email, password).await
}

/// Exchanges a refresh token.
pub(crate) async fn refresh(api: &Api, token: &Value) -> Reply {
    ask(api, "/v1/auth/refresh", &json!({"refresh_token": token})).send().await
}

/// The number of audit rows of an action.
pub(crate) async fn audited(api: &Api, action: &str) -> i64 {
    api.count(&format!("SELECT count(*) FROM audit_log WHERE action = '{action}'")).await
}
