//! The rate limits of the API around every request.

use axum::extract::{Request, State};
use axum::http::{HeaderName, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use policy::header_name::{RATE_LIMIT, RATE_LIMIT_POLICY};

use crate::app::App;
use crate::http::caller::{Caller, Peer};
use crate::http::problem::request::RATE_LIMITED;
use crate::metrics;
use crate::rate_limit::Refused;

/// Around every request: finds the address of the client, and takes one request of its limits.
pub async fn by_address(State(app): State<App>, mut request: Request, next: Next) -> Response {
    if let Some(Peer(peer)) = request.extensions().get().copied() {
        let client = app.rate_limits.client(peer, request.headers());
        request.extensions_mut().insert(Peer(client));
        if let Err(refused) = app.rate_limits.admit_address(request.uri().path(), client) {
            return refuse(refused);
        }
    }
    next.run(request).await
}

/// Around every operation, once the caller is known.
pub async fn by_principal(State(app): State<App>, request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Caller>().map(|caller| caller.principal.id());
    match caller.map_or(Ok(()), |caller| app.rate_limits.admit_principal(caller)) {
        Ok(()) => next.run(request).await,
        Err(refused) => refuse(refused),
    }
}

fn refuse(refused: Refused) -> Response {
    metrics::rate_limited(refused.limit);
    let Refused { limit, burst, window_s, retry_after_s } = refused;
    // The headers of draft-ietf-httpapi-ratelimit-headers-10, as on the data plane.
    RATE_LIMITED
        .because(format!(
            "The limit `{limit}` allows {burst} requests in {window_s} seconds; wait for \
             {retry_after_s} s."
        ))
        .with_header(header::RETRY_AFTER, retry_after_s.to_string())
        .with_header(
            HeaderName::from_static(RATE_LIMIT_POLICY),
            format!("\"{limit}\";q={burst};w={window_s}"),
        )
        .with_header(
            HeaderName::from_static(RATE_LIMIT),
            format!("\"{limit}\";r=0;t={retry_after_s}"),
        )
        .into_response()
}
