//! Reading the desired state of the Envoys, in bulk, inside a snapshot.
//!
//! Nothing that one tenant has stored can keep the others from being read: a part that cannot be
//! read is left out, and named.

use policy::desired::Secret;
use policy::id::{ConsumerId, IssuerId, KeyId, SiteId, TenantId};
use serde::de::DeserializeOwned;

use crate::base::reader::SnapshotTx;
use crate::base::seal::Place;

mod buckets;
mod consumers;
mod of_site;
mod placements;
mod sites;

pub use buckets::{Step, all_buckets, buckets};
pub use consumers::{Consumers, ConsumersStep, all_consumers, consumers};
pub use of_site::{BucketsOfSite, buckets_of_site, site_of_hostname};
pub use placements::{CellSet, Listeners, cells, listeners, placements};
pub use sites::{Sites, all_site_ids, sites};

/// Something that is left out of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Omitted {
    /// The tenant that owns it.
    pub tenant: TenantId,
    /// The object.
    pub object: Object,
    /// The reason.
    pub reason: Reason,
}

/// An object that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// A whole site: it should keep what it had.
    Site(SiteId),
    /// The shared secret of an issuer, which is read without it.
    IssuerSecret(IssuerId),
    /// A whole consumer. The records of its credentials point at it, so its requests are refused.
    Consumer(ConsumerId),
    /// A signing key, whose consumer is read without it.
    SigningKey(KeyId),
}

/// The reason for leaving something out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// This program cannot parse the settings: a newer one has written them. Says the fault and its
    /// place; never a secret.
    Unreadable(String),
    /// It is sealed, and no secrets key is configured.
    NoSecretsKey,
    /// It was sealed with another secrets key, or for another row, or was changed since.
    NotOpened,
}

impl SnapshotTx {
    fn open(&self, place: Place, sealed: &[u8]) -> Result<Secret, Reason> {
        let key = self.secrets_key().ok_or(Reason::NoSecretsKey)?;
        key.open(place, sealed).ok_or(Reason::NotOpened)
    }
}

fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text)
}

/// Reads settings. Most are not set, and cost nothing.
fn parsed_or_default<T: DeserializeOwned + Default>(text: &str) -> Result<T, serde_json::Error> {
    if text == "{}" { Ok(T::default()) } else { parsed(text) }
}
