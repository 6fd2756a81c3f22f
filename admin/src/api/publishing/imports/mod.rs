//! Making routes out of an OpenAPI description.

mod create;
mod document;
mod model;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::App;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create::create))
}
