//! Reading the cells, and the placements of sites on them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use policy::cell::CellName;
use policy::desired::TenantListener;
use policy::id::{SiteId, TenantId};
use uuid::Uuid;

use crate::base::error::StoreError;
use crate::base::reader::SnapshotTx;
use crate::platform::cell;

/// A set of cells; sites that were read together and are placed alike share it.
pub type CellSet = Arc<BTreeSet<CellName>>;

/// Reads the names of all cells.
pub async fn cells(snapshot: &mut SnapshotTx) -> Result<BTreeSet<CellName>, StoreError> {
    let read = sqlx::query_scalar!("SELECT name FROM cells").fetch_all(snapshot.conn()).await?;
    Ok(cell::names(read))
}

/// Reads the placements of sites, which are those of their tenants. A site that is not in the
/// answer was removed.
pub async fn placements(
    snapshot: &mut SnapshotTx,
    ids: &[SiteId],
) -> Result<BTreeMap<SiteId, (TenantId, CellSet)>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().copied().map(Uuid::from).collect();
    let rows = sqlx::query!(
        "SELECT s.id, s.tenant_id, t.cells FROM sites s JOIN tenants t ON t.id = s.tenant_id
         WHERE s.id = ANY($1)",
        &ids
    )
    .fetch_all(snapshot.conn())
    .await?;
    let mut shared: BTreeMap<Vec<String>, CellSet> = BTreeMap::new();
    let placed = rows.into_iter().map(|row| {
        let cells = shared
            .entry(row.cells)
            .or_insert_with_key(|cells| Arc::new(cell::names(cells.clone())));
        (SiteId(row.id), (TenantId(row.tenant_id), Arc::clone(cells)))
    });
    Ok(placed.collect())
}

/// The listeners of one tenant, and its placement.
#[derive(Clone, Debug)]
pub struct Listeners {
    /// The tenant.
    pub tenant: TenantId,
    /// Its placement.
    pub cells: CellSet,
    /// Its listeners, one at least.
    pub listeners: Vec<TenantListener>,
}

/// Reads the listeners of these tenants, or of all. A tenant that is not in the answer has none.
pub async fn listeners(
    snapshot: &mut SnapshotTx,
    of: Option<&[TenantId]>,
) -> Result<Vec<Listeners>, StoreError> {
    let tenants: Vec<Uuid> = of.unwrap_or_default().iter().copied().map(Uuid::from).collect();
    let rows = sqlx::query!(
        "SELECT t.id, t.cells, l.port, l.address FROM tenant_listeners l
         JOIN tenants t ON t.id = l.tenant_id
         WHERE $1 OR t.id = ANY($2) ORDER BY t.id, l.port",
        of.is_none(),
        &tenants
    )
    .fetch_all(snapshot.conn())
    .await?;
    let mut found: Vec<Listeners> = Vec::new();
    for row in rows {
        // CHECKs of the table rule out any other number; an address was one when it was written.
        let Ok(port) = u16::try_from(row.port) else { continue };
        let listener =
            TenantListener { port, address: row.address.and_then(|address| address.parse().ok()) };
        match found.last_mut() {
            Some(last) if last.tenant == TenantId(row.id) => last.listeners.push(listener),
            _ => {
                let cells = Arc::new(cell::names(row.cells));
                found.push(Listeners {
                    tenant: TenantId(row.id),
                    cells,
                    listeners: vec![listener],
                });
            }
        }
    }
    Ok(found)
}
