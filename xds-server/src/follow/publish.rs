//! From what was read to what is served.

use std::collections::{BTreeSet, HashMap};

use metrics::gauge;
use policy::desired::{DesiredBucket, DesiredConsumers, DesiredSite};
use policy::id::SiteId;
use store::desired::Object;
use store::quarantine::Quarantined;
use store::{SnapshotTx, StoreError, desired, quarantine};
use tracing::error;

use super::Follower;
use crate::jwks::Held;
use crate::quarantine::Admitted;
use crate::report;
use crate::resource::Named;
use crate::snapshot::Owner;
use crate::translate;

/// How many sites are read in one step: it bounds what lies in memory twice.
pub(super) const SITES_PER_STEP: u32 = 200;

/// What the owner of a site is told whose settings this program cannot read.
const UNREADABLE: &str = "the settings of the site cannot be read by this version of xds-server";

/// What was read, and is to be served from now on.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) sites: Vec<DesiredSite>,
    /// The last change that is in what was read.
    pub(super) seq: i64,
    /// Those of them that are under quarantine.
    pub(super) held: HashMap<SiteId, Quarantined>,
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
    pub(super) async fn read_sites(
        &mut self,
        snapshot: &mut SnapshotTx,
        ids: &[SiteId],
        seq: i64,
    ) -> Result<Step, StoreError> {
        let mut missing: BTreeSet<_> = ids.iter().copied().collect();
        let read = desired::sites(snapshot, ids).await?;
        let held = quarantine::of_sites(snapshot, ids).await?;
        let held: HashMap<_, _> = held.into_iter().map(|held| (held.site, held)).collect();
        for omitted in &read.omitted {
            report::omitted(omitted);
            if let Object::Site(site) = omitted.object {
                missing.remove(&site);
                self.quarantined.insert(site);
                let before = || self.hub.snapshot().group(Owner::Site(site));
                self.quarantine.failed(site, None, UNREADABLE.to_owned(), held.get(&site), seq, before);
            }
        }
        for site in &read.sites {
            missing.remove(&site.site);
        }
        let gone = missing.into_iter().map(Owner::Site).collect();
        Ok(Step { sites: read.sites, seq, held, gone, ..Step::default() })
    }

    /// Translates and serves what was read. Returns how many resources are others now.
    pub(super) fn publish(&mut self, step: Step) -> usize {
        let keyring = self.keyring.clone();
        // Until the hub has it, so that no set that is read meanwhile is overwritten by an older one.
        let mut keyring = keyring.hold();
        let mut groups: Vec<(Owner, Vec<Named>)> = Vec::new();
        for mut site in step.sites {
            keyring.join(&mut site);
            let resources = self.translate(&site, step.held.get(&site.site), step.seq);
            groups.extend(resources.map(|resources| (Owner::Site(site.site), resources)));
        }
        for bucket in &step.consumers {
            groups.push((Owner::Consumers(bucket.bucket), translate::consumers(bucket).into_iter().collect()));
        }
        for bucket in &step.buckets {
            groups.push((Owner::Bucket(bucket.bucket), translate::bucket(bucket).into_iter().collect()));
        }
        groups.extend(step.gone.into_iter().map(|owner| self.gone(&mut keyring, owner)));
        gauge!(report::QUARANTINED).set(self.quarantined.len() as f64);
        self.hub.apply(groups).len()
    }

    fn translate(&mut self, site: &DesiredSite, held: Option<&Quarantined>, seq: i64) -> Option<Vec<Named>> {
        let id = site.site;
        let before = || self.hub.snapshot().group(Owner::Site(id));
        let admitted = match translate::site(site) {
            Ok(newest) => self.quarantine.admit(site, newest, held, seq, before),
            Err(error) => {
                error!(tenant = %site.tenant, site = %id, %error, "the site keeps what it had");
                self.quarantine.failed(id, Some(site), error.to_string(), held, seq, before)
            }
        };
        if matches!(admitted, Admitted::Newest(_)) {
            self.quarantined.remove(&id);
        } else {
            self.quarantined.insert(id);
        }
        match admitted {
            Admitted::Newest(resources) | Admitted::LastGood(resources) => Some(resources),
            Admitted::Kept => None,
        }
    }

    fn gone(&mut self, keyring: &mut Held<'_>, owner: Owner) -> (Owner, Vec<Named>) {
        if let Owner::Site(site) = owner {
            self.quarantined.remove(&site);
            self.quarantine.gone(site);
            keyring.remove(site);
        }
        (owner, Vec::new())
    }
}
