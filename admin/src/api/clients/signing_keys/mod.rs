//! Signing keys: a consumer signs its requests with them. The secret of an HMAC key is in the
//! answer that made it, and sealed in the database.

mod create;
mod get;
mod list;
mod model;
mod public_key;
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
