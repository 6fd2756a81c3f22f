//! The entries of the stored state, and their encoding.

use std::collections::BTreeMap;

use policy::id::{SiteId, TenantId};
use prost::Message as _;

use crate::resource::ResourceType;
use crate::snapshot::Owner;

/// The place of a resource: the cell, the type, and the name.
pub type Place = (String, ResourceType, String);

/// One thing to be stored: the new content of a place, or its removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The cell.
    pub cell: &'a str,
    /// The type.
    pub kind: ResourceType,
    /// The name, unique within cell and type.
    pub name: &'a str,
    /// Its owner and its bytes; `None`: it is gone.
    pub content: Option<(Owner, &'a [u8])>,
}

/// The end of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Every change of the log up to this number is in the stored state; some of the later ones may
    /// be.
    pub seq: i64,
    /// The time of writing, in milliseconds since 1970.
    pub at_ms: u64,
}

/// Everything that was stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The resources, by place.
    pub resources: BTreeMap<Place, (Owner, Vec<u8>)>,
    /// The last transaction.
    pub commit: Option<Commit>,
}

/// A part of a transaction, or the whole of it. It is complete with the first frame that has a
/// commit.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct FrameBody {
    #[prost(message, repeated, tag = "1")]
    entries: Vec<EntryBody>,
    #[prost(message, optional, tag = "2")]
    commit: Option<CommitBody>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct EntryBody {
    #[prost(string, tag = "1")]
    cell: String,
    #[prost(string, tag = "2")]
    kind: String,
    #[prost(string, tag = "3")]
    name: String,
    /// The 16 bytes of a site's id.
    #[prost(bytes = "vec", optional, tag = "4")]
    site: Option<Vec<u8>>,
    #[prost(uint32, optional, tag = "5")]
    bucket: Option<u32>,
    #[prost(uint32, optional, tag = "6")]
    consumers: Option<u32>,
    /// Absent: the resource is gone.
    #[prost(bytes = "vec", optional, tag = "7")]
    content: Option<Vec<u8>>,
    /// The 16 bytes of the id of the tenant whose listeners these are.
    #[prost(bytes = "vec", optional, tag = "8")]
    listeners: Option<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct CommitBody {
    #[prost(int64, tag = "1")]
    seq: i64,
    #[prost(uint64, tag = "2")]
    at_ms: u64,
}

impl FrameBody {
    /// The bytes of a frame that an entry takes, roughly.
    pub(super) fn size_of(entry: &Entry<'_>) -> usize {
        let content = entry.content.map_or(0, |(_, content)| content.len());
        entry.cell.len() + entry.name.len() + content + 64
    }

    pub(super) fn add(&mut self, entry: &Entry<'_>) {
        let mut body = EntryBody {
            cell: entry.cell.to_owned(),
            kind: entry.kind.label().to_owned(),
            name: entry.name.to_owned(),
            ..EntryBody::default()
        };
        if let Some((owner, content)) = entry.content {
            match owner {
                Owner::Platform => {}
                Owner::Site(site) => body.site = Some(site.as_bytes().to_vec()),
                Owner::Listeners(tenant) => body.listeners = Some(tenant.as_bytes().to_vec()),
                Owner::Bucket(bucket) => body.bucket = Some(bucket.into()),
                Owner::Consumers(bucket) => body.consumers = Some(bucket.into()),
            }
            body.content = Some(content.to_vec());
        }
        self.entries.push(body);
    }

    pub(super) fn commit(&mut self, Commit { seq, at_ms }: Commit) {
        self.commit = Some(CommitBody { seq, at_ms });
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        prost::Message::decode(bytes).ok()
    }
}

impl State {
    /// Applies a transaction. `None` if something in it has another form than this program writes.
    pub(super) fn apply(&mut self, frames: Vec<FrameBody>) -> Option<()> {
        for frame in frames {
            for entry in frame.entries {
                self.put(entry)?;
            }
            if let Some(CommitBody { seq, at_ms }) = frame.commit {
                self.commit = Some(Commit { seq, at_ms });
            }
        }
        Some(())
    }

    fn put(&mut self, entry: EntryBody) -> Option<()> {
        let owner = entry.owner();
        let place = (entry.cell, ResourceType::from_label(&entry.kind)?, entry.name);
        match entry.content {
            Some(content) => self.resources.insert(place, (owner?, content)),
            None => self.resources.remove(&place),
        };
        Some(())
    }
}

impl FrameBody {
    /// Returns true if it is the last of its transaction.
    pub(super) fn is_last(&self) -> bool {
        self.commit.is_some()
    }
}

impl EntryBody {
    fn owner(&self) -> Option<Owner> {
        match (&self.site, &self.listeners, self.bucket, self.consumers) {
            (Some(site), None, None, None) => SiteId::from_slice(site).map(Owner::Site),
            (None, Some(tenant), None, None) => TenantId::from_slice(tenant).map(Owner::Listeners),
            (None, None, Some(bucket), None) => bucket.try_into().ok().map(Owner::Bucket),
            (None, None, None, Some(bucket)) => bucket.try_into().ok().map(Owner::Consumers),
            (None, None, None, None) => Some(Owner::Platform),
            _ => None,
        }
    }
}
