//! From what was read to what is served.

use std::collections::BTreeSet;

use metrics::gauge;
use policy::desired::{DesiredBucket, DesiredConsumers, DesiredSite};
use policy::id::SiteId;
use store::desired::Object;
use store::{SnapshotTx, StoreError, desired};
use tracing::error;

use super::Follower;
use crate::resource::Named;
use crate::snapshot::Owner;
use crate::{dns, jwks, report, translate};

/// How many sites are read in one step: it bounds what lies in memory twice.
pub(super) const SITES_PER_STEP: u32 = 200;

/// What was read, and is to be served from now on.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) sites: Vec<DesiredSite>,
    /// In whole: an empty one is removed.
    pub(super) consumers: Vec<DesiredConsumers>,
    /// In whole: an empty one is removed.
    pub(super) buckets: Vec<DesiredBucket>,
    /// What is not there any more.
    pub(super) gone: Vec<Owner>,
}

impl Follower {
    /// Reads these sites, [`SITES_PER_STEP`] of them at the most. One that is not there is gone; one that cannot be read is in
    /// neither list, so that it keeps what it had.
    pub(super) async fn read_sites(&mut self, snapshot: &mut SnapshotTx, ids: &[SiteId]) -> Result<Step, StoreError> {
        let mut missing: BTreeSet<_> = ids.iter().copied().collect();
        let read = desired::sites(snapshot, ids).await?;
        for omitted in &read.omitted {
            report::omitted(omitted);
            if let Object::Site(site) = omitted.object {
                missing.remove(&site);
                self.quarantined.insert(site);
            }
        }
        for site in &read.sites {
            missing.remove(&site.site);
        }
        Ok(Step { sites: read.sites, gone: missing.into_iter().map(Owner::Site).collect(), ..Step::default() })
    }

    /// Translates and serves what was read. Returns how many resources are others now.
    pub(super) fn publish(&mut self, step: Step) -> usize {
        let keyring = self.keyring.clone();
        // Until the hub has it, so that no set that is read meanwhile is overwritten by an older one.
        let mut keyring = keyring.hold();
        // And no address of a name. Whoever holds both takes them in this order.
        let book = self.book.clone();
        let mut book = book.hold();
        let mut groups: Vec<(Owner, Vec<Named>)> = Vec::new();
        for mut site in step.sites {
            keyring.join(&mut site);
            book.join(&mut site);
            groups.extend(self.translate(&site).map(|resources| (Owner::Site(site.site), resources)));
        }
        for bucket in &step.consumers {
            groups.push((Owner::Consumers(bucket.bucket), translate::consumers(bucket).into_iter().collect()));
        }
        for bucket in &step.buckets {
            groups.push((Owner::Bucket(bucket.bucket), translate::bucket(bucket).into_iter().collect()));
        }
        groups.extend(step.gone.into_iter().map(|owner| self.gone(&mut keyring, &mut book, owner)));
        gauge!(report::QUARANTINED).set(self.quarantined.len() as f64);
        self.hub.apply(groups).len()
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

    fn gone(&mut self, keyring: &mut jwks::Held<'_>, book: &mut dns::Held<'_>, owner: Owner) -> (Owner, Vec<Named>) {
        if let Owner::Site(site) = owner {
            self.quarantined.remove(&site);
            keyring.remove(site);
            book.remove(site);
        }
        (owner, Vec::new())
    }
}
