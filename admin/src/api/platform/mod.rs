//! The platform itself: cells, platform plans, and probes of this program.

mod cells;
mod platform_plans;
mod service;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(cells::router())
        .merge(platform_plans::router())
        .merge(service::router())
}
