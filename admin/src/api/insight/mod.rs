//! Insight: usage, the status of changes, and the audit log.

mod audit;
mod status;
mod usage;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(usage::router()).merge(status::router()).merge(audit::router())
}
