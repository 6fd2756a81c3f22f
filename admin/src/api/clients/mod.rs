//! Callers of the published APIs: consumers and their keys.

mod consumers;
mod keys;
mod signing_keys;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(consumers::router())
        .merge(keys::router())
        .merge(signing_keys::router())
}
