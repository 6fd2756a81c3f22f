//! Platform plans.

pub(super) mod allowance;
mod create;
mod delete;
mod get;
mod list;
mod model;
mod update;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::App;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create::create, list::list)).routes(routes!(
        get::get,
        update::update,
        delete::delete
    ))
}
