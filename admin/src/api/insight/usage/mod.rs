//! Usage: sums over the requests of a tenant.

mod model;
mod of_site;
mod of_tenant;
mod page;
mod query;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::App;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(of_tenant::of_tenant)).routes(routes!(of_site::of_site))
}
