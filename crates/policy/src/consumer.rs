//! Consumers: the facts about one beyond the record of its credential.

use crate::id::{ConsumerId, KeyId};
use crate::rule::Rule;
use crate::signature::{Algorithm, Key};
use crate::site::Addresses;
use crate::wire;

/// The memory of a decoded consumer beside its texts, in bytes: for the bound of the cache that
/// holds consumers.
const CONSUMER_BYTES: usize = 512;

/// The bucket of a consumer: the last 16 bits of its id, which are random in a UUIDv7 (RFC 9562
/// section 5.7).
pub fn bucket_of(consumer: ConsumerId) -> u16 {
    let [.., high, low] = *consumer.as_bytes();
    u16::from_be_bytes([high, low])
}

/// The resource name of a bucket: four hexadecimal digits.
pub fn bucket_name(bucket: u16) -> String {
    format!("{bucket:04x}")
}

/// A consumer as the filter uses it.
#[derive(Debug)]
pub struct Consumer {
    /// The grant that holds for all its credentials.
    pub own: Grant,
    keys: Vec<(KeyId, Grant)>,
    signing_keys: Vec<(KeyId, Algorithm, Box<[u8]>)>,
}

/// The scopes, addresses and limits that come with a consumer or a key.
#[derive(Debug, Default)]
pub struct Grant {
    /// The scopes.
    pub scopes: Box<[Box<str>]>,
    /// From which client addresses it works; `None` for all.
    pub ip: Option<Addresses>,
    /// Its own limits and quotas.
    pub rules: Box<[Rule]>,
}

impl Consumer {
    /// Reads one consumer out of the bytes of a pushed [`wire::ConsumerBucket`]. `None` if it is
    /// not in it, or if it is no bucket.
    pub fn find(bucket: &[u8], id: ConsumerId) -> Option<Self> {
        let bucket = <wire::ConsumerBucket as prost::Message>::decode(bucket).ok()?;
        let consumer = bucket.consumers.iter().find(|consumer| consumer.id == id.as_bytes())?;
        let keys = consumer.keys.iter().filter_map(|key| {
            Some((
                KeyId::from_slice(&key.id)?,
                Grant::decode(&key.scopes, key.ip.as_ref(), &key.limits),
            ))
        });
        let signing_keys = consumer.signing_keys.iter().filter_map(|key| {
            let algorithm = if key.ed25519 { Algorithm::Ed25519 } else { Algorithm::HmacSha256 };
            Some((KeyId::from_slice(&key.id)?, algorithm, key.material.as_slice().into()))
        });
        Some(Self {
            own: Grant::decode(&consumer.scopes, consumer.ip.as_ref(), &consumer.limits),
            keys: keys.collect(),
            signing_keys: signing_keys.collect(),
        })
    }

    /// Returns the grant of one of its credentials; `None` if that has no settings of its own.
    pub fn key(&self, id: KeyId) -> Option<&Grant> {
        self.keys.iter().find(|(known, _)| *known == id).map(|(_, grant)| grant)
    }

    /// Returns the verifying half of one of its signing keys.
    pub fn signing_key(&self, id: KeyId) -> Option<Key<'_>> {
        let (_, algorithm, material) =
            self.signing_keys.iter().find(|(known, _, _)| *known == id)?;
        Key::new(*algorithm, material)
    }

    /// About how many bytes it takes, by the number of its parts.
    pub fn bytes(&self) -> usize {
        let grants = std::iter::once(&self.own).chain(self.keys.iter().map(|(_, grant)| grant));
        let parts: usize = grants.map(|grant| 1 + grant.scopes.len() + 2 * grant.rules.len()).sum();
        CONSUMER_BYTES + 128 * parts + 256 * self.signing_keys.len()
    }
}

impl Grant {
    fn decode(scopes: &[String], ip: Option<&wire::IpRules>, rules: &[wire::LimitRule]) -> Self {
        Self {
            scopes: scopes.iter().map(|scope| scope.as_str().into()).collect(),
            ip: ip.map(Addresses::decode),
            rules: Rule::decode_all(rules),
        }
    }
}
