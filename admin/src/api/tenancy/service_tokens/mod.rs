//! Service tokens. The text of a token exists in the answer that made it, and nowhere else.

mod create;
mod get;
mod list;
mod model;
mod revoke;
mod update;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::App;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create::create, list::list)).routes(routes!(
        get::get,
        update::update,
        revoke::revoke
    ))
}
