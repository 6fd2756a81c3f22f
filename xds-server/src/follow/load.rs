//! Reading sites, some or all, and making their groups.

use std::collections::BTreeSet;
use std::time::Instant;

use metrics::gauge;
use policy::desired::DesiredSite;
use policy::id::SiteId;
use store::desired::Object;
use store::{Reader, SnapshotTx, StoreError, desired};
use tracing::{error, info};

use super::Follower;
use crate::report;
use crate::resource::{Named, ResourceType};
use crate::snapshot::Owner;
use crate::translate;

/// How many sites are read in one step: it bounds what lies in memory twice.
const SITES_PER_STEP: u32 = 200;

/// What is to be applied: the resources of owners.
type Groups = Vec<(Owner, Vec<Named>)>;

impl Follower {
    /// Reads everything, in one state of the database, and removes what is not there any more.
    pub(super) async fn load(&mut self, reader: &Reader) -> Result<(), StoreError> {
        let start = Instant::now();
        let mut snapshot = reader.snapshot().await?;
        let head = snapshot.head_seq().await?;
        let mut gone: BTreeSet<_> = self.hub.snapshot().owners().filter(|owner| *owner != Owner::Platform).collect();
        let mut after = None;
        loop {
            let ids = desired::all_site_ids(&mut snapshot, after, SITES_PER_STEP).await?;
            after = ids.last().copied();
            if after.is_none() {
                break;
            }
            for id in &ids {
                gone.remove(&Owner::Site(*id));
            }
            let groups = self.read_sites(&mut snapshot, &ids).await?;
            self.hub.apply(groups);
        }
        let mut first = Some(0);
        while let Some(from) = first {
            let step = desired::all_buckets(&mut snapshot, from).await?;
            first = step.next;
            let groups: Groups = step
                .buckets
                .iter()
                .map(|bucket| (Owner::Bucket(bucket.bucket), translate::bucket(bucket).into_iter().collect()))
                .collect();
            for (owner, _) in &groups {
                gone.remove(owner);
            }
            self.hub.apply(groups);
        }
        self.hub.apply(gone.into_iter().map(|owner| (owner, Vec::new())).collect());
        self.applied = Some(head);
        self.hub.set_loaded();
        gauge!(report::LAST_SEQ).set(head as f64);
        gauge!(report::LOAD_DURATION).set(start.elapsed());
        let (sites, buckets) = {
            let now = self.hub.snapshot();
            (now.len(ResourceType::ScopedRoute), now.len(ResourceType::KeyBucket))
        };
        info!(seq = head, sites, buckets, duration_ms = start.elapsed().as_secs_f64() * 1000.0, "loaded everything");
        Ok(())
    }

    /// Reads these sites and makes their groups. One that is not there has an empty group; one that cannot be translated
    /// has none, so that it keeps what it had.
    pub(super) async fn read_sites(&mut self, snapshot: &mut SnapshotTx, ids: &[SiteId]) -> Result<Groups, StoreError> {
        let mut groups = Groups::with_capacity(ids.len());
        for ids in ids.chunks(SITES_PER_STEP as usize) {
            let mut missing: BTreeSet<_> = ids.iter().copied().collect();
            let read = desired::sites(snapshot, ids).await?;
            for omitted in read.omitted {
                error!(tenant = %omitted.tenant, object = ?omitted.object, reason = ?omitted.reason, "left out");
                if let Object::Site(site) = omitted.object {
                    missing.remove(&site);
                    self.quarantined.insert(site);
                }
            }
            for site in read.sites {
                missing.remove(&site.site);
                if let Some(resources) = self.translate(&site) {
                    groups.push((Owner::Site(site.site), resources));
                }
            }
            for site in missing {
                self.quarantined.remove(&site);
                groups.push((Owner::Site(site), Vec::new()));
            }
        }
        gauge!(report::QUARANTINED).set(self.quarantined.len() as f64);
        Ok(groups)
    }

    fn translate(&mut self, site: &DesiredSite) -> Option<Vec<Named>> {
        match translate::site(site) {
            Ok(resources) => {
                self.quarantined.remove(&site.site);
                Some(resources)
            }
            Err(error) => {
                error!(tenant = %site.tenant, site = %site.site, %error, "the site keeps what it had");
                self.quarantined.insert(site.site);
                None
            }
        }
    }
}
