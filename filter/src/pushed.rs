//! The pushed state as this VM sees it: the values that the mirror wrote into shared data, with
//! bounded caches of decoded values in front.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, RandomState};
use std::rc::Rc;

use policy::cache::Cache;
use policy::consumer::Consumer;
use policy::hash::Mixer;
use policy::id::{ConsumerId, SiteId};
use policy::key::{self, Digest, KeyRecord};
use policy::key_tag::{Tag, Tags};
use policy::mirror::{self, Serving};
use policy::site::Site;
use policy::state::{HostEntry, Reached};
use policy::{host, wire};

use crate::shared;
use crate::shortcuts::{Age, Shortcuts};

/// The most memory for the decoded sites of a VM, in bytes: 10,000 sites of a few routes each, or
/// 1,500 of a hundred.
const SITES_MAX_BYTES: usize = 96 * 1024 * 1024;
/// The most memory for the decoded consumers of a VM, in bytes: 30,000 with a few settings each.
const CONSUMERS_MAX_BYTES: usize = 32 * 1024 * 1024;
/// The most memory for the known hosts of a VM, in bytes: some 50,000 names.
const HOSTS_MAX_BYTES: usize = 8 * 1024 * 1024;
/// The memory of a known host beside its name, in bytes.
const HOST_BYTES: usize = 112;
/// The memory of a known key, in bytes: its name, its record, the time at which it was read, and a
/// byte of the map's own.
const KEY_BYTES: usize = size_of::<(Tag, KnownKey, usize)>() + 1;
/// The most keys that a VM knows: twice the number that fits into 65,536 places of a map of which 7
/// in 8 are used. Both maps together take 19 MB.
const KEYS_MAX: usize = 2 * (65_536 / 8 * 7);

/// The pushed state.
pub(crate) struct Pushed {
    seen: Seen,
    /// Grows with each site that is decoded.
    site_version: u64,
    hosts: Decoded<Box<[u8]>, HostEntry>,
    sites: Decoded<SiteId, Rc<Site>, Mixer>,
    consumers: Decoded<ConsumerId, Rc<Consumer>, Mixer>,
    keys: Cache<Tag, KnownKey, Mixer>,
    tags: Tags,
    shortcuts: Shortcuts,
}

/// A key that was found. An absent one is not remembered: guesses must not fill the cache.
#[derive(Clone, Copy)]
struct KnownKey {
    record: KeyRecord,
    /// The generation under which it was last known to hold.
    generation: u32,
    /// The epoch that was served when it was read: a mirror that starts again writes nothing of
    /// what went meanwhile.
    epoch: u32,
    /// The version of the counter of its group of buckets, looked at before the bucket was.
    group: Option<u32>,
}

/// The versions in shared data as the last request saw them.
#[derive(Clone, Copy, Default)]
struct Seen {
    /// The version of the mirror's generation counter when `serving` was read.
    generation: u32,
    serving: Option<Serving>,
}

/// The decoded values of one kind of resource.
struct Decoded<K, T, S = RandomState> {
    cache: Cache<K, Known<T>, S>,
}

/// A decoded value.
struct Known<T> {
    /// The generation under which it was last compared with shared data.
    generation: u32,
    /// The version in shared data of the value that it was decoded from.
    version: Option<u32>,
    value: T,
    /// About how many bytes it takes.
    bytes: usize,
}

impl<K: Hash + Eq, T: Clone, S: BuildHasher + Default> Decoded<K, T, S> {
    fn new(max_bytes: usize) -> Self {
        Self { cache: Cache::new(max_bytes) }
    }

    /// The value under a key, if it has been compared with shared data under this generation.
    fn known<Q: Hash + Eq + ?Sized>(&mut self, seen: Seen, key: &Q) -> Option<T>
    where
        K: Borrow<Q>,
    {
        let known = self.cache.get(key).filter(|known| known.generation == seen.generation)?;
        Some(known.value.clone())
    }

