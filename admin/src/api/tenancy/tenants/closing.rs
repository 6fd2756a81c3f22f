//! `POST` and `DELETE /v1/tenants/{tenant_id}/closing`.

use axum::extract::State;
use axum::response::Response;
use chrono::TimeDelta;
use serde::Deserialize;
use store::tenant::{self, Course};
use utoipa::ToSchema;

use super::model::Tenant;
use crate::app::App;
use crate::forms::check::Check;
use crate::forms::ids::TenantPath;
use crate::http::answer::{Answer, no_content};
use crate::http::body::present;
use crate::http::caller::Caller;
use crate::http::extract::{Expected, IdPath, PostBody};
use crate::http::problem::Problem;

/// The days after which a tenant is erased unless its Admin chooses others.
const DAYS: i64 = 30;
/// The longest grace: a year.
const MAX_DAYS: i64 = 365;

/// The time of a tenant's erasure.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Closing {
    /// The number of days.
    #[serde(default, deserialize_with = "present")]
    #[schema(minimum = 1, maximum = 365, default = 30, nullable = false)]
    days: Option<i64>,
}

/// Closes a tenant.
///
/// It is served until `closes_at`, which all its members see. Then its traffic ends, and it is
/// erased with everything that it has; only its audit log stays, and the accounts of its members,
/// which are theirs. Until then it can be kept. A second call sets another day. A tenant that is
/// suspended is not erased: it closes when it is served again.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/closing",
    operation_id = "closeTenant", tag = "Tenants", params(TenantPath), request_body = Closing,
    responses((status = 200, description = "The tenant as it is now.", body = Tenant)))]
pub(super) async fn close(
    State(app): State<App>,
    IdPath(at): IdPath<TenantPath>,
    post: PostBody<Closing>,
) -> Result<Response, Problem> {
    let days = post.body.days.unwrap_or(DAYS);
    let mut check = Check::new();
    check.range("days", days, &(1..=MAX_DAYS));
    check.finish()?;
    let course = Course::Close { at: (app.clock)() + TimeDelta::days(days) };
    let mut tx = app.store.platform(&post.caller.actor()).await?;
    if let Some(answer) = post.once.replay(&mut tx).await? {
        return Ok(answer);
    }
    let tenant = Tenant::from(tenant::set_course(&mut tx, at.tenant_id, course, None).await?);
    post.once.finish(tx, Answer::object(&tenant)?).await
}

/// Keeps a tenant that is closing, or would be if it were not suspended.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/closing",
    operation_id = "keepTenant", tag = "Tenants", params(TenantPath),
    responses((status = 204, description = "It is not to be erased any more.")))]
pub(super) async fn keep(
    State(app): State<App>,
    IdPath(at): IdPath<TenantPath>,
    caller: Caller,
    expected: Expected,
) -> Result<Response, Problem> {
    let mut tx = app.store.platform(&caller.actor()).await?;
    tenant::set_course(&mut tx, at.tenant_id, Course::Keep, expected.0).await?;
    tx.commit().await?;
    Ok(no_content())
}
