//! The OpenAPI document, and the pages that show it. The pages come out of this program, load
//! nothing from elsewhere, and work without a network.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Extension, Path};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::Config;

use crate::http::problem::Problem;
use crate::http::problem::request::{INTERNAL, NO_SUCH_PATH};

/// Allows only content of this program. Swagger UI sets styles from its script, and has its icons
/// in `data:` URLs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action \
                      'none'; frame-ancestors 'none'";

/// The document as it is served, written once.
#[derive(Clone)]
pub struct Document(Bytes);

impl Document {
    /// Writes the document.
    pub fn of(document: &OpenApi) -> Self {
        Self(document.to_json().unwrap_or_default().into())
    }
}

/// The OpenAPI document of this API.
#[utoipa::path(get, path = "/openapi.json", operation_id = "openapi", tag = "Service",
    responses((status = 200, description = "An OpenAPI 3.1 document.", body = serde_json::Value)))]
pub async fn openapi(Extension(document): Extension<Document>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document.0).into_response()
}

/// The pages.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/docs", get(|| async { Redirect::permanent("/docs/") }))
        .route("/docs/", get(|| page(Path(String::new()))))
        .route("/docs/{*file}", get(page))
}

async fn page(Path(file): Path<String>) -> Result<Response, Problem> {
    let config = Arc::new(Config::from("/openapi.json").validator_url("none"));
    let found = utoipa_swagger_ui::serve(&file, config).map_err(|error| {
        tracing::error!(%error, "a page of the documentation could not be made");
        INTERNAL.problem()
    })?;
    let page = found.ok_or(&NO_SUCH_PATH)?;
    let mut response = page.bytes.into_response();
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_str(&page.content_type).map_err(|_| &INTERNAL)?;
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}
