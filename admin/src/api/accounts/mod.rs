//! Accounts of people: login, the own account, and sign-up.

mod auth;
mod me;
mod signups;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(auth::router()).merge(me::router()).merge(signups::router())
}
