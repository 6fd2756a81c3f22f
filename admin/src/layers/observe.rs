//! What happens around every request: its id, its log line, its metrics, its time limit, and the
//! answer to a panic.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::http::caller::RequestId;
use crate::http::problem::Problem;
use crate::http::problem::request::{INTERNAL, TIMEOUT};
use crate::http::request_id;
use crate::limits;
use crate::metrics;
use crate::receipt;

/// The route of requests that match none, in logs and metrics.
const UNMATCHED: &str = "unmatched";
/// Where imports go; they may take longer.
const IMPORT_ROUTE: &str = "/import";

/// The outermost layer.
pub async fn observe(mut request: Request, next: Next) -> Response {
    let start = Instant::now();
    let id = request_id::of(request.headers());
    request.extensions_mut().insert(RequestId(id.clone()));
    let pattern = request.extensions().get::<MatchedPath>();
    let route = pattern.map_or(UNMATCHED, MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let tenant = tenant_of(request.uri().path()).map(|tenant| tenant.to_string());
    let span = tracing::info_span!("request", request_id = %id, tenant = tenant.as_deref(), %method, route);
    let time =
        if route.ends_with(IMPORT_ROUTE) { limits::IMPORT_TIME } else { limits::REQUEST_TIME };
    let time = time + receipt::asked_time(&method, request.uri());

    async {
        // A panic leaves no half-done work behind: a transaction that is dropped is rolled back.
        let guarded = AssertUnwindSafe(next.run(request)).catch_unwind();
        let mut response = match tokio::time::timeout(time, guarded).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => INTERNAL.problem().into_response(),
            Err(_) => TIMEOUT.problem().into_response(),
        };
        request_id::set(response.headers_mut(), &id);
        response
            .headers_mut()
            .entry(header::X_CONTENT_TYPE_OPTIONS)
            .or_insert(HeaderValue::from_static("nosniff"));
        let elapsed = start.elapsed();
        metrics::record(&method, &route, response.status(), elapsed);
        log(response.status(), elapsed.as_secs_f64() * 1e3);
        response
    }
    .instrument(span)
    .await
}

/// One line per request. Probes and scrapes would drown the rest: their good answers are for
/// debugging alone.
fn log(status: StatusCode, elapsed_ms: f64) {
    let status = status.as_u16();
    if status >= 500 {
        tracing::error!(status, elapsed_ms, "request failed");
    } else {
        tracing::info!(status, elapsed_ms, "request");
    }
}

/// The tenant that a path is about.
fn tenant_of(path: &str) -> Option<Uuid> {
    path.strip_prefix("/v1/tenants/")?.split('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    #[expect(clippy::panic, reason = "the panic is what is tested")]
    async fn panics() {
        panic!("on purpose");
    }

    fn router() -> Router {
        let endless = get(|| tokio::time::sleep(Duration::from_secs(100_000)));
        Router::new()
            .route("/panics", get(panics))
            .route("/endless", endless)
            .layer(from_fn(observe))
    }

    async fn answer(path: &str) -> Response {
        let request =
            Request::builder().uri(path).header("x-request-id", "given").body(Body::empty());
        let Ok(response) = router().oneshot(request.unwrap()).await;
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["x-request-id"], "given");
        response
    }

    #[tokio::test]
    async fn a_panic_is_answered() {
        assert_eq!(answer("/panics").await.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_without_end_is_ended() {
        let start = tokio::time::Instant::now();
        assert_eq!(answer("/endless").await.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(start.elapsed().as_secs(), limits::REQUEST_TIME.as_secs());
    }

    #[test]
    fn the_tenant_is_read_from_the_path() {
        let id = Uuid::from_u128(7);
        assert_eq!(tenant_of(&format!("/v1/tenants/{id}/sites")), Some(id));
        assert_eq!(tenant_of(&format!("/v1/tenants/{id}")), Some(id));
        assert_eq!(tenant_of("/v1/tenants"), None);
        assert_eq!(tenant_of("/v1/tenants/x\"}"), None);
    }
}
