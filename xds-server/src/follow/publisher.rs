//! From the desired state that was read to the resources that are served.

use std::collections::BTreeSet;
use std::sync::Arc;

use metrics::gauge;
use policy::cell::CellName;
use policy::desired::{DesiredBucket, DesiredConsumers, DesiredSite, LeftOut};
use policy::id::SiteId;
use store::desired::CellSet;
use store::left_out::Bucket;
use store::quarantine::Quarantined;
use store::{Reader, StoreError, dns_cache, jwks_cache};
use tracing::{error, warn};

use super::placed::Placed;
use super::read::{ReadCredentials, ReadListeners, ReadSites};
use super::report;
use crate::cells::{Cells, Content, Group};
use crate::dns::Book;
use crate::jwks::{Keyring, Known, Restored};
use crate::quarantine::{Admitted, Quarantine, Wanted};
use crate::resource::Named;
use crate::snapshot::Owner;
use crate::translate;
use crate::validate::Pool;

/// The reason that an owner is given if this program cannot read the settings of the site.
const UNREADABLE: &str = "the settings of the site cannot be read by this version of xds-server";

/// The parts of the program that a [`Publisher`] works with.
#[derive(Clone, Debug, Default)]
pub struct Serving {
    /// The cells that it fills.
    pub cells: Arc<Cells>,
    /// The sets of keys that it joins into sites, and that it tells which issuers there are.
    pub keyring: Arc<Keyring>,
    /// The addresses that it joins into sites, and that it tells which names upstreams have.
    pub book: Arc<Book>,
    /// The judge of the resources that a site is served, if Envoys refuse its newest ones.
    pub quarantine: Arc<Quarantine>,
    /// The Envoys that validate every site; none if the operator has given none.
    pub validation: Option<Arc<Pool>>,
}

/// Translates the desired state, and gives it to the cells.
#[derive(Debug)]
pub struct Publisher {
    serving: Serving,
    placed: Placed,
    /// The sites that have something other than their newest resources.
    quarantined: BTreeSet<SiteId>,
    /// The buckets that have parts that are too large to be served.
    left_out: BTreeSet<Bucket>,
}

impl Publisher {
    /// A publisher that has published nothing.
    pub fn new(serving: Serving) -> Self {
        Self {
            serving,
            placed: Placed::default(),
            quarantined: BTreeSet::new(),
            left_out: BTreeSet::new(),
        }
    }

    /// The cells that it fills.
    pub(super) fn cells(&self) -> &Arc<Cells> {
        &self.serving.cells
    }

    /// Takes over the JWK Sets and addresses that earlier runs have read, so that no issuer is
    /// without keys, and no upstream without addresses, because this program was started again.
    pub(super) async fn restore(&self, reader: &Reader) -> Result<(), StoreError> {
        let cached = jwks_cache::all(reader).await?;
        let restored = cached.into_iter().map(|cached| {
            let known = Known { age: cached.age, lifetime: cached.lifetime };
            (cached.url_digest, Restored { set: cached.jwks.into(), known })
        });
        self.serving.keyring.restore(restored);
        self.serving.book.restore(dns_cache::all(reader).await?);
        Ok(())
    }

    /// Forgets what [`Self::restore`] took over and no site uses; after everything was published.
    pub(super) fn forget_restored(&self) {
        self.serving.keyring.forget_restored();
        self.serving.book.forget_restored();
    }

    /// Removes from the database the data for the next start that no site uses.
    pub(super) async fn prune(&self, reader: &Reader) {
        if let Err(error) = jwks_cache::prune(reader, &self.serving.keyring.digests()).await {
            warn!(%error, "JWK Sets that nobody uses could not be removed; they are at the next \
                start");
        }
        if let Err(error) = dns_cache::prune(reader, &self.serving.book.digests()).await {
            warn!(%error, "addresses of names that nobody uses could not be removed; they are at \
                the next start");
        }
    }

