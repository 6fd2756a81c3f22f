//! The outermost layer of every request: its id, its log line, its metrics, its time limit, and the
//! answer to a panic.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{FromRequestParts as _, MatchedPath, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;
use policy::trace_parent::TraceParent;
use service::traces;
use tracing::Instrument as _;

use crate::bounds;
use crate::http::caller::RequestId;
use crate::http::problem::request::{INTERNAL, TIMEOUT};
use crate::http::request_id;
use crate::metrics;
use crate::receipt;
use crate::rights::access::{Access, AccessTable};
use crate::rights::place::Place;

/// The route of requests that match none, in logs and metrics.
const UNMATCHED: &str = "unmatched";

/// The outermost layer.
pub async fn observe(
    State(access): State<Arc<AccessTable>>,
    request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let (mut parts, body) = request.into_parts();
    let id = request_id::of(&parts.headers);
    let place = place_of(&mut parts).await;
    parts.extensions.insert(RequestId(id.clone()));
    parts.extensions.insert(place);
    let request = Request::from_parts(parts, body);
    let pattern = request.extensions().get::<MatchedPath>();
    let route = pattern.map_or(UNMATCHED, MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let tenant = place.tenant().map(|tenant| tenant.to_string());
    let span = tracing::info_span!(
        "request",
        request_id = %id,
        tenant = tenant.as_deref(),
        %method,
        route
    );
    if let Some(parent) = trace_parent(request.headers()) {
        traces::continue_from(&span, parent);
    }
    let time = match access.find(&route, &method) {
        Access::For(rule) => rule.operation.time,
        Access::OtherMethods(_) | Access::None => bounds::REQUEST_TIME,
    };
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

/// The place in the caller's trace (W3C Trace Context, section 3.2): one header, or none.
fn trace_parent(headers: &HeaderMap) -> Option<TraceParent> {
    let mut given = headers.get_all("traceparent").iter();
    let (Some(value), None) = (given.next(), given.next()) else { return None };
    value.to_str().ok()?.parse().ok()
}

/// Reads the parameters that the router has matched: the same that handlers get.
async fn place_of(parts: &mut Parts) -> Place {
    let (mut tenant, mut site) = (None, None);
    if let Ok(parameters) = RawPathParams::from_request_parts(parts, &()).await {
        for (name, value) in &parameters {
            match name {
                "tenant_id" => tenant = Some(value.parse().ok()),
                "site_id" => site = Some(value.parse().ok()),
                _ => {}
            }
        }
    }
    match (tenant, site) {
        (tenant, Some(site)) => Place::Site(tenant.flatten(), site),
        (Some(tenant), None) => Place::Tenant(tenant),
        (None, None) => Place::Platform,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use axum::{Extension, Router};
    use policy::id::{SiteId, TenantId};
    use tower::ServiceExt as _;
    use uuid::Uuid;

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
            .layer(from_fn_with_state(Arc::new(AccessTable::default()), observe))
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
        assert_eq!(start.elapsed().as_secs(), bounds::REQUEST_TIME.as_secs());
    }

    #[tokio::test]
    async fn tenant_and_site_are_read_from_the_path() {
        let place = get(|Extension(place): Extension<Place>| async move { format!("{place:?}") });
        let router = Router::new()
            .route("/v1/tenants", place.clone())
            .route("/v1/tenants/{tenant_id}", place.clone())
            .route("/v1/tenants/{tenant_id}/sites/{site_id}/keys", place)
            .layer(from_fn_with_state(Arc::new(AccessTable::default()), observe));
        let id = Uuid::from_u128(7);
        let (tenant, site) = (Some(TenantId(id)), Some(SiteId(id)));
        for (path, expected) in [
            ("/v1/tenants".to_owned(), Place::Platform),
            (format!("/v1/tenants/{id}"), Place::Tenant(tenant)),
            ("/v1/tenants/x%22%7D".to_owned(), Place::Tenant(None)),
            (format!("/v1/tenants/{id}/sites/{id}/keys"), Place::Site(tenant, site)),
            (format!("/v1/tenants/{id}/sites/x/keys"), Place::Site(tenant, None)),
        ] {
            let request = Request::builder().uri(&path).body(Body::empty()).unwrap();
            let Ok(response) = router.clone().oneshot(request).await;
            let body = axum::body::to_bytes(response.into_body(), 1_000).await.unwrap();
            assert_eq!(body, format!("{expected:?}"), "{path}");
        }
    }

    #[test]
    fn a_trace_is_continued_from_one_header() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let mut headers = HeaderMap::new();
        assert_eq!(trace_parent(&headers), None);
        headers.append("traceparent", HeaderValue::from_static(text));
        assert_eq!(trace_parent(&headers).map(|parent| parent.to_string()), Some(text.to_owned()));
        headers.append("traceparent", HeaderValue::from_static(text));
        assert_eq!(trace_parent(&headers), None, "two headers are no place");
    }
}
