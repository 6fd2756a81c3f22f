//! The mirror: the filter's state, carried by delta xDS into Envoy's shared data. A state machine
//! without I/O: it is fed messages, and answers with messages to send and values to write.
//!
//! It is deliberately dumb: resource name to shared-data name, resource bytes to value, removal to
//! an empty value, then the ACK. Shared data cannot be enumerated nor deleted, and outlives the
//! mirror's VM; so each value is tagged with the *epoch* of the mirror that wrote it, and readers
//! accept only values of the epoch that is being served or newer. A mirror that starts again takes
//! the next epoch, and begins to serve it when its first sync is complete: until then the old state
//! goes on being served, and afterwards nothing is left that was removed in between.

mod trial;

use std::collections::BTreeMap;

use self::trial::{Trials, Verdict};
use crate::bounds::{MESSAGE_BYTES, SITE_POLICY_BYTES};
use crate::key::bucket_name;
use crate::mirror_wire::{DeltaDiscoveryRequest, Node, Response, Status};
use crate::wire::type_url;

/// The shared-data name of the [`Serving`] value.
pub const SERVING_KEY: &str = "serving";

/// The shared-data name of an empty value that is written after each change: its version tells
/// whether anything has changed. Reading an empty value costs a VM a tenth of reading another.
pub const GENERATION_KEY: &str = "generation";

/// The shared-data name of the resources that the mirror is taking in.
pub const TRIAL_KEY: &str = "trial";

/// The shared-data name of the resources that a mirror's VM has trapped on.
pub const REFUSED_KEY: &str = "refused";

/// The most bytes of a message that a mirror reads: the largest resource, alone in it or beside
/// those that fill a message.
pub const MESSAGE_MAX_BYTES: usize = SITE_POLICY_BYTES + MESSAGE_BYTES;

/// The user agent by which the mirror's stream is told from the one of its Envoy: both have the
/// same Node id.
pub const USER_AGENT: &str = "tenantry-filter";

/// The number of groups of key buckets, by their first 8 bits.
const KEY_GROUPS: usize = 256;

/// The length of the epoch that precedes each value.
const TAG_LEN: usize = 4;

/// gRPC's INVALID_ARGUMENT, for a NACK.
const INVALID_ARGUMENT: i32 = 3;

/// The shared-data name of a hostname's entry.
pub fn host_key(name: &str) -> String {
    format!("h/{name}")
}

/// The shared-data name of a key bucket.
pub fn bucket_key(bucket: u16) -> String {
    format!("k/{}", bucket_name(bucket))
}

/// The shared-data name of an empty value that is written after each change of a bucket in the same
/// group of 256: while its version stays, a bucket that was read still holds, even if something
/// else has changed.
pub fn key_group_key(bucket: u16) -> String {
    let [group, _] = bucket.to_be_bytes();
    format!("kg/{group:02x}")
}

/// The shared-data name of a bucket of consumers.
pub fn consumers_key(bucket: u16) -> String {
    format!("c/{}", crate::consumer::bucket_name(bucket))
}

/// The shared-data name of a site's policy.
pub fn site_key(site: crate::id::SiteId) -> String {
    format!("s/{site}")
}

/// The resource types that are mirrored, and the beginnings of their shared-data names.
/// [`type_url::SYNC`] writes nothing.
const TYPES: [(&str, Option<&str>); 5] = [
    (type_url::SITE_POLICY, Some("s/")),
    (type_url::KEY_BUCKET, Some("k/")),
    (type_url::CONSUMER_BUCKET, Some("c/")),
    (type_url::HOST, Some("h/")),
    (type_url::SYNC, None),
];

/// The epoch that is served. Its text in shared data is 8 bytes: epoch served, last epoch taken,
/// big endian.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Serving {
    /// The oldest epoch whose values count; 0 before the first sync: nothing is served.
    pub epoch: u32,
    /// The epoch of the newest mirror.
    pub newest_epoch: u32,
}

impl Serving {
    /// Reads the value under [`SERVING_KEY`].
    pub fn decode(value: &[u8]) -> Option<Self> {
        let (epoch, rest) = value.split_first_chunk()?;
        let (newest, _) = rest.split_first_chunk()?;
        Some(Self { epoch: u32::from_be_bytes(*epoch), newest_epoch: u32::from_be_bytes(*newest) })
    }