    /// Translates and serves sites. Returns how many resources changed.
    pub(super) fn publish_sites(&mut self, read: ReadSites) -> usize {
        for (site, cells) in read.placed {
            self.placed.put(site, cells);
        }
        // Both are held until the cells have the joined sites, so that no set of keys and no
        // address that is read meanwhile is overwritten by an older one. The keyring is locked
        // first.
        let (keyring, book) = (Arc::clone(&self.serving.keyring), Arc::clone(&self.serving.book));
        let (mut keyring, mut book) = (keyring.hold(), book.hold());
        let mut groups = Vec::with_capacity(read.sites.len() + read.gone.len());
        let validated: Vec<_> = read.sites.iter().map(|site| (site.tenant, site.site)).collect();
        for mut site in read.sites {
            keyring.join(&mut site);
            let wanted = Wanted::of(&site);
            book.join(&mut site);
            let quarantined = read.quarantined.get(&site.site);
            groups.push(self.translate(&site, &wanted, quarantined, read.seq));
        }
        for site in read.unreadable {
            groups.push(self.unreadable(site, read.quarantined.get(&site), read.seq));
        }
        for site in read.gone {
            keyring.remove(site);
            book.remove(site);
            groups.push(self.gone(site));
        }
        gauge!(report::QUARANTINED).set(self.quarantined.len() as f64);
        let changed = self.serving.cells.apply(groups);
        if let Some(pool) = &self.serving.validation {
            validated.iter().for_each(|(tenant, site)| pool.want(*tenant, *site));
        }
        changed
    }

    /// Serves listeners. Returns how many resources changed.
    pub(super) fn publish_listeners(&self, read: ReadListeners) -> usize {
        let groups = read.listeners.into_iter().map(|of| {
            let resources =
                of.listeners.iter().map(|listener| translate::wanted_listener(of.tenant, listener));
            Group::same(Owner::Listeners(of.tenant), of.cells, resources.collect())
        });
        let gone = read.gone.into_iter().map(|tenant| Group::gone(Owner::Listeners(tenant)));
        self.serving.cells.apply(groups.chain(gone).collect())
    }

    /// Serves buckets of consumers and of keys, in one step: a key that says that there is more to
    /// know of its consumer, and the consumer. Returns how many resources changed.
    ///
    /// It takes no lock of the keyring and the book, so no revocation waits for them.
    pub(super) fn publish_credentials(&mut self, read: ReadCredentials) -> usize {
        for (site, cells) in read.moved {
            self.placed.put(site, cells);
        }
        let mut groups = Vec::with_capacity(read.consumers.len() + read.keys.len());
        for bucket in read.consumers {
            let (of, placed) = (Bucket::Consumers(bucket.bucket), &self.placed);
            let (group, left_out) = consumers(placed, bucket);
            groups.push(group);
            self.left_out(of, left_out);
        }
        for bucket in read.keys {
            let (of, placed) = (Bucket::Keys(bucket.bucket), &self.placed);
            let (group, left_out) = credentials(placed, bucket);
            groups.push(group);
            self.left_out(of, left_out);
        }
        gauge!(report::LEFT_OUT).set(self.left_out.len() as f64);
        self.serving.cells.apply(groups)
    }

    /// Has the owners of parts that are too large told of them, and those told whose parts have
    /// become smaller.
    fn left_out(&mut self, bucket: Bucket, parts: Vec<LeftOut>) {
        let known = if parts.is_empty() {
            self.left_out.remove(&bucket)
        } else {
            self.left_out.insert(bucket);
            true
        };
        if known {
            self.serving.quarantine.left_out(bucket, parts);
        }
    }

    /// Forgets what earlier runs have found too large, after everything was published.
    pub(super) fn only_left_out(&self) {
        self.serving.quarantine.left_out_only(self.left_out.clone());
    }

