//! Members: the people of a tenant, with their roles there.

mod delete;
mod get;
mod list;
mod mine;
mod model;
mod update;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::App;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(get::get, update::update, delete::delete))
        .routes(routes!(mine::mine))
}
