//! `POST /v1/tenants/{tenant_id}/sites/bulk`.

mod item;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use store::{Work, site, tenant};
use utoipa::ToSchema;

use item::{BulkItem, ItemResult};

use crate::app::App;
use crate::forms::ids::TenantPath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PostBody};
use crate::http::problem::Problem;

/// The items of one request: all of them are one transaction, and other changes of the tenant wait
/// for it.
const ITEMS: usize = 100;

/// Operations on many sites.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Bulk {
    /// The operations, in this order.
    #[schema(value_type = Vec<BulkItem>, min_items = 1, max_items = 100)]
    items: Vec<Box<RawValue>>,
    /// True if nothing is done unless all of it can be. If not, each item is done or refused by
    /// itself.
    #[serde(default)]
    #[schema(default = false)]
    atomic: bool,
}

/// The outcome of each item.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BulkResult {
    /// One result for each item, in the same order.
    items: Vec<ItemResult>,
}

/// Creates, changes, removes and copies many sites at once.
///
/// Each item is allowed and refused like the request that does the same to one site, and has a
/// result of its own. With `atomic`, the first item that is refused is the answer, and nothing is
/// done. Repeated with the same `Idempotency-Key`, all of it is done once.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/sites/bulk",
    operation_id = "bulkSites", tag = "Sites", params(TenantPath),
    request_body = Bulk,
    responses((status = 200, description = "The outcome of each item.", body = BulkResult)))]
pub(super) async fn bulk(
    State(app): State<App>,
    IdPath(at): IdPath<TenantPath>,
    post: PostBody<Bulk>,
) -> Result<Response, Problem> {
    let Bulk { items, atomic } = post.body;
    if items.is_empty() || items.len() > ITEMS {
        return Err(Problem::field("items", format!("must have 1 to {ITEMS} items")));
    }
    let mut tx = app.store.with_work(Work::Long).tenant(at.tenant_id, &post.caller.actor()).await?;
    if let Some(answer) = post.once.replay(&mut tx).await? {
        return Ok(answer);
    }
    tenant::require(&mut tx).await?;
    let items: Vec<_> = items.iter().map(|item| item::read(&post.caller, item)).collect();
    // Items that their caller may not do take no lock, so they hold nobody up.
    let allowed = || items.iter().filter(|(_, item)| item.is_ok());
    if allowed().next().is_some() {
        let named: Vec<_> = allowed().filter_map(|(named, _)| *named).collect();
        site::lock_all(&mut tx, &named).await?;
    }
    let mut results = Vec::with_capacity(items.len());
    for (index, (named, item)) in items.into_iter().enumerate() {
        let before = tx.savepoint().await?;
        let done = match item {
            Ok(item) => item::run(&app, &mut tx, item).await,
            Err(problem) => Err(problem),
        };
        match done {
            Ok(done) => {
                tx.keep(before).await?;
                results.push(done);
            }
            Err(problem) if atomic => {
                return Err(problem.in_item(index));
            }
            Err(problem) => {
                tx.undo(before).await?;
                results.push(ItemResult::refused(named, problem));
            }
        }
    }
    post.once.finish(tx, Answer::json(StatusCode::OK, &BulkResult { items: results })?).await
}
