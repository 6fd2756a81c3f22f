//! Logging in, staying so, and out.

mod jwks;
mod login;
mod logout;
mod model;
mod password_reset;
mod password_reset_confirm;
mod refresh;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::App;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(login::login))
        .routes(routes!(refresh::refresh))
        .routes(routes!(logout::logout))
        .routes(routes!(jwks::jwks))
        .routes(routes!(password_reset::request))
        .routes(routes!(password_reset_confirm::confirm))
}
