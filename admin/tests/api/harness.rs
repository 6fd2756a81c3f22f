//! The service on a fresh database, and shortcuts to call it.

use std::cell::Cell;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::SystemTime;

use admin::http::caller::Peer;
use admin::mail::Links;
use admin::rate_limit::Allowed;
use admin::secret::OperatorToken;
use admin::signup::Mode;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Method, Request, header};
use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt as _;
use policy::address::AddressRules;
use serde_json::Value;
use service::jobs::Jobs;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor as _};
use stack::testing::TestDatabase;
use store::seal::SecretsKey;
use store::{Actor, Store};
use tower::ServiceExt as _;

pub(crate) const BASE_DOMAIN: &str = "gw.test";

thread_local! {
    /// The time by which the clock of the service is ahead. Each test has a thread of its own, and
    /// so has its service.
    static AHEAD: Cell<TimeDelta> = const { Cell::new(TimeDelta::zero()) };
    /// The time at which the clock stands, if it was stopped.
    static STOPPED: Cell<Option<DateTime<Utc>>> = const { Cell::new(None) };
}

/// The clock of the service.
pub(crate) fn clock() -> DateTime<Utc> {
    STOPPED.get().unwrap_or_else(Utc::now) + AHEAD.get()
}

/// Stops the clock of the service, for tests to which a few seconds make a difference: from now on
/// only as much time passes as [`pass`] says, however slow the machine is.
pub(crate) fn stop_clock() {
    STOPPED.set(Some(Utc::now()));
}

/// Puts the clock of the service forward.
pub(crate) fn pass(time: TimeDelta) {
    AHEAD.set(AHEAD.get() + time);
}

/// The service, and the things that a test needs beside it.
pub(crate) struct Api {
    pub(crate) router: Router,
    pub(crate) token: OperatorToken,
    /// The cluster's superuser in this database, to compare with.
    pub(crate) superuser: PgPool,
    /// The login of the service, as a URL.
    login: String,
    pub(crate) store: Store,
}

/// The settings of the service that tests vary.
pub(crate) struct Options {
    pub(crate) secrets: Option<SecretsKey>,
    pub(crate) allow_http_jwks: bool,
    pub(crate) rate_limits: Allowed,
    pub(crate) sends_mail: bool,
    pub(crate) signup: Mode,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            secrets: Some(SecretsKey::new([7; 32])),
            allow_http_jwks: false,
            rate_limits: Allowed::default(),
            sends_mail: true,
            signup: Mode::Closed,
        }
    }
}

/// Runs a test on a service with a database of its own, which is dropped afterwards, whether the
/// test fails or not.
pub(crate) async fn with_api(test: impl AsyncFnOnce(&Api)) {
    let database = TestDatabase::create().await.expect("a database of the test's own");
    let login = &database.admin_url;
    let store = Store::connect(login, 8).await.expect("the admin role connects");
    let api = Api {
        token: first_token(&store).await,
        router: router(&store, Options::default()),
        superuser: PgPoolOptions::new().connect_lazy_with(database.superuser()),
        login: login.clone(),
        store,
    };
    let outcome = AssertUnwindSafe(test(&api)).catch_unwind().await;
    api.superuser.close().await;
    database.drop().await.expect("the superuser may drop it");
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

fn router(store: &Store, options: Options) -> Router {
    let Options { secrets, allow_http_jwks, rate_limits, sends_mail, signup } = options;
    let options = admin::service::Options {
        base_domain: BASE_DOMAIN.parse().unwrap(),
        allow_http_jwks,
        upstream_addresses: AddressRules::new(
            ["10.9.0.0/16".parse().unwrap()],
            ["10.9.9.9".parse().unwrap()],
        ),
        secrets: secrets.map(Arc::new),
        rate_limits,
        sends_mail,
        links: Links::default(),
        signup,
    };
    // The set lives as long as the router.
    let jobs = Jobs::new(SystemTime::now, || 0.5);
    admin::service::service(store.clone(), options, clock, &jobs).unwrap()
}

async fn first_token(store: &Store) -> OperatorToken {
    let token = OperatorToken::generate().unwrap();
    let mut tx = store.platform(&Actor::system("test")).await.unwrap();
    assert!(
        store::operator_token::create_first(&mut tx, "test", &token.digest())
            .await
            .unwrap()
            .is_some()
    );
    tx.commit().await.unwrap();
    token
}

impl Api {
    /// The service with other options, on the same database.
    pub(crate) fn with(&self, options: Options) -> Self {
        Self {
            router: router(&self.store, options),
            token: self.token.clone(),
            superuser: self.superuser.clone(),
            login: self.login.clone(),
            store: self.store.clone(),
        }
    }

    /// A request of the operator.
    pub(crate) fn call(&self, method: Method, path: &str) -> Call {
        let authorization = format!("Bearer {}", self.token.reveal());
        self.anonymous(method, path).header("authorization", &authorization)
    }

    /// A request with another token than the operator's.
    pub(crate) fn call_as(&self, token: &str, method: Method, path: &str) -> Call {
        self.anonymous(method, path).header("authorization", &format!("Bearer {token}"))
    }

    /// A request without credentials.
    pub(crate) fn anonymous(&self, method: Method, path: &str) -> Call {
        Call {
            router: self.router.clone(),
            method,
            path: path.to_owned(),
            headers: Vec::new(),
            body: Bytes::new(),
            peer: None,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path).send().await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.call(Method::POST, path).json(&body).send().await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.call(Method::PATCH, path).json(&body).send().await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.call(Method::DELETE, path).send().await
    }

    /// Makes an object, and returns its path.
    pub(crate) async fn make(&self, path: &str, body: Value) -> String {
        self.post(path, body).await.expect(201).location()
    }

    /// Ends the connections of the service and lets it make no new ones, as a failing database
    /// would.
    pub(crate) async fn cut_off(&self) {
        for statement in [
            format!("ALTER ROLE {} CONNECTION LIMIT 0", self.role()),
            // The function waits until they have ended.
            format!(
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity \
                WHERE usename = '{}'",
                self.role()
            ),
        ] {
            self.superuser
                .execute(AssertSqlSafe(statement))
                .await
                .expect("the superuser may run it");
        }
    }

    /// Undoes [`Api::cut_off`].
    pub(crate) async fn reconnect(&self) {
        let statement = format!("ALTER ROLE {} CONNECTION LIMIT -1", self.role());
        self.superuser.execute(AssertSqlSafe(statement)).await.expect("the superuser may run it");
    }

    /// The login of the service, as a URL.
    pub(crate) fn login_url(&self) -> String {
        self.login.clone()
    }

    /// The login role of the service.
    fn role(&self) -> String {
        let login = PgConnectOptions::from_str(&self.login).expect("a URL");
        login.get_username().to_owned()
    }

    /// Returns a number that the superuser reads.
    pub(crate) async fn count(&self, query: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(query.to_owned()))
            .fetch_one(&self.superuser)
            .await
            .expect("the query counts")
    }
}

