//! Probes, metrics and the OpenAPI document of this program.

pub(super) mod live;
pub(super) mod metrics;
pub(super) mod ready;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::docs;
use crate::app::App;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(live::live))
        .routes(routes!(ready::ready))
        .routes(routes!(metrics::metrics))
        .routes(routes!(docs::openapi))
}