    /// Compares with shared data under this name, and decodes it if it has changed; `decode`
    /// returns its bytes of memory, too. An absent one is not remembered: names that do not exist
    /// must not fill the cache.
    fn read(
        &mut self,
        seen: Seen,
        key: K,
        name: &str,
        decode: impl FnOnce(&[u8]) -> Option<(T, usize)>,
    ) -> Option<T> {
        let known = self.cache.remove(&key);
        let (content, version) = shared::get(name)?;
        let resource = seen.resource(&content)?;
        let known = match known.filter(|known| known.version == version && version.is_some()) {
            Some(known) => Known { generation: seen.generation, ..known },
            None => {
                let (value, bytes) = decode(resource)?;
                Known { generation: seen.generation, version, value, bytes }
            }
        };
        let (value, bytes) = (known.value.clone(), known.bytes);
        self.cache.insert(key, known, bytes);
        Some(value)
    }
}

impl Seen {
    /// The resource in a value, unless it was removed, or is of an epoch that is over.
    fn resource(self, content: &[u8]) -> Option<&[u8]> {
        self.serving?.resource(content)
    }
}

impl Pushed {
    /// A VM that has seen nothing yet. The keys of its tables are its own.
    pub(crate) fn new(tags: Tags, place_key: u64) -> Self {
        Self {
            tags,
            seen: Seen::default(),
            site_version: 0,
            hosts: Decoded::new(HOSTS_MAX_BYTES),
            sites: Decoded::new(SITES_MAX_BYTES),
            consumers: Decoded::new(CONSUMERS_MAX_BYTES),
            keys: Cache::new(KEYS_MAX * KEY_BYTES),
            shortcuts: Shortcuts::new(place_key),
        }
    }

    /// Looks whether anything has changed since the last request; false before the first sync.
    pub(crate) fn refresh(&mut self) -> bool {
        // The counter is read first, so that a value read after it is never older than it says.
        match shared::version(mirror::GENERATION_KEY) {
            Some(generation) if generation == self.seen.generation => {}
            Some(generation) => self.seen = Seen { generation, serving: shared::serving() },
            None => self.seen = Seen::default(),
        }
        self.seen.serving.is_some()
    }

    /// The numbers of sites and consumers that are decoded here.
    pub(crate) fn decoded(&self) -> (usize, usize) {
        (self.sites.cache.len(), self.consumers.cache.len())
    }

    /// Returns the target of a host. If nothing has changed since the last request for it, that is
    /// one look.
    pub(crate) fn host(&mut self, authority: &[u8]) -> Option<Reached> {
        let age = self.age();
        if let Some(known) = self.shortcuts.get(authority, age) {
            return Some(known);
        }
        let reached = self.host_anew(authority)?;
        // The lookup may have made room for itself.
        let age = self.age();
        self.shortcuts.put(authority, age, &reached);
        Some(reached)
    }

    fn age(&self) -> Age {
        Age {
            generation: self.seen.generation,
            turns: (self.hosts.cache.turns(), self.sites.cache.turns()),
        }
    }

    #[inline(never)]
    fn host_anew(&mut self, authority: &[u8]) -> Option<Reached> {
        match self.host_entry(authority)? {
            HostEntry::Site(id) => self.site(id).map(Reached::Site),
            HostEntry::SharedApi => Some(Reached::SharedApi),
        }
    }

    fn host_entry(&mut self, authority: &[u8]) -> Option<HostEntry> {
        if let Some(known) = self.hosts.known(self.seen, authority) {
            return Some(known);
        }
        let name = mirror::host_key(&host::canonical(authority)?);
        let bytes = HOST_BYTES + authority.len();
        self.hosts.read(self.seen, authority.into(), &name, |host| {
            Some((HostEntry::decode(host)?, bytes))
        })
    }

