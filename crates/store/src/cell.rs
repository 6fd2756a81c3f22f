//! Cells, and which of them tenants are placed on. Platform work.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use policy::cell::{self, CellName};
use policy::id::{SiteId, TenantId, Uuid};
use serde_json::{Value, json};

use crate::audit::{Audited, Entry};
use crate::change::Change;
use crate::tx::PlatformTx;
use crate::{StoreError, credential, tenant};

/// How many cells a tenant may be placed on at a time: a move needs two, and a tenant that is served in many regions has one in each.
pub const MAX_PER_TENANT: usize = 16;

/// How many cells there may be: xds-server keeps a set of resources for each.
pub const MAX_CELLS: u32 = 1_000;

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What its Envoys have as `node.cluster`.
    pub name: CellName,
    /// What people say about it, at most 200 characters.
    pub description: String,
    /// How many tenants are placed on it.
    pub tenants: i64,
    /// Counts the changes, from 1.
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// The cells of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Where it is placed: one cell at least.
    pub cells: BTreeSet<CellName>,
    /// The revision of the tenant, of which the placement is a part.
    pub revision: i64,
}

struct Record {
    name: String,
    id: Uuid,
    description: String,
    tenants: i64,
    revision: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Record> for Cell {
    fn from(record: Record) -> Self {
        Self {
            // A CHECK of the table says what a name may be.
            name: record.name.parse().unwrap_or_default(),
            description: record.description,
            tenants: record.tenants,
            revision: record.revision,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}

impl Audited for Cell {
    fn form(&self) -> Value {
        json!({ "name": self.name.as_str(), "description": self.description, "revision": self.revision })
    }
}

impl Audited for Placement {
    fn form(&self) -> Value {
        let cells: Vec<_> = self.cells.iter().map(CellName::as_str).collect();
        json!({ "cells": cells, "revision": self.revision })
    }
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "cell" };

/// Reads all cells, in the order of their names.
pub async fn list(tx: &mut PlatformTx) -> Result<Vec<Cell>, StoreError> {
    let records = sqlx::query_as!(
        Record,
        r#"SELECT name, id, description, revision, created_at, updated_at,
                  (SELECT count(*) FROM tenants t WHERE t.cells @> ARRAY[c.name]) AS "tenants!"
           FROM cells c ORDER BY name"#
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(records.into_iter().map(Cell::from).collect())
}

/// Reads a cell.
pub async fn get(tx: &mut PlatformTx, name: &CellName) -> Result<Cell, StoreError> {
    read(tx, name).await?.map(Cell::from).ok_or(NOT_FOUND)
}

/// Makes a cell, or changes the one that there is; says whether it was made.
pub async fn put(
    tx: &mut PlatformTx,
    name: &CellName,
    description: &str,
    expected_revision: Option<i64>,
) -> Result<(Cell, bool), StoreError> {
    lock_names(tx).await?;
    let before = read(tx, name).await?;
    let Some(before) = before else {
        if let Some(expected) = expected_revision {
            // The caller expects one that there is not.
            StoreError::unless_expected(0, Some(expected))?;
        }
        return create(tx, name, description).await.map(|cell| (cell, true));
    };
    StoreError::unless_expected(before.revision, expected_revision)?;
    let id = before.id;
    let before = Cell::from(before);
    if before.description == description {
        return Ok((before, false));
    }
    sqlx::query!(
        "UPDATE cells SET description = $2, revision = revision + 1, updated_at = now() WHERE name = $1",
        name.as_str(),
        description
    )
    .execute(tx.conn())
    .await?;
    let after = get(tx, name).await?;
    tx.core.record(PlatformTx::PLATFORM, Entry::updated("cell.update", id, &before, &after));
    Ok((after, false))
}

async fn create(tx: &mut PlatformTx, name: &CellName, description: &str) -> Result<Cell, StoreError> {
    let count = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM cells"#).fetch_one(tx.conn()).await?;
    StoreError::at_limit(count, "cells", MAX_CELLS)?;
    let id = Uuid::now_v7();
    sqlx::query!("INSERT INTO cells (name, id, description) VALUES ($1, $2, $3)", name.as_str(), id, description)
        .execute(tx.conn())
        .await?;
    let cell = get(tx, name).await?;
    tx.core.record(PlatformTx::PLATFORM, Entry::created("cell.create", id, &cell));
    tx.core.mark(PlatformTx::PLATFORM, Change::Cells);
    Ok(cell)
}

/// Removes a cell on which no tenant is placed.
///
/// # Errors
/// [`StoreError::InUse`] while there are tenants on it; the cell `default` is always in use, by the tenants to come.
pub async fn delete(tx: &mut PlatformTx, name: &CellName, expected_revision: Option<i64>) -> Result<(), StoreError> {
    lock_names(tx).await?;
    let record = read(tx, name).await?.ok_or(NOT_FOUND)?;
    let id = record.id;
    let cell = Cell::from(record);
    StoreError::unless_expected(cell.revision, expected_revision)?;
    if cell.tenants > 0 || name.as_str() == cell::DEFAULT {
        return Err(StoreError::InUse { what: "cell", by: "tenant" });
    }
    sqlx::query!("DELETE FROM cells WHERE name = $1", name.as_str()).execute(tx.conn()).await?;
    tx.core.record(PlatformTx::PLATFORM, Entry::deleted("cell.delete", id, &cell));
    tx.core.mark(PlatformTx::PLATFORM, Change::Cells);
    Ok(())
}

/// Reads where a tenant is placed.
pub async fn placement(tx: &mut PlatformTx, id: TenantId) -> Result<Placement, StoreError> {
    let row = sqlx::query!("SELECT cells, revision FROM tenants WHERE id = $1", Uuid::from(id))
        .fetch_optional(tx.conn())
        .await?
        .ok_or(StoreError::NotFound { what: "tenant" })?;
    Ok(Placement { cells: names(row.cells), revision: row.revision })
}

/// Places a tenant on these cells, and on no others. Its sites and credentials are sent to the cells that are new to it, and taken
/// away from those that it leaves.
///
/// # Errors
/// [`StoreError::Invalid`] if one of the cells does not exist, or if there are none or too many.
pub async fn place(
    tx: &mut PlatformTx,
    id: TenantId,
    cells: &BTreeSet<CellName>,
    expected_revision: Option<i64>,
) -> Result<Placement, StoreError> {
    let invalid = |reason| StoreError::Invalid { field: "cells", reason };
    if cells.is_empty() || cells.len() > MAX_PER_TENANT {
        return Err(invalid(format!("a tenant is placed on 1 to {MAX_PER_TENANT} cells")));
    }
    tenant::lock(tx, id, expected_revision).await?;
    let wanted: Vec<String> = cells.iter().map(ToString::to_string).collect();
    let found = sqlx::query_scalar!("SELECT name FROM cells WHERE name = ANY($1) ORDER BY name FOR SHARE", &wanted)
        .fetch_all(tx.conn())
        .await?;
    if let Some(missing) = wanted.iter().find(|name| !found.contains(name)) {
        return Err(invalid(format!("there is no cell `{missing}`; make it first")));
    }
    let before = placement(tx, id).await?;
    if before.cells == *cells {
        return Ok(before);
    }
    sqlx::query!(
        "UPDATE tenants SET cells = $2, revision = revision + 1, updated_at = now() WHERE id = $1",
        Uuid::from(id),
        &wanted
    )
    .execute(tx.conn())
    .await?;
    mark_all(tx, id).await?;
    let after = placement(tx, id).await?;
    tx.core.record(id, Entry::updated("tenant.place", id, &before, &after));
    Ok(after)
}

/// Marks everything that a tenant has.
async fn mark_all(tx: &mut PlatformTx, id: TenantId) -> Result<(), StoreError> {
    tx.core.see_tenant(id).await?;
    // As in the removal of a tenant: a new credential holds its site's row, and is missing nowhere once the sites are locked.
    let sites = sqlx::query_scalar!("SELECT id FROM sites WHERE tenant_id = $1 ORDER BY id FOR UPDATE", Uuid::from(id))
        .fetch_all(tx.conn())
        .await?;
    credential::mark_of_sites(&mut tx.core, id, &sites).await?;
    for site in sites {
        tx.core.mark(id, Change::Site(SiteId(site)));
    }
    tx.core.mark(id, Change::Listeners(id));
    Ok(())
}

/// Those of the names that are ones: a CHECK of `cells` says what a name may be, and no placement names what was never there.
pub(crate) fn names(cells: Vec<String>) -> BTreeSet<CellName> {
    cells.into_iter().filter_map(|name| name.parse().ok()).collect()
}

async fn read(tx: &mut PlatformTx, name: &CellName) -> Result<Option<Record>, StoreError> {
    Ok(sqlx::query_as!(
        Record,
        r#"SELECT name, id, description, revision, created_at, updated_at,
                  (SELECT count(*) FROM tenants t WHERE t.cells @> ARRAY[c.name]) AS "tenants!"
           FROM cells c WHERE name = $1"#,
        name.as_str()
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Lets nobody else make, change or remove a cell, or place a tenant, until this transaction ends. It is rare work.
async fn lock_names(tx: &mut PlatformTx) -> Result<(), StoreError> {
    sqlx::query!("LOCK TABLE cells IN EXCLUSIVE MODE").execute(tx.conn()).await?;
    Ok(())
}
