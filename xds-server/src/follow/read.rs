//! Reading the parts of the desired state that a step publishes.

use std::collections::{BTreeSet, HashMap};

use policy::desired::{DesiredBucket, DesiredConsumers, DesiredSite};
use policy::id::{SiteId, TenantId};
use store::desired::{CellSet, Listeners, Object};
use store::quarantine::Quarantined;
use store::{SnapshotTx, StoreError, desired, quarantine};

use super::report;

/// The most sites that are read in one step: they lie in memory twice.
pub(super) const SITES_PER_STEP: u32 = 200;

/// Sites, as they were read.
#[derive(Debug, Default)]
pub(super) struct ReadSites {
    /// The last change of the log that is in them.
    pub(super) seq: i64,
    /// The cells of each site that exists.
    pub(super) placed: Vec<(SiteId, CellSet)>,
    pub(super) sites: Vec<DesiredSite>,
    /// The sites that cannot be read: they keep what they had, wherever they are placed now.
    pub(super) unreadable: Vec<SiteId>,
    /// Those of the sites that are under quarantine.
    pub(super) quarantined: HashMap<SiteId, Quarantined>,
    /// The sites that do not exist (any more).
    pub(super) gone: Vec<SiteId>,
}

/// The listeners of tenants, as they were read.
#[derive(Debug, Default)]
pub(super) struct ReadListeners {
    pub(super) listeners: Vec<Listeners>,
    /// The tenants that have none (any more).
    pub(super) gone: Vec<TenantId>,
}

/// Buckets, as they were read. Each replaces the one before in whole: an empty one is removed.
#[derive(Debug, Default)]
pub(super) struct ReadCredentials {
    pub(super) consumers: Vec<DesiredConsumers>,
    pub(super) keys: Vec<DesiredBucket>,
    /// The cells of sites that have moved, and whose own change waits for its turn.
    pub(super) moved: Vec<(SiteId, CellSet)>,
}

/// Reads these sites, [`SITES_PER_STEP`] of them at the most, and where they are placed. `seq` is
/// the last change of the log that the snapshot has.
pub(super) async fn sites(
    snapshot: &mut SnapshotTx,
    ids: &[SiteId],
    seq: i64,
) -> Result<ReadSites, StoreError> {
    let mut placed = desired::placements(snapshot, ids).await?;
    let read = desired::sites(snapshot, ids).await?;
    let quarantined = quarantine::of_sites(snapshot, ids).await?;
    let mut sites = ReadSites {
        seq,
        sites: read.sites,
        quarantined: quarantined.into_iter().map(|site| (site.site, site)).collect(),
        ..ReadSites::default()
    };
    for omitted in &read.omitted {
        report::omitted(omitted);
        if let Object::Site(site) = omitted.object {
            sites.unreadable.push(site);
        }
    }
    for id in ids {
        match placed.remove(id) {
            Some((_, cells)) => sites.placed.push((*id, cells)),
            None => sites.gone.push(*id),
        }
    }
    Ok(sites)
}

/// Reads the listeners of these tenants.
pub(super) async fn listeners(
    snapshot: &mut SnapshotTx,
    tenants: &[TenantId],
) -> Result<ReadListeners, StoreError> {
    let listeners = desired::listeners(snapshot, Some(tenants)).await?;
    let with: BTreeSet<_> = listeners.iter().map(|listeners| listeners.tenant).collect();
    let gone = tenants.iter().filter(|tenant| !with.contains(tenant)).copied().collect();
    Ok(ReadListeners { listeners, gone })
}

/// Reads these buckets of consumers and of keys. `waiting` are the sites whose own changes wait:
/// they may have moved to other cells, which counts for their credentials now.
pub(super) async fn credentials(
    snapshot: &mut SnapshotTx,
    consumers: &[u16],
    keys: &[u16],
    waiting: &BTreeSet<SiteId>,
) -> Result<ReadCredentials, StoreError> {
    let mut read = ReadCredentials::default();
    if !consumers.is_empty() {
        let found = desired::consumers(snapshot, consumers).await?;
        found.omitted.iter().for_each(report::omitted);
        read.consumers = found.buckets;
    }
    if !keys.is_empty() {
        read.keys = desired::buckets(snapshot, keys).await?;
    }
    let of_keys = read.keys.iter().flat_map(|bucket| &bucket.keys).map(|record| record.site);
    let of_consumers =
        read.consumers.iter().flat_map(|bucket| &bucket.consumers).map(|consumer| consumer.site);
    let moving: BTreeSet<_> =
        of_keys.chain(of_consumers).filter(|site| waiting.contains(site)).collect();
    if !moving.is_empty() {
        let moving: Vec<_> = moving.into_iter().collect();
        let placed = desired::placements(snapshot, &moving).await?;
        read.moved = placed.into_iter().map(|(site, (_, cells))| (site, cells)).collect();
    }
    Ok(read)
}
