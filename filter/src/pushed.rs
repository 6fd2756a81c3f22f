//! The pushed state as this VM sees it: what the mirror wrote into shared data, with bounded caches of decoded values in front.

use std::rc::Rc;

use policy::cache::Cache;
use policy::consumer::Consumer;
use policy::decision::HostEntry;
use policy::id::{ConsumerId, SiteId};
use policy::key::{self, Digest, KeyRecord};
use policy::mirror::{self, Serving};
use policy::site::Site;
use policy::{host, wire};

use crate::shared;

/// What the decoded sites of a VM may take, in bytes: 10,000 sites of a few routes each, or 1,500 of a hundred.
const SITES_MAX_BYTES: usize = 96 * 1024 * 1024;
/// What the decoded consumers of a VM may take, in bytes: 30,000 with a few settings each.
const CONSUMERS_MAX_BYTES: usize = 32 * 1024 * 1024;
/// What the known hosts of a VM may take, in bytes: some 50,000 names.
const HOSTS_MAX_BYTES: usize = 8 * 1024 * 1024;
/// What a known host takes beside its name, in bytes.
const HOST_BYTES: usize = 112;

/// The pushed state.
pub(crate) struct Pushed {
    /// The version of the mirror's generation counter when `serving` was read.
    generation: u32,
    serving: Option<Serving>,
    /// Grows with each site that is decoded.
    site_version: u64,
    hosts: Cache<Box<[u8]>, Known<HostEntry>>,
    sites: Cache<SiteId, Known<Rc<Site>>>,
    consumers: Cache<ConsumerId, Known<Rc<Consumer>>>,
}

/// A decoded value.
struct Known<T> {
    /// The generation under which it was last compared with shared data.
    generation: u32,
    /// The version that shared data gave what it was decoded from.
    version: Option<u32>,
    value: T,
    bytes: usize,
}

impl Pushed {
    pub(crate) fn new() -> Self {
        Self {
            generation: 0,
            serving: None,
            site_version: 0,
            hosts: Cache::new(HOSTS_MAX_BYTES),
            sites: Cache::new(SITES_MAX_BYTES),
            consumers: Cache::new(CONSUMERS_MAX_BYTES),
        }
    }

    /// Looks whether anything has changed since the last request; false before the first sync.
    pub(crate) fn refresh(&mut self) -> bool {
        // The counter is read first, so that what is read after it is never older than it says.
        match shared::version(mirror::GENERATION_KEY) {
            Some(generation) if generation == self.generation => {}
            Some(generation) => {
                self.serving = shared::serving();
                self.generation = generation;
            }
            None => self.serving = None,
        }
        self.serving.is_some()
    }

    /// How many sites and consumers are decoded here.
    pub(crate) fn decoded(&self) -> (usize, usize) {
        (self.sites.len(), self.consumers.len())
    }

    pub(crate) fn host(&mut self, authority: &[u8]) -> Option<HostEntry> {
        if let Some(known) = self.hosts.get(authority).filter(|known| known.generation == self.generation) {
            return Some(known.value);
        }
        let found = host::canonical(authority).and_then(|name| shared::get(&mirror::host_key(&name)));
        let current = found.as_ref().and_then(|(value, version)| Some((self.current(value)?, *version)));
        let Some((entry, version)) = current.and_then(|(host, version)| Some((HostEntry::decode(host)?, version)))
        else {
            // Names that do not exist must not fill the cache.
            self.hosts.remove(authority);
            return None;
        };
        let bytes = HOST_BYTES + authority.len();
        let known = Known { generation: self.generation, version, value: entry, bytes };
        self.hosts.insert(authority.into(), known, bytes);
        Some(entry)
    }

    /// There is no cache of keys: a bucket is found as fast among a million keys as among a hundred.
    pub(crate) fn key(&self, digest: &Digest) -> Option<KeyRecord> {
        let (value, _) = shared::get(&mirror::bucket_key(digest.bucket()))?;
        key::find(wire::bucket_records(self.current(&value)?)?, digest)
    }

    pub(crate) fn site(&mut self, id: SiteId) -> Option<Rc<Site>> {
        let known = self.sites.get(&id);
        if let Some(known) = known.as_ref().filter(|known| known.generation == self.generation) {
            return Some(Rc::clone(&known.value));
        }
        let known = self.sites.remove(&id);
        let (value, version) = shared::get(&mirror::site_key(id))?;
        let policy = self.current(&value)?;
        let known = match known {
            Some(known) if known.version == version && version.is_some() => {
                Known { generation: self.generation, ..known }
            }
            _ => {
                self.site_version += 1;
                let site = Site::decode(id, policy, self.site_version)?;
                let bytes = site.bytes(policy.len());
                Known { generation: self.generation, version, value: Rc::new(site), bytes }
            }
        };
        let site = Rc::clone(&known.value);
        let bytes = known.bytes;
        self.sites.insert(id, known, bytes);
        Some(site)
    }

    pub(crate) fn consumer(&mut self, id: ConsumerId) -> Option<Rc<Consumer>> {
        let known = self.consumers.get(&id);
        if let Some(known) = known.as_ref().filter(|known| known.generation == self.generation) {
            return Some(Rc::clone(&known.value));
        }
        let known = self.consumers.remove(&id);
        let (value, version) = shared::get(&mirror::consumers_key(policy::consumer::bucket_of(id)))?;
        let bucket = self.current(&value)?;
        let known = match known {
            Some(known) if known.version == version && version.is_some() => {
                Known { generation: self.generation, ..known }
            }
            _ => {
                let consumer = Consumer::find(bucket, id)?;
                let bytes = consumer.bytes();
                Known { generation: self.generation, version, value: Rc::new(consumer), bytes }
            }
        };
        let consumer = Rc::clone(&known.value);
        let bytes = known.bytes;
        self.consumers.insert(id, known, bytes);
        Some(consumer)
    }

    /// The resource in a value, unless it was removed, or is of an epoch that is over.
    fn current<'v>(&self, value: &'v [u8]) -> Option<&'v [u8]> {
        self.serving.as_ref()?.resource(value)
    }
}
