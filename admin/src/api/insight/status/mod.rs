//! How far changes have come: the status of a site, and the Envoys that are connected.

mod envoys;
mod of_site;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::App;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(of_site::of_site)).routes(routes!(envoys::list))
}
