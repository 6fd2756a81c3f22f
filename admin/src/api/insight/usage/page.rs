//! One page of usage.

use policy::id::SiteId;
use store::{TenantTx, usage};

use super::model::{Usage, UsageItem};
use super::query::{Asked, cursor_of};
use crate::http::problem::Problem;

/// Reads one page, of a site or of all that the tenant has or had.
pub(super) async fn page(
    tx: &mut TenantTx,
    site: Option<SiteId>,
    asked: Asked,
) -> Result<Usage, Problem> {
    // One row more than the page, to know whether there is a next one.
    let limit = asked.query.limit;
    let query = usage::Query { site, limit: limit.saturating_add(1), ..asked.query };
    let mut rows = usage::read(tx, &query).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_cursor =
        rows.last().filter(|_| more).map(|row| cursor_of(&asked.query, &row.position));
    let items = rows.iter().map(|row| UsageItem::of(row, query.grouping)).collect();
    Ok(Usage { from: query.from, to: query.to, step: query.step.into(), items, next_cursor })
}
