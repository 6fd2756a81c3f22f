//! From what was read to what is served.

use std::sync::Arc;

use metrics::gauge;
use policy::cell::CellName;
use policy::desired::{DesiredBucket, DesiredConsumers, DesiredSite};
use policy::id::SiteId;
use store::desired::{CellSet, Listeners, Object};
use store::{SnapshotTx, StoreError, desired};
use tracing::error;

use super::Follower;
use super::placed::Placed;
use crate::cells::{Content, Group};
use crate::resource::Named;
use crate::snapshot::Owner;
use crate::{dns, jwks, report, translate};

/// How many sites are read in one step: it bounds what lies in memory twice.
pub(super) const SITES_PER_STEP: u32 = 200;

/// What was read, and is to be served from now on.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) sites: Vec<DesiredSite>,
    /// The sites that cannot be read: they keep what they had, wherever they are placed now.
    pub(super) kept: Vec<SiteId>,
    pub(super) listeners: Vec<Listeners>,
    /// In whole: an empty one is removed.
    pub(super) consumers: Vec<DesiredConsumers>,
    /// In whole: an empty one is removed.
    pub(super) buckets: Vec<DesiredBucket>,
    /// What is not there any more.
    pub(super) gone: Vec<Owner>,
}

impl Follower {
    /// Reads these sites, [`SITES_PER_STEP`] of them at the most, and where they are placed. One that is not there is gone; one that
    /// cannot be read keeps what it had.
    pub(super) async fn read_sites(&mut self, snapshot: &mut SnapshotTx, ids: &[SiteId]) -> Result<Step, StoreError> {
        let mut placed = desired::placements(snapshot, ids).await?;
        let read = desired::sites(snapshot, ids).await?;
        let mut step = Step { sites: read.sites, ..Step::default() };
        for omitted in &read.omitted {
            report::omitted(omitted);
            if let Object::Site(site) = omitted.object {
                step.kept.push(site);
                self.quarantined.insert(site);
            }
        }
        for id in ids {
            match placed.remove(id) {
                Some((_, cells)) => self.placed.put(*id, cells),
                None => {
                    self.placed.remove(*id);
                    step.gone.push(Owner::Site(*id));
                }
            }
        }
        Ok(step)
    }

    /// Translates and serves what was read. Returns how many resources are others now.
    pub(super) fn publish(&mut self, step: Step) -> usize {
        let keyring = self.keyring.clone();
        // Until the cells have it, so that no set that is read meanwhile is overwritten by an older one.
        let mut keyring = keyring.hold();
        // And no address of a name. Whoever holds both takes them in this order.
        let book = self.book.clone();
        let mut book = book.hold();
        let mut groups: Vec<Group> = Vec::new();
        for mut site in step.sites {
            keyring.join(&mut site);
            book.join(&mut site);
            groups.push(self.translate(&site));
        }
        groups.extend(step.kept.into_iter().map(|site| self.kept(site)));
        groups.extend(step.listeners.into_iter().map(|of| {
            let resources = of.listeners.iter().map(|listener| translate::wanted_listener(of.tenant, listener));
            Group::same(Owner::Listeners(of.tenant), of.cells, resources.collect())
        }));
        groups.extend(step.consumers.into_iter().map(|bucket| consumers(&self.placed, bucket)));
        groups.extend(step.buckets.into_iter().map(|bucket| credentials(&self.placed, bucket)));
        groups.extend(step.gone.into_iter().map(|owner| self.gone(&mut keyring, &mut book, owner)));
        gauge!(report::QUARANTINED).set(self.quarantined.len() as f64);
        self.cells.apply(groups)
    }

    fn translate(&mut self, site: &DesiredSite) -> Group {
        match translate::site(site) {
            Ok(resources) => {
                self.quarantined.remove(&site.site);
                Group::same(Owner::Site(site.site), self.cells_of(site.site), resources)
            }
            Err(error) => {
                error!(tenant = %site.tenant, site = %site.site, %error, "the site keeps what it had");
                self.quarantined.insert(site.site);
                self.kept(site.site)
            }
        }
    }

    fn kept(&self, site: SiteId) -> Group {
        Group { owner: Owner::Site(site), content: Content::Kept(self.cells_of(site)) }
    }

    fn cells_of(&self, site: SiteId) -> CellSet {
        self.placed.cells(site).map(Arc::clone).unwrap_or_default()
    }

    fn gone(&mut self, keyring: &mut jwks::Held<'_>, book: &mut dns::Held<'_>, owner: Owner) -> Group {
        if let Owner::Site(site) = owner {
            self.quarantined.remove(&site);
            keyring.remove(site);
            book.remove(site);
        }
        Group::gone(owner)
    }
}

/// A bucket of credentials: in each cell the records of those who are placed on it.
fn credentials(placed: &Placed, DesiredBucket { bucket, keys }: DesiredBucket) -> Group {
    let by_cell = placed.split(keys, |record| record.site);
    let resources = by_cell.into_iter().map(|(cell, keys)| (cell, translate::bucket(&DesiredBucket { bucket, keys })));
    Group { owner: Owner::Bucket(bucket), content: per_cell(resources) }
}

/// A bucket of consumers: in each cell those who are placed on it.
fn consumers(placed: &Placed, DesiredConsumers { bucket, consumers }: DesiredConsumers) -> Group {
    let by_cell = placed.split(consumers, |consumer| consumer.site);
    let resources = by_cell
        .into_iter()
        .map(|(cell, consumers)| (cell, translate::consumers(&DesiredConsumers { bucket, consumers })));
    Group { owner: Owner::Consumers(bucket), content: per_cell(resources) }
}

fn per_cell(resources: impl Iterator<Item = (CellName, Option<Named>)>) -> Content {
    Content::PerCell(resources.map(|(cell, resource)| (cell, resource.into_iter().collect())).collect())
}