    /// A key, by its text, of one site or of any. One that is known costs neither a digest nor a
    /// host call while nothing has changed.
    pub(crate) fn api_key(&mut self, text: &[u8], of: Option<SiteId>) -> Option<KeyRecord> {
        let tag = self.tags.of(text);
        let is_right = |record: &KeyRecord| of.is_none_or(|site| record.site == site);
        if let Some(known) = self.known_key(&tag).filter(is_right) {
            return Some(known);
        }
        self.api_key_anew(tag, text, is_right).filter(is_right)
    }

    /// A key of another site is looked for like one that does not exist, or the time would tell
    /// that it does.
    #[inline(never)]
    fn api_key_anew(
        &mut self,
        tag: Tag,
        text: &[u8],
        is_right: impl Fn(&KeyRecord) -> bool,
    ) -> Option<KeyRecord> {
        let known = self.keys.get(&tag).map(|known| known.record);
        if known.is_some_and(|record| !is_right(&record)) {
            self.keys.remove(&tag);
        }
        let digest = known.filter(is_right).map(|record| record.digest);
        self.key_anew(tag, digest.or_else(|| Digest::of_presented(text))?)
    }

    /// Another credential, by its digest.
    pub(crate) fn key(&mut self, digest: &Digest) -> Option<KeyRecord> {
        let tag = self.tags.of(&digest.0);
        self.known_key(&tag).or_else(|| self.key_anew(tag, *digest))
    }

    /// A key that is known to hold as long as nothing changes, and nothing has changed.
    fn known_key(&mut self, tag: &Tag) -> Option<KeyRecord> {
        let epoch = self.seen.serving?.epoch;
        let generation = self.seen.generation;
        let holds = |known: &&KnownKey| known.epoch == epoch && known.generation == generation;
        if let Some(known) = self.keys.recent(tag).filter(holds) {
            return Some(known.record);
        }
        self.keys.get(tag).map(|known| &*known).filter(holds).map(|known| known.record)
    }

    /// Returns a key's record after a change: a known key then costs a host call that touches no
    /// memory of the VM. The bucket is read again when a bucket of its group has changed: one in
    /// 256.
    #[inline(never)]
    fn key_anew(&mut self, tag: Tag, digest: Digest) -> Option<KeyRecord> {
        let generation = self.seen.generation;
        let epoch = self.seen.serving?.epoch;
        // Before the bucket, so that the bucket is never older than this says.
        let group = shared::version(&mirror::key_group_key(digest.bucket()));
        if let Some(known) = self.keys.get(&tag).filter(|known| known.epoch == epoch)
            && group.is_some()
            && known.group == group
        {
            known.generation = generation;
            return Some(known.record);
        }
        let found = self.read_key(&digest);
        match found {
            Some(record) => {
                self.keys.insert(tag, KnownKey { record, generation, epoch, group }, KEY_BYTES);
            }
            None => drop(self.keys.remove(&tag)),
        }
        found
    }

    fn read_key(&self, digest: &Digest) -> Option<KeyRecord> {
        let (content, _) = shared::get(&mirror::bucket_key(digest.bucket()))?;
        key::find(wire::bucket_records(self.seen.resource(&content)?)?, digest)
    }

    pub(crate) fn site(&mut self, id: SiteId) -> Option<Rc<Site>> {
        if let Some(known) = self.sites.known(self.seen, &id) {
            return Some(known);
        }
        let site_version = &mut self.site_version;
        self.sites.read(self.seen, id, &mirror::site_key(id), |policy| {
            *site_version += 1;
            let site = Site::decode(id, policy, *site_version)?;
            let bytes = site.bytes(policy.len());
            Some((Rc::new(site), bytes))
        })
    }

    pub(crate) fn consumer(&mut self, id: ConsumerId) -> Option<Rc<Consumer>> {
        if let Some(known) = self.consumers.known(self.seen, &id) {
            return Some(known);
        }
        let name = mirror::consumers_key(policy::consumer::bucket_of(id));
        self.consumers.read(self.seen, id, &name, |bucket| {
            let consumer = Consumer::find(bucket, id)?;
            let bytes = consumer.bytes();
            Some((Rc::new(consumer), bytes))
        })
    }
}