/// Repeats a request until a connection of the database is free for it: of a hundred requests at
/// once on a slow machine, the last may wait for longer than the service allows, and are told to
/// come again.
pub(crate) async fn patiently<F: Future<Output = Reply>>(ask: impl Fn() -> F) -> Reply {
    for _ in 0..20 {
        let reply = ask().await;
        if reply.status != 503 {
            return reply;
        }
    }
    ask().await
}

/// The last part of a path: the id of the object.
pub(crate) fn id_of(place: &str) -> &str {
    place.rsplit('/').next().unwrap_or_default()
}

#[derive(Clone)]
pub(crate) struct Call {
    router: Router,
    method: Method,
    path: String,
    headers: Vec<(String, HeaderValue)>,
    body: Bytes,
    peer: Option<IpAddr>,
}

impl Call {
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        self.header_bytes(name, value.parse().expect("a header's value"))
    }

    /// A header with a value that need not be ASCII.
    pub(crate) fn header_bytes(mut self, name: &str, value: HeaderValue) -> Self {
        self.headers.push((name.to_owned(), value));
        self
    }

    pub(crate) fn body(mut self, media_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header("content-type", media_type)
    }

    /// A body; its media type is given separately, or not at all.
    pub(crate) fn bytes(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The address that the request comes from.
    pub(crate) fn from(mut self, peer: &str) -> Self {
        self.peer = Some(peer.parse().expect("an address"));
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub(crate) async fn send(mut self) -> Reply {
        let body = Body::from(std::mem::take(&mut self.body));
        self.send_body(body).await
    }

    /// Sends it with a body that may come in pieces.
    pub(crate) async fn send_body(self, body: Body) -> Reply {
        let mut request = Request::builder().method(self.method).uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut request = request.body(body).expect("the request is well formed");
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(Peer(peer));
        }
        let Ok(response) = self.router.oneshot(request).await;
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.expect("the body arrives");
        Reply { status: parts.status.as_u16(), headers: parts.headers, body }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// Fails, with the body, if the status is another one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// Fails if it is not this problem.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, name: &str) -> Self {
        let reply = self.expect(status);
        assert_eq!(reply.header("content-type"), "application/problem+json");
        let body = reply.json();
        assert_eq!(body["type"], format!("urn:tenantry:problem:{name}"));
        assert_eq!(body["status"], status);
        assert!(body["title"].is_string());
        reply
    }

    /// Fails if the refused fields are others than these.
    #[track_caller]
    pub(crate) fn fields(self, fields: &[&str]) -> Self {
        let body = self.json();
        let found: Vec<_> = body["errors"]
            .as_array()
            .expect("errors")
            .iter()
            .map(|error| error["field"].clone())
            .collect();
        assert_eq!(found, fields, "{body}");
        self
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let value =
            self.headers.get(name).unwrap_or_else(|| panic!("no header {name}: {}", self.text()));
        value.to_str().expect("the header is ASCII")
    }

    #[track_caller]
    pub(crate) fn location(&self) -> String {
        self.header(header::LOCATION.as_str()).to_owned()
    }

    #[track_caller]
    pub(crate) fn etag(&self) -> String {
        self.header(header::ETAG.as_str()).to_owned()
    }
}
