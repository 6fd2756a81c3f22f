//! The operations: `<context>/<noun>/<verb>.rs`.

mod accounts;
mod clients;
pub mod docs;
mod insight;
pub mod openapi;
mod platform;
mod publishing;
mod tenancy;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// All operations, in the order in which things are set up.
pub fn all() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(platform::router())
        .merge(tenancy::router())
        .merge(publishing::router())
        .merge(clients::router())
        .merge(insight::router())
        .merge(accounts::router())
}
