//! Reading which cells there are, and which of them sites are served in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use policy::cell::CellName;
use policy::id::{SiteId, TenantId};
use uuid::Uuid;

use crate::reader::SnapshotTx;
use crate::{StoreError, cell};

/// A set of cells; sites that were read together and are placed alike share it.
pub type CellSet = Arc<BTreeSet<CellName>>;

/// Reads the names of all cells.
pub async fn cells(snapshot: &mut SnapshotTx) -> Result<BTreeSet<CellName>, StoreError> {
    let read = sqlx::query_scalar!("SELECT name FROM cells").fetch_all(snapshot.conn()).await?;
    Ok(cell::names(read))
}

/// Reads where sites are placed: where their tenant is. A site that is not in the answer was removed.
pub async fn placements(
    snapshot: &mut SnapshotTx,
    ids: &[SiteId],
) -> Result<BTreeMap<SiteId, (TenantId, CellSet)>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().copied().map(Uuid::from).collect();
    let rows = sqlx::query!(
        "SELECT s.id, s.tenant_id, t.cells FROM sites s JOIN tenants t ON t.id = s.tenant_id WHERE s.id = ANY($1)",
        &ids
    )
    .fetch_all(snapshot.conn())
    .await?;
    let mut shared: BTreeMap<Vec<String>, CellSet> = BTreeMap::new();
    let placed = rows.into_iter().map(|row| {
        let cells = shared.entry(row.cells).or_insert_with_key(|cells| Arc::new(cell::names(cells.clone())));
        (SiteId(row.id), (TenantId(row.tenant_id), Arc::clone(cells)))
    });
    Ok(placed.collect())
}
