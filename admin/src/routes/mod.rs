//! The operations: `<noun>/<verb>.rs`.

mod apis;
mod audit;
mod auth;
mod cells;
mod collision;
mod consumers;
mod grant;
mod hostnames;
mod ids;
mod imports;
mod invitations;
mod issuers;
mod keys;
mod me;
mod members;
mod plans;
mod platform_plans;
#[allow(clippy::module_inception, reason = "the noun is called that")]
mod routes;
mod service;
mod service_tokens;
mod signing_keys;
mod signups;
mod sites;
mod status;
mod tenants;
mod upstreams;
mod usage;
mod versions;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// All operations, in the order in which things are set up.
pub fn all() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(cells::router())
        .merge(platform_plans::router())
        .merge(tenants::router())
        .merge(members::router())
        .merge(invitations::router())
        .merge(service_tokens::router())
        .merge(sites::router())
        .merge(hostnames::router())
        .merge(upstreams::router())
        .merge(apis::router())
        .merge(versions::router())
        .merge(imports::router())
        .merge(routes::router())
        .merge(plans::router())
        .merge(issuers::router())
        .merge(consumers::router())
        .merge(keys::router())
        .merge(signing_keys::router())
        .merge(usage::router())
        .merge(status::router())
        .merge(audit::router())
        .merge(auth::router())
        .merge(me::router())
        .merge(signups::router())
        .merge(service::router())
}
