//! `POST /v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}/versions/{version_id}/import`.

use std::collections::HashMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use store::route::{self, RouteSpec, VersionRef};
use store::{Page, TenantTx, Work, site};

use super::document::Document;
use super::model::{ImportQuery, ImportResult};
use crate::api::publishing::collision;
use crate::app::App;
use crate::forms::ids::VersionPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, StrictQuery};
use crate::http::problem::Problem;

/// Replaces the routes of a version by the operations of an OpenAPI 3.0 or 3.1 description.
///
/// A route whose method and path stay keeps its id, its own upstream and its settings. `dry_run`
/// only shows the changes.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}/versions/{version_id}/import",
    operation_id = "importRoutes",
    tag = "Import",
    params(VersionPath, ImportQuery),
    request_body(
        description = "The description, as JSON or YAML; 32 MiB and 5,000 operations at most.",
        content((serde_json::Value = "application/json"), (String = "application/yaml")),
    ),
    responses(
        (
            status = 200,
            description = "The changes that were made, or would be.",
            body = ImportResult,
        ),
    ),
)]
pub(super) async fn create(
    State(app): State<App>,
    IdPath(at): IdPath<VersionPath>,
    StrictQuery(query): StrictQuery<ImportQuery>,
    document: Document,
) -> Result<Response, Problem> {
    let mut tx =
        app.store.with_work(Work::Long).tenant(at.tenant_id, &document.caller.actor()).await?;
    if !query.dry_run
        && let Some(answer) = document.once.replay(&mut tx).await?
    {
        return Ok(answer);
    }
    site::lock(&mut tx, at.site_id).await?;
    let mut wanted = document.routes;
    keep_upstreams(&mut tx, at.version(), &mut wanted).await?;
    let outcome = route::replace_all(&mut tx, at.version(), wanted).await?;
    collision::refuse_any(&mut tx, at.site_id, "").await?;
    let answer = Answer::json(
        StatusCode::OK,
        &ImportResult::new(query.dry_run, outcome, document.warnings),
    )?;
    if query.dry_run {
        return Ok(answer.into_response());
    }
    document.once.finish(tx, answer).await
}

/// Lets the routes that stay keep an upstream of their own: a description cannot know of it.
async fn keep_upstreams(
    tx: &mut TenantTx,
    version: VersionRef,
    wanted: &mut [RouteSpec],
) -> Result<(), Problem> {
    let existing = route::list(tx, version, Page::first(route::MAX_PER_SITE)).await?;
    let own: HashMap<_, _> = existing
        .iter()
        .filter_map(|route| Some(((route.methods, route.path.as_str()), route.upstream_id?)))
        .collect();
    for spec in wanted {
        spec.upstream_id = own.get(&(spec.methods, spec.path.as_str())).copied();
    }
    Ok(())
}
