//! One item of a bulk request: read, allowed and done as the request that does the same to one
//! site.

use axum::http::StatusCode;
use policy::id::SiteId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use store::{TenantTx, site};
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::copy::SiteCopy;
use super::super::model::{NewSite, SiteChanges};
use crate::app::App;
use crate::forms::ids::canonical;
use crate::http::body::{self, present};
use crate::http::caller::Caller;
use crate::http::etag::etag;
use crate::http::extract::Expected;
use crate::http::problem::{Problem, ProblemBody};

/// An operation on one site; `op` names it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(super) enum BulkItem {
    Create(CreateItem),
    Update(UpdateItem),
    Delete(DeleteItem),
    Clone(CloneItem),
}

/// Makes a site.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum CreateOp {
    Create,
}

/// Changes a site.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum UpdateOp {
    Update,
}

/// Removes a site with everything in it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum DeleteOp {
    Delete,
}

/// Copies a site.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum CloneOp {
    Clone,
}

/// Makes a site.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateItem {
    #[serde(rename = "op")]
    _op: CreateOp,
    /// The new site.
    site: NewSite,
}

/// Changes a site.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateItem {
    #[serde(rename = "op")]
    _op: UpdateOp,
    /// The site.
    #[serde(deserialize_with = "canonical")]
    #[schema(value_type = Uuid)]
    site_id: SiteId,
    /// Change it only if it still has this entity tag.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, max_length = 100, example = "\"1\"")]
    if_match: Option<String>,
    /// The changes.
    changes: SiteChanges,
}

/// Removes a site with everything in it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeleteItem {
    #[serde(rename = "op")]
    _op: DeleteOp,
    /// The site.
    #[serde(deserialize_with = "canonical")]
    #[schema(value_type = Uuid)]
    site_id: SiteId,
    /// Remove it only if it still has this entity tag.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, max_length = 100, example = "\"1\"")]
    if_match: Option<String>,
}

/// Copies a site.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CloneItem {
    #[serde(rename = "op")]
    _op: CloneOp,
    /// The original.
    #[serde(deserialize_with = "canonical")]
    #[schema(value_type = Uuid)]
    site_id: SiteId,
    /// The copy's own properties.
    site: SiteCopy,
}

/// The kind of an item; the rest is read once that is known, so that faults can be named.
#[derive(Deserialize)]
struct Kind {
    op: Op,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Op {
    Create,
    Update,
    Delete,
    Clone,
}

/// The outcome of an item.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ItemResult {
    /// The HTTP status of the request that does the same to one site.
    #[schema(minimum = 200, maximum = 599)]
    status: u16,
    /// The site: the new one of `create` and `clone`; null if there is none.
    #[schema(required = true)]
    site_id: Option<Uuid>,
    /// Its entity tag as it is now; null if it is gone, or the item was refused.
    #[schema(required = true)]
    etag: Option<String>,
    /// The reason of the refusal; null if the item is done.
    #[schema(required = true)]
    problem: Option<ProblemBody>,
}

impl ItemResult {
    /// The result of a refused item; `site` is the site that it names.
    pub(super) fn refused(site: Option<SiteId>, problem: Problem) -> Self {
        let problem = problem.into_body();
        Self {
            status: problem.status(),
            site_id: site.map(Into::into),
            etag: None,
            problem: Some(problem),
        }
    }

    fn of(status: StatusCode, site: &site::Site) -> Self {
        Self {
            status: status.as_u16(),
            site_id: Some(site.id.into()),
            etag: Some(etag(site.revision)),
            problem: None,
        }
    }
}

impl BulkItem {
    /// The operation that does the same to one site.
    fn operation(&self) -> &'static str {
        match self {
            Self::Create(_) => "createSite",
            Self::Update(_) => "updateSite",
            Self::Delete(_) => "deleteSite",
            Self::Clone(_) => "cloneSite",
        }
    }

    /// The site that it names.
    fn site(&self) -> Option<SiteId> {
        match self {
            Self::Create(_) => None,
            Self::Update(UpdateItem { site_id, .. })
            | Self::Delete(DeleteItem { site_id, .. })
            | Self::Clone(CloneItem { site_id, .. }) => Some(*site_id),
        }
    }
}

/// Reads an item, and asks whether its caller may do it. Answers the site that it names, too.
pub(super) fn read(
    caller: &Caller,
    item: &RawValue,
) -> (Option<SiteId>, Result<BulkItem, Problem>) {
    match parse(item) {
        Ok(item) => (item.site(), caller.may(item.operation(), item.site()).map(|()| item)),
        Err(problem) => (None, Err(problem)),
    }
}

fn parse(item: &RawValue) -> Result<BulkItem, Problem> {
    let bytes = item.get().as_bytes();
    Ok(match body::parse::<Kind>(bytes)?.op {
        Op::Create => BulkItem::Create(body::parse(bytes)?),
        Op::Update => BulkItem::Update(body::parse(bytes)?),
        Op::Delete => BulkItem::Delete(body::parse(bytes)?),
        Op::Clone => BulkItem::Clone(body::parse(bytes)?),
    })
}

/// Runs an item.
pub(super) async fn run(
    app: &App,
    tx: &mut TenantTx,
    item: BulkItem,
) -> Result<ItemResult, Problem> {
    match item {
        BulkItem::Create(item) => {
            let new =
                item.site.checked(&app.base_domain).map_err(|problem| problem.below("site"))?;
            Ok(ItemResult::of(StatusCode::CREATED, &site::create(tx, new).await?))
        }
        BulkItem::Update(item) => {
            let expected = revision(item.if_match.as_deref())?;
            let changes = item.changes.checked().map_err(|problem| problem.below("changes"))?;
            Ok(ItemResult::of(
                StatusCode::OK,
                &site::update(tx, item.site_id, changes, expected).await?,
            ))
        }
        BulkItem::Delete(item) => {
            let expected = revision(item.if_match.as_deref())?;
            site::delete(tx, item.site_id, expected).await?;
            let status = StatusCode::NO_CONTENT.as_u16();
            Ok(ItemResult { status, site_id: Some(item.site_id.into()), etag: None, problem: None })
        }
        BulkItem::Clone(item) => {
            let new =
                item.site.checked(&app.base_domain).map_err(|problem| problem.below("site"))?;
            let copy = site::copy(tx, item.site_id, new, app.secrets.as_deref()).await?;
            Ok(ItemResult::of(StatusCode::CREATED, &copy))
        }
    }
}

fn revision(if_match: Option<&str>) -> Result<Option<i64>, Problem> {
    let Some(text) = if_match else { return Ok(None) };
    Ok(Expected::parse(text).map_err(|message| Problem::field("if_match", message))?.0)
}