    /// Serves nothing of these owners any more.
    pub(super) fn remove(&mut self, owners: BTreeSet<Owner>) {
        let (keyring, book) = (Arc::clone(&self.serving.keyring), Arc::clone(&self.serving.book));
        let (mut keyring, mut book) = (keyring.hold(), book.hold());
        let groups = owners.into_iter().map(|owner| match owner {
            Owner::Site(site) => {
                keyring.remove(site);
                book.remove(site);
                self.gone(site)
            }
            owner => Group::gone(owner),
        });
        let groups = groups.collect();
        gauge!(report::QUARANTINED).set(self.quarantined.len() as f64);
        self.serving.cells.apply(groups);
    }

    fn translate(
        &mut self,
        site: &DesiredSite,
        wanted: &Wanted,
        quarantined: Option<&Quarantined>,
        seq: i64,
    ) -> Group {
        let id = site.site;
        let quarantine = &self.serving.quarantine;
        let before = || self.serving.cells.group(Owner::Site(id));
        let admitted = match translate::site(site) {
            Ok(newest) => quarantine.admit(site, newest, wanted, quarantined, seq, before),
            Err(error) => {
                error!(tenant = %site.tenant, site = %id, %error, "the site keeps what it had");
                let of = Some((site, wanted));
                quarantine.failed(id, of, error.to_string(), quarantined, seq, before)
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

    fn unreadable(&mut self, site: SiteId, quarantined: Option<&Quarantined>, seq: i64) -> Group {
        self.quarantined.insert(site);
        let before = || self.serving.cells.group(Owner::Site(site));
        let reason = UNREADABLE.to_owned();
        self.serving.quarantine.failed(site, None, reason, quarantined, seq, before);
        self.kept(site)
    }

    fn kept(&self, site: SiteId) -> Group {
        Group { owner: Owner::Site(site), content: Content::Kept(self.cells_of(site)) }
    }

    fn cells_of(&self, site: SiteId) -> CellSet {
        self.placed.cells(site).map(Arc::clone).unwrap_or_default()
    }

    fn gone(&mut self, site: SiteId) -> Group {
        self.placed.remove(site);
        self.quarantined.remove(&site);
        self.serving.quarantine.gone(site);
        Group::gone(Owner::Site(site))
    }
}

/// A bucket of credentials: in each cell the records of the sites that are placed on it.
fn credentials(
    placed: &Placed,
    DesiredBucket { bucket, keys }: DesiredBucket,
) -> (Group, Vec<LeftOut>) {
    let by_cell = placed.split(keys, |record| record.site);
    let resources = by_cell
        .into_iter()
        .map(|(cell, keys)| (cell, translate::bucket(&DesiredBucket { bucket, keys })));
    let (content, left_out) = per_cell(resources);
    (Group { owner: Owner::Bucket(bucket), content }, left_out)
}

/// A bucket of consumers: in each cell those of the sites that are placed on it.
fn consumers(
    placed: &Placed,
    DesiredConsumers { bucket, consumers }: DesiredConsumers,
) -> (Group, Vec<LeftOut>) {
    let by_cell = placed.split(consumers, |consumer| consumer.site);
    let resources = by_cell.into_iter().map(|(cell, consumers)| {
        (cell, translate::consumers(&DesiredConsumers { bucket, consumers }))
    });
    let (content, left_out) = per_cell(resources);
    (Group { owner: Owner::Consumers(bucket), content }, left_out)
}

/// A bucket in each cell, and the parts that are left out in any of them.
fn per_cell(
    resources: impl Iterator<Item = (CellName, translate::Bucket)>,
) -> (Content, Vec<LeftOut>) {
    let mut left_out: Vec<LeftOut> = Vec::new();
    let per_cell = resources.map(|(cell, made)| {
        let known = |part: &LeftOut| left_out.iter().any(|other| other.is_of_same(part));
        let new: Vec<_> = made.left_out.into_iter().filter(|part| !known(part)).collect();
        left_out.extend(new);
        (cell, made.resource.into_iter().collect::<Vec<Named>>())
    });
    let content = Content::PerCell(per_cell.collect());
    (content, left_out)
}
