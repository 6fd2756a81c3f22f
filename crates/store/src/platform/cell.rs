//! Cells, on which tenants are placed. Platform work.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use policy::cell::{self, CellName};
use policy::id::Uuid;
use serde_json::{Value, json};

use crate::base::audit::{Audited, Entry};
use crate::base::change::Change;
use crate::base::error::StoreError;
use crate::base::id::new_id;
use crate::base::page::Page;
use crate::base::queries::rows;
use crate::base::tx::PlatformTx;

/// The most cells of a tenant at a time: a move needs two, and a tenant that is served in many
/// regions has one in each.
pub const MAX_PER_TENANT: usize = 16;

/// The most cells: xds-server keeps a set of resources for each.
pub const MAX_CELLS: u32 = 1_000;

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The object of its audit rows, and its place in lists.
    pub id: Uuid,
    /// The `node.cluster` of its Envoys.
    pub name: CellName,
    /// A description for people, at most 200 characters.
    pub description: String,
    /// The number of its tenants.
    pub tenants: i64,
    /// The number of changes, from 1.
    pub revision: i64,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
}

rows! { ($) cell_rows =
    r#"name, id, description, revision, created_at, updated_at,
       (SELECT count(*) FROM tenants t WHERE t.cells @> ARRAY[c.name]) AS "tenants!""#
    => |row| Cell {
        id: row.id,
        // A CHECK of the table says which names there are.
        name: row.name.parse().unwrap_or_default(),
        description: row.description,
        tenants: row.tenants,
        revision: row.revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

impl Audited for Cell {
    fn form(&self) -> Value {
        json!({
            "name": self.name.as_str(),
            "description": self.description,
            "revision": self.revision,
        })
    }
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "cell" };

/// Reads a page of all cells, oldest first.
pub async fn list(tx: &mut PlatformTx, page: Page) -> Result<Vec<Cell>, StoreError> {
    Ok(cell_rows!(
        "SELECT", "FROM cells c WHERE id > $1 ORDER BY id LIMIT $2"; page.after(), page.limit()
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Reads a cell.
pub async fn get(tx: &mut PlatformTx, name: &CellName) -> Result<Cell, StoreError> {
    cell_rows!("SELECT", "FROM cells c WHERE name = $1"; name.as_str())
        .fetch_optional(tx.conn())
        .await?
        .ok_or(NOT_FOUND)
}

/// Makes a cell, which has no tenant yet.
pub async fn create(
    tx: &mut PlatformTx,
    name: &CellName,
    description: &str,
) -> Result<Cell, StoreError> {
    let count = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM cells"#)
        .fetch_one(tx.conn())
        .await?;
    StoreError::at_limit(count, "cells", MAX_CELLS)?;
    let cell = cell_rows!(
        "INSERT INTO cells AS c (name, id, description) VALUES ($1, $2, $3) RETURNING";
        name.as_str(),
        new_id(),
        description
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("cells_pkey", "name", name.as_str())]))?;
    tx.core.record(PlatformTx::PLATFORM, Entry::created("cell.create", cell.id, &cell));
    tx.core.mark(PlatformTx::PLATFORM, Change::Cells);
    Ok(cell)
}

/// Changes the description of a cell.
pub async fn update(
    tx: &mut PlatformTx,
    name: &CellName,
    description: Option<&str>,
    expected_revision: Option<i64>,
) -> Result<Cell, StoreError> {
    lock(tx).await?;
    let before = get(tx, name).await?;
    StoreError::unless_expected(before.revision, expected_revision)?;
    let after = cell_rows!(
        "UPDATE cells c SET description = coalesce($2, description),
                revision = revision + 1, updated_at = now()
         WHERE name = $1 RETURNING";
        name.as_str(),
        description
    )
    .fetch_one(tx.conn())
    .await?;
    tx.core.record(PlatformTx::PLATFORM, Entry::updated("cell.update", after.id, &before, &after));
    Ok(after)
}

/// Removes a cell without tenants.
///
/// # Errors
/// [`StoreError::InUse`] while it has tenants; the cell `default` is always in use, by tenants to
/// come.
pub async fn delete(
    tx: &mut PlatformTx,
    name: &CellName,
    expected_revision: Option<i64>,
) -> Result<(), StoreError> {
    lock(tx).await?;
    let cell = get(tx, name).await?;
    StoreError::unless_expected(cell.revision, expected_revision)?;
    if cell.tenants > 0 || name.as_str() == cell::DEFAULT {
        return Err(StoreError::InUse { what: "cell", by: "tenant" });
    }
    sqlx::query!("DELETE FROM cells WHERE name = $1", name.as_str()).execute(tx.conn()).await?;
    tx.core.record(PlatformTx::PLATFORM, Entry::deleted("cell.delete", cell.id, &cell));
    tx.core.mark(PlatformTx::PLATFORM, Change::Cells);
    Ok(())
}

/// Proves that a tenant can be placed on these cells, and lets none of them be removed until the
/// end of the transaction.
///
/// # Errors
/// [`StoreError::Invalid`] if one of them does not exist, or if there are none or too many.
pub(crate) async fn hold(
    tx: &mut PlatformTx,
    cells: &BTreeSet<CellName>,
) -> Result<(), StoreError> {
    let invalid = |reason| StoreError::Invalid { field: "cells", reason };
    if cells.is_empty() || cells.len() > MAX_PER_TENANT {
        return Err(invalid(format!("a tenant is placed on 1 to {MAX_PER_TENANT} cells")));
    }
    let wanted = texts(cells);
    let found = sqlx::query_scalar!(
        "SELECT name FROM cells WHERE name = ANY($1) ORDER BY name FOR SHARE",
        &wanted
    )
    .fetch_all(tx.conn())
    .await?;
    match wanted.iter().find(|name| !found.contains(name)) {
        Some(missing) => Err(invalid(format!("there is no cell `{missing}`; make it first"))),
        None => Ok(()),
    }
}

pub(crate) fn texts(cells: &BTreeSet<CellName>) -> Vec<String> {
    cells.iter().map(ToString::to_string).collect()
}

/// Parses names of cells. Others than a CHECK of `cells` allows are left out: no placement has any.
pub(crate) fn names(cells: Vec<String>) -> BTreeSet<CellName> {
    cells.into_iter().filter_map(|name| name.parse().ok()).collect()
}

/// Lets no other transaction make, change or remove a cell, or place a tenant. It is rare work.
async fn lock(tx: &mut PlatformTx) -> Result<(), StoreError> {
    sqlx::query!("LOCK TABLE cells IN EXCLUSIVE MODE").execute(tx.conn()).await?;
    Ok(())
}
