//! Tenants, their members, and the tokens of their programs.

mod grant;
mod invitations;
mod members;
mod service_tokens;
mod tenants;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(tenants::router())
        .merge(members::router())
        .merge(invitations::router())
        .merge(service_tokens::router())
}
