//! Published APIs: sites with hostnames, upstreams, versions, routes, plans and issuers.

mod apis;
mod collision;
mod hostnames;
mod imports;
mod issuers;
mod plans;
mod routes;
mod sites;
mod upstreams;
mod versions;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(sites::router())
        .merge(hostnames::router())
        .merge(upstreams::router())
        .merge(apis::router())
        .merge(versions::router())
        .merge(imports::router())
        .merge(routes::router())
        .merge(plans::router())
        .merge(issuers::router())
}
