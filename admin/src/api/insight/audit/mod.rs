//! The audit log: every change with its actor, time and address.

mod csv;
mod cursor;
mod export;
mod export_platform;
mod export_tenant;
mod model;
mod of_platform;
mod of_tenant;
mod query;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::App;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(of_tenant::of_tenant))
        .routes(routes!(export_tenant::export))
        .routes(routes!(of_platform::of_platform))
        .routes(routes!(export_platform::export))
}
