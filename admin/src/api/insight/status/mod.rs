//! The progress of changes: the status of a site, and the connected Envoys.

mod envoys;
mod of_site;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::App;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(of_site::of_site)).routes(routes!(envoys::list))
}
