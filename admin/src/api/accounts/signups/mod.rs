//! Organisations that sign up by themselves.

mod approve;
mod create;
mod list;
mod model;
mod reject;
mod verify;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::App;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::create))
        .routes(routes!(verify::verify))
        .routes(routes!(list::list))
        .routes(routes!(reject::reject))
        .routes(routes!(approve::approve))
}
