//! The account of the caller: its name, sessions, password and second factor.

mod confirm_totp;
mod disable_totp;
mod end_session;
mod enrol_totp;
mod erase;
mod get;
mod model;
mod password;
mod sessions;
mod update;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::App;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get::get, update::update))
        .routes(routes!(password::change))
        .routes(routes!(sessions::list))
        .routes(routes!(end_session::end))
        .routes(routes!(enrol_totp::enrol))
        .routes(routes!(confirm_totp::confirm))
        .routes(routes!(disable_totp::disable))
        .routes(routes!(erase::erase))
}