    fn encode(self) -> Vec<u8> {
        let mut value = Vec::with_capacity(8);
        value.extend_from_slice(&self.epoch.to_be_bytes());
        value.extend_from_slice(&self.newest_epoch.to_be_bytes());
        value
    }

    /// The resource in a shared-data value; `None` if it was removed, or is of an epoch that is
    /// over.
    pub fn resource<'a>(&self, value: &'a [u8]) -> Option<&'a [u8]> {
        let (epoch, resource) = value.split_first_chunk::<TAG_LEN>()?;
        (self.epoch > 0 && u32::from_be_bytes(*epoch) >= self.epoch).then_some(resource)
    }
}

/// One thing to do, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send this message on the stream.
    Send(Vec<u8>),
    /// Write this value under this name in shared data.
    Write(String, Vec<u8>),
    /// Give the stream up, and open another.
    Reconnect,
}

/// The state that earlier mirrors of the same Envoy left in shared data.
#[derive(Clone, Debug, Default)]
pub struct Left {
    /// The value under [`SERVING_KEY`].
    pub serving: Option<Serving>,
    /// The value under [`TRIAL_KEY`]; empty unless a VM has trapped.
    pub trial: Vec<u8>,
    /// The value under [`REFUSED_KEY`].
    pub refused: Vec<u8>,
}

/// The mirror of one Envoy.
#[derive(Debug)]
pub struct Mirror {
    node: Node,
    serving: Serving,
    epoch: u32,
    /// By type: the name and version of every resource that is mirrored.
    held: [BTreeMap<String, String>; TYPES.len()],
    trials: Trials,
}

impl Mirror {
    /// A mirror for the Envoy with this Node, and the values to write before anything else.
    pub fn start(node_id: String, cluster: String, left: &Left) -> (Self, Vec<Action>) {
        let mut serving = left.serving.unwrap_or_default();
        serving.newest_epoch = serving.newest_epoch.saturating_add(1);
        let mirror = Self {
            node: Node { id: node_id, cluster, user_agent_name: USER_AGENT.to_owned() },
            serving,
            epoch: serving.newest_epoch,
            held: Default::default(),
            trials: Trials::left(&left.trial, &left.refused),
        };
        let mut writes = vec![mirror.write_serving()];
        let refused = mirror.trials.refused();
        if refused != left.refused {
            writes.push(Action::Write(REFUSED_KEY.to_owned(), refused));
        }
        if !left.trial.is_empty() {
            writes.push(trial_over());
        }
        (mirror, writes)
    }

    /// Returns the first messages of a new stream: a wildcard subscription to each type, with the
    /// versions that are held, so that only the differences come (xDS protocol, "Initial resource
    /// versions"). The Node is in the first message alone.
    pub fn connected(&self) -> Vec<Action> {
        let mut node = Some(self.node.clone());
        let requests =
            TYPES.iter().zip(&self.held).map(|((type_url, _), held)| DeltaDiscoveryRequest {
                node: node.take(),
                type_url: (*type_url).to_owned(),
                resource_names_subscribe: vec!["*".to_owned()],
                initial_resource_versions: held.clone(),
                ..Default::default()
            });
        requests.map(|request| Action::Send(prost::Message::encode_to_vec(&request))).collect()
    }

    /// Returns the write that has to be done before a message is taken in; none if it cannot be
    /// read. Should the VM trap on it, the next mirror learns by it on which resources.
    pub fn expected(&self, message: &[u8]) -> Option<Action> {
        let note = self.trials.note(&Response::read(message)?);
        Some(Action::Write(TRIAL_KEY.to_owned(), note))
    }

