//! Tenants.

mod closing;
mod contact;
mod create;
mod delete;
mod get;
mod limits;
mod list;
pub(super) mod model;
mod placement;
mod profile;
mod status;
mod update;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::App;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::create, list::list))
        .routes(routes!(get::get, update::update, delete::delete))
        .routes(routes!(limits::get))
        .routes(routes!(profile::update))
        .routes(routes!(status::update))
        .routes(routes!(closing::close, closing::keep))
}
