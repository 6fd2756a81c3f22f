//! From what was read to what is served.

use std::collections::HashMap;
use std::sync::Arc;

use metrics::gauge;
use policy::cell::CellName;
use policy::desired::{DesiredBucket, DesiredConsumers, DesiredSite};
use policy::id::SiteId;
use store::desired::{CellSet, Listeners, Object};
use store::quarantine::Quarantined;
use store::{SnapshotTx, StoreError, desired, quarantine};
use tracing::error;

use super::Follower;
use super::placed::Placed;
use super::report;
use crate::cells::{Content, Group};
use crate::quarantine::{Admitted, Wanted};
use crate::resource::Named;
use crate::snapshot::Owner;
use crate::{dns, jwks, translate};

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
    /// Reads these sites, [`SITES_PER_STEP`] of them at the most, and where they are placed. One
    /// that is not there is gone; one that cannot be read keeps what it had.
    pub(super) async fn read_sites(
        &mut self,
        snapshot: &mut SnapshotTx,
        ids: &[SiteId],
        seq: i64,
    ) -> Result<Step, StoreError> {
        let mut placed = desired::placements(snapshot, ids).await?;
        let read = desired::sites(snapshot, ids).await?;
        let held = quarantine::of_sites(snapshot, ids).await?;
        let held = held.into_iter().map(|held| (held.site, held)).collect();
        let mut step = Step { sites: read.sites, seq, held, ..Step::default() };
        for omitted in &read.omitted {
            report::omitted(omitted);
            if let Object::Site(site) = omitted.object {
                step.kept.push(site);
                self.quarantined.insert(site);
                let before = || self.cells.group(Owner::Site(site));
                self.quarantine.failed(
                    site,
                    None,
                    UNREADABLE.to_owned(),
                    step.held.get(&site),
                    seq,
                    before,
                );
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
        // Until the cells have it, so that no set that is read meanwhile is overwritten by an older
        // one.
        let mut keyring = keyring.hold();
        // And no address of a name. Whoever holds both takes them in this order.
        let book = self.book.clone();
        let mut book = book.hold();
        let mut groups: Vec<Group> = Vec::new();
        let read: Vec<_> = step.sites.iter().map(|site| (site.tenant, site.site)).collect();
        for mut site in step.sites {
            keyring.join(&mut site);
            let wanted = Wanted::of(&site);
            book.join(&mut site);
            let held = step.held.get(&site.site);
            groups.push(self.translate(&site, &wanted, held, step.seq));
        }
        groups.extend(step.kept.into_iter().map(|site| self.kept(site)));
        groups.extend(step.listeners.into_iter().map(|of| {
            let resources =
                of.listeners.iter().map(|listener| translate::wanted_listener(of.tenant, listener));
            Group::same(Owner::Listeners(of.tenant), of.cells, resources.collect())
        }));
        groups.extend(step.consumers.into_iter().map(|bucket| consumers(&self.placed, bucket)));
        groups.extend(step.buckets.into_iter().map(|bucket| credentials(&self.placed, bucket)));
        groups.extend(step.gone.into_iter().map(|owner| self.gone(&mut keyring, &mut book, owner)));
        gauge!(report::QUARANTINED).set(self.quarantined.len() as f64);
        let changed = self.cells.apply(groups);
        if let Some(pool) = &self.validation {
            read.iter().for_each(|(tenant, site)| pool.want(*tenant, *site));
        }
        changed
    }

    fn translate(
        &mut self,
        site: &DesiredSite,
        wanted: &Wanted,
        held: Option<&Quarantined>,
        seq: i64,
    ) -> Group {
        let id = site.site;
        let before = || self.cells.group(Owner::Site(id));
        let admitted = match translate::site(site) {
            Ok(newest) => self.quarantine.admit(site, newest, wanted, held, seq, before),
            Err(error) => {
                error!(tenant = %site.tenant, site = %id, %error, "the site keeps what it had");
                self.quarantine.failed(
                    id,
                    Some((site, wanted)),
                    error.to_string(),
                    held,
                    seq,
                    before,
                )
            }
        };
        if matches!(admitted, Admitted::Newest(_)) {
            self.quarantined.remove(&id);
        } else {
            self.quarantined.insert(id);
        }
        match admitted {
            Admitted::Newest(resources) | Admitted::LastGood(resources) => {
                Group::same(Owner::Site(id), self.cells_of(id), resources)
            }
            Admitted::Kept => self.kept(id),
        }
    }

    fn kept(&self, site: SiteId) -> Group {
        Group { owner: Owner::Site(site), content: Content::Kept(self.cells_of(site)) }
    }

    fn cells_of(&self, site: SiteId) -> CellSet {
        self.placed.cells(site).map(Arc::clone).unwrap_or_default()
    }

    fn gone(
        &mut self,
        keyring: &mut jwks::Held<'_>,
        book: &mut dns::Held<'_>,
        owner: Owner,
    ) -> Group {
        if let Owner::Site(site) = owner {
            self.quarantined.remove(&site);
            self.quarantine.gone(site);
            keyring.remove(site);
            book.remove(site);
        }
        Group::gone(owner)
    }
}

/// A bucket of credentials: in each cell the records of those who are placed on it.
fn credentials(placed: &Placed, DesiredBucket { bucket, keys }: DesiredBucket) -> Group {
    let by_cell = placed.split(keys, |record| record.site);
    let resources = by_cell
        .into_iter()
        .map(|(cell, keys)| (cell, translate::bucket(&DesiredBucket { bucket, keys })));
    Group { owner: Owner::Bucket(bucket), content: per_cell(resources) }
}

/// A bucket of consumers: in each cell those who are placed on it.
fn consumers(placed: &Placed, DesiredConsumers { bucket, consumers }: DesiredConsumers) -> Group {
    let by_cell = placed.split(consumers, |consumer| consumer.site);
    let resources = by_cell.into_iter().map(|(cell, consumers)| {
        (cell, translate::consumers(&DesiredConsumers { bucket, consumers }))
    });
    Group { owner: Owner::Consumers(bucket), content: per_cell(resources) }
}

fn per_cell(resources: impl Iterator<Item = (CellName, Option<Named>)>) -> Content {
    Content::PerCell(
        resources.map(|(cell, resource)| (cell, resource.into_iter().collect())).collect(),
    )
}