    /// Takes in a message of the stream: writes its content, then ACKs it. One that cannot be
    /// applied is NACKed and changes nothing. One that cannot even be read cannot be NACKed: the
    /// server would wait for an answer for ever, so the stream ends.
    ///
    /// A resource on which a VM has trapped is NACKed, and its name loses its value: the one before
    /// may let somebody in whose key was revoked since.
    pub fn received(&mut self, message: &[u8]) -> Vec<Action> {
        let Some(response) = Response::read(message) else { return vec![Action::Reconnect] };
        let mut reply = DeltaDiscoveryRequest {
            type_url: response.type_url.to_owned(),
            response_nonce: response.nonce.to_owned(),
            ..Default::default()
        };
        let mut refuse = |message: String| {
            reply.error_detail = Some(Status { code: INVALID_ARGUMENT, message });
        };
        let mut actions = match self.trials.verdict(&response) {
            Verdict::Take => {
                let writes = self.apply(&response);
                self.trials.survived(&response);
                writes.unwrap_or_else(|message| {
                    refuse(message);
                    Vec::new()
                })
            }
            Verdict::Split => {
                refuse("a VM may have trapped on one of these: send them one by one".to_owned());
                Vec::new()
            }
            Verdict::Refuse(name) => {
                refuse(format!("{name} is left out: a VM has trapped on this version of it"));
                let gone =
                    Response { resources: Vec::new(), removed: vec![name], ..response.clone() };
                self.apply(&gone).unwrap_or_default()
            }
        };
        actions.push(trial_over());
        actions.push(Action::Send(prost::Message::encode_to_vec(&reply)));
        actions
    }

    fn apply(&mut self, response: &Response<'_>) -> Result<Vec<Action>, String> {
        let known = TYPES
            .iter()
            .zip(&mut self.held)
            .find(|((type_url, _), _)| *type_url == response.type_url);
        let Some(((_, prefix), held)) = known else {
            return Err(format!("the filter knows no type {}", response.type_url));
        };
        if let Some(empty) = response.resources.iter().find(|resource| resource.value.is_none()) {
            return Err(format!("the resource {} has no content", empty.name));
        }
        let synced = prefix.is_none() && !response.resources.is_empty();
        let groups = KeyGroups::of(response);
        let mut writes = Vec::with_capacity(response.resources.len() + response.removed.len() + 1);
        for resource in &response.resources {
            if let (Some(prefix), Some(content)) = (prefix, resource.value) {
                let mut value = Vec::with_capacity(TAG_LEN + content.len());
                value.extend_from_slice(&self.epoch.to_be_bytes());
                value.extend_from_slice(content);
                writes.push(Action::Write(format!("{prefix}{}", resource.name), value));
            }
            held.insert(resource.name.to_owned(), resource.version.to_owned());
        }
        for name in &response.removed {
            held.remove(*name);
            if let Some(prefix) = prefix {
                writes.push(Action::Write(format!("{prefix}{name}"), Vec::new()));
            }
        }
        // After the buckets: a VM that has seen the counter as it was before has to find that it
        // has changed.
        writes.extend(groups.written());
        if synced {
            self.serving.epoch = self.epoch;
            writes.push(self.write_serving());
        }
        if !writes.is_empty() {
            writes.push(Action::Write(GENERATION_KEY.to_owned(), Vec::new()));
        }
        Ok(writes)
    }

    fn write_serving(&self) -> Action {
        Action::Write(SERVING_KEY.to_owned(), self.serving.encode())
    }
}

/// The write that says that a VM has not trapped.
fn trial_over() -> Action {
    Action::Write(TRIAL_KEY.to_owned(), Vec::new())
}

/// The groups of the buckets that a message changes.
struct KeyGroups([bool; KEY_GROUPS]);

impl KeyGroups {
    fn of(response: &Response<'_>) -> Self {
        let mut groups = [false; KEY_GROUPS];
        if response.type_url == type_url::KEY_BUCKET {
            let names = response.resources.iter().map(|resource| resource.name);
            let names = names.chain(response.removed.iter().copied());
            // A name that is none of a bucket's is no bucket that anybody reads.
            for bucket in names.filter_map(|name| u16::from_str_radix(name, 16).ok()) {
                let [group, _] = bucket.to_be_bytes();
                if let Some(changed) = groups.get_mut(usize::from(group)) {
                    *changed = true;
                }
            }
        }
        Self(groups)
    }

    fn written(self) -> impl Iterator<Item = Action> {
        let changed = (0..=u8::MAX).zip(self.0).filter(|(_, changed)| *changed);
        changed.map(|(group, _)| {
            Action::Write(key_group_key(u16::from_be_bytes([group, 0])), Vec::new())
        })
    }
}

#[cfg(test)]
#[path = "mirror_tests.rs"]
mod tests;
