//! `GET /v1/me/tenants`.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use store::account::AccountId;
use store::member;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::tenancy::grant::{self, RoleName, SiteRole};
use crate::api::tenancy::tenants::model::StatusName;
use crate::app::App;
use crate::forms::page::{Page, PageQuery};
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::StrictQuery;
use crate::http::problem::Problem;

/// A tenant that the caller is a member of.
#[derive(Debug, Serialize, ToSchema)]
struct Membership {
    /// The tenant.
    tenant_id: Uuid,
    /// Its name.
    name: String,
    /// Its short name, unique on the platform.
    #[schema(required = true)]
    slug: Option<String>,
    /// The state of the tenant.
    status: StatusName,
    /// True if the tenant turns away sessions without a second factor.
    require_mfa: bool,
    /// The caller's role in the tenant; null for roles in some sites alone.
    #[schema(required = true)]
    role: Option<RoleName>,
    /// The caller's roles in single sites.
    sites: Vec<SiteRole>,
}

impl From<member::Membership> for Membership {
    fn from(row: member::Membership) -> Self {
        Self {
            tenant_id: row.tenant.into(),
            name: row.name,
            slug: row.slug,
            status: row.status.into(),
            require_mfa: row.require_mfa,
            role: grant::role(&row.standing),
            sites: grant::sites(&row.standing),
        }
    }
}

/// Lists the tenants that the caller is a member of.
///
/// The one that a request is about is in its path: there is nothing to switch.
#[utoipa::path(
    get,
    path = "/v1/me/tenants",
    operation_id = "listMyTenants",
    tag = "Members",
    params(PageQuery),
    responses((status = 200, description = "A page of tenants.", body = Page<Membership>)),
)]
pub(super) async fn mine(
    State(app): State<App>,
    StrictQuery(query): StrictQuery<PageQuery>,
    caller: Caller,
) -> Result<Answer, Problem> {
    let wanted = query.wanted()?;
    let account = AccountId(caller.account()?);
    let mut tx = app.store.platform(&caller.actor()).await?;
    let rows = member::memberships(&mut tx, account, wanted.rows()).await?;
    let page: Page<Membership> = wanted.page(rows, |row| row.tenant.into());
    Answer::json(StatusCode::OK, &page)
}
