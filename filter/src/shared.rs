//! The pushed state as this VM sees it: Envoy's shared data, with a bounded cache of decoded sites in front.

use std::{cell::RefCell, collections::HashMap, mem, rc::Rc};

use policy::{
    decision::{HostEntry, State},
    id::SiteId,
    key::{self, Digest, KeyRecord},
    mirror::{self, Serving},
    site::Site,
    wire,
};
use proxy_wasm::hostcalls;

/// How many decoded sites one half of the cache holds: with both halves, 1,024 sites, which at 20 KB for a site of a hundred
/// routes is 20 MB a VM.
const HALF_LEN: usize = 512;

/// The decoded sites of a VM, in two halves: what is used moves to the young one; when that is full it becomes the old one,
/// and what was not used since is dropped. Both operations are O(1).
#[derive(Default)]
pub(crate) struct Sites {
    young: HashMap<SiteId, Cached>,
    old: HashMap<SiteId, Cached>,
}

struct Cached {
    /// The generation under which it was last compared with shared data.
    generation: u64,
    /// The version that shared data gave the value.
    cas: Option<u32>,
    site: Option<Rc<Site>>,
}

/// What is being served now; `None` before the first sync.
pub(crate) fn serving() -> Option<Serving> {
    let (value, _) = hostcalls::get_shared_data(mirror::SERVING_KEY).ok()?;
    Serving::decode(&value?).filter(|serving| serving.epoch > 0)
}

/// The state of one request.
pub(crate) struct Shared<'a> {
    pub(crate) serving: Serving,
    pub(crate) sites: &'a RefCell<Sites>,
}

impl Shared<'_> {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Option<u32>)> {
        let (value, cas) = hostcalls::get_shared_data(key).ok()?;
        Some((value?, cas))
    }

    fn load_site(&self, id: SiteId, known: Option<Cached>) -> Cached {
        let generation = self.serving.generation;
        let found = self.get(&mirror::site_key(id));
        let cas = found.as_ref().and_then(|(_, cas)| *cas);
        match known {
            // The value is what it was; but an epoch that ended since takes its values with it.
            Some(known) if known.cas == cas && cas.is_some() && self.current(found.as_ref()).is_some() => {
                Cached { generation, ..known }
            }
            _ => {
                let site = self.current(found.as_ref()).and_then(|policy| Site::decode(id, policy)).map(Rc::new);
                Cached { generation, cas, site }
            }
        }
    }

    fn current<'v>(&self, found: Option<&'v (Vec<u8>, Option<u32>)>) -> Option<&'v [u8]> {
        found.and_then(|(value, _)| self.serving.resource(value))
    }
}

impl State for Shared<'_> {
    fn host(&mut self, name: &str) -> Option<HostEntry> {
        let (value, _) = self.get(&mirror::host_key(name))?;
        HostEntry::decode(self.serving.resource(&value)?)
    }

    fn key(&mut self, digest: &Digest) -> Option<KeyRecord> {
        let (value, _) = self.get(&mirror::bucket_key(digest.bucket()))?;
        key::find(wire::bucket_records(self.serving.resource(&value)?)?, digest)
    }

    fn site(&mut self, id: SiteId) -> Option<Rc<Site>> {
        let mut sites = self.sites.try_borrow_mut().ok()?;
        if let Some(cached) = sites.young.get(&id).filter(|cached| cached.generation == self.serving.generation) {
            return cached.site.clone();
        }
        let known = sites.young.remove(&id).or_else(|| sites.old.remove(&id));
        let loaded = self.load_site(id, known);
        let site = loaded.site.clone();
        // An absent site is not remembered: names that do not exist must not fill the cache.
        if site.is_some() {
            sites.keep(id, loaded);
        }
        site
    }
}

impl Sites {
    fn keep(&mut self, id: SiteId, cached: Cached) {
        if self.young.len() >= HALF_LEN {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(id, cached);
    }
}
