//! The assembly: options, state, operations and layers become one service.

use policy::host::BaseDomain;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use chrono::{DateTime, Utc};
use policy::address::AddressRules;
use service::jobs::Jobs;
use store::Store;
use store::seal::SecretsKey;

use crate::app::App;
use crate::http::problem::Problem;
use crate::http::problem::request::NO_SUCH_PATH;
use crate::identity::access_token::AccessTokens;
use crate::identity::password::Passwords;
use crate::import::ImportPlaces;
use crate::last_used::LastUsed;
use crate::mail::{Links, Outbox};
use crate::rate_limit::{Allowed, RateLimits};
use crate::rights::access::{AccessError, AccessTable};
use crate::signup::Mode;
use crate::{api, jobs, layers};

/// The operator's choices.
#[derive(Debug)]
pub struct Options {
    /// The domain under which sites have their names.
    pub base_domain: BaseDomain,
    /// True if the keys of issuers may be read by http.
    pub allow_http_jwks: bool,
    /// The addresses that upstreams may have.
    pub upstream_addresses: AddressRules,
    /// The key that seals secrets in the database. Without it no secret can be kept.
    pub secrets: Option<Arc<SecretsKey>>,
    /// The mode of sign-up.
    pub signup: Mode,
    /// True if letters are sent. Without it none are written.
    pub sends_mail: bool,
    /// The targets of links in letters.
    pub links: Links,
    /// Rate limits of the API.
    pub rate_limits: Allowed,
}

/// The whole service, with the jobs to which its requests hand work.
///
/// # Errors
/// A fault of the program: an operation without an id or a permission.
pub fn service(
    store: Store,
    options: Options,
    clock: fn() -> DateTime<Utc>,
    jobs: &Jobs,
) -> Result<Router, AccessError> {
    let (router, document) = api::openapi::assemble(api::all());
    let secrets = options.secrets;
    let (last_used, notes) = LastUsed::new();
    let app = App {
        acks: Arc::default(),
        jobs: jobs.clone(),
        signup: options.signup,
        outbox: Outbox::new(options.sends_mail, secrets.clone()),
        links: options.links,
        last_used,
        passwords: Passwords::default(),
        access_tokens: AccessTokens::new(store.clone(), secrets.clone()),
        store,
        base_domain: options.base_domain,
        clock,
        allow_http_jwks: options.allow_http_jwks,
        upstream_addresses: Arc::new(options.upstream_addresses),
        secrets,
        access: Arc::new(AccessTable::of(&document)?),
        imports: ImportPlaces::default(),
        rate_limits: Arc::new(RateLimits::new(options.rate_limits)),
    };
    jobs::start_for_requests(jobs, &app.store, &app.acks, notes);
    Ok(router
        .route_layer(from_fn_with_state(app.clone(), layers::receipt::layer))
        .route_layer(from_fn_with_state(app.clone(), layers::rate_limit::by_principal))
        .route_layer(from_fn_with_state(app.clone(), layers::authorize::authorize))
        .merge(api::docs::router())
        .fallback(no_such_path)
        .layer(from_fn_with_state(app.clone(), layers::rate_limit::by_address))
        .layer(from_fn_with_state(app.access.clone(), layers::observe::observe))
        .layer(axum::Extension(api::docs::Document::of(&document)))
        .with_state(app))
}

async fn no_such_path() -> Result<Response, Problem> {
    Err(NO_SUCH_PATH.problem())
}
