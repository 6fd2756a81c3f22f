//! Signing keys of a consumer, which verify its signatures (RFC 9421).

use chrono::{DateTime, Utc};
use policy::desired::Secret;
use policy::id::{ConsumerId, KeyId, SiteId};
use policy::settings::{KeySettings, SigningAlgorithm};
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::id::new_id;
use crate::base::mark;
use crate::base::queries::rows;
use crate::base::seal::{Place, SecretsKey};
use crate::base::settings::sparse;
use crate::base::tx::TenantTx;
use crate::clients::consumer;
use crate::publishing::objects::objects_of_parent;

/// The most signing keys of a consumer, revoked and expired ones included.
pub const MAX_PER_CONSUMER: u32 = 10_000;
/// The most of them that work at the same time: all are read to find one.
pub const MAX_WORKING_PER_CONSUMER: u32 = 100;
/// The table, in the place of sealed material.
pub(crate) const TABLE: &str = "signing_keys";

/// A signing key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// The key's id; its text form is the `keyid` of signatures.
    pub id: KeyId,
    /// A name for people, 1 to 200 characters.
    pub name: Option<String>,
    /// Its algorithm.
    pub algorithm: SigningAlgorithm,
    /// The 32 bytes of an Ed25519 public key.
    pub public_key: Option<Vec<u8>>,
    /// Its settings.
    pub settings: KeySettings,
    /// The time from which its signatures are refused.
    pub expires_at: Option<DateTime<Utc>>,
    /// The time of its revocation. Its signatures are refused for good.
    pub revoked_at: Option<DateTime<Utc>>,
    /// The bucket of its record in the data plane.
    bucket: i32,
    /// The number of changes, from 1.
    pub revision: i64,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
}

/// The material that verifies signatures.
#[derive(Clone, Debug)]
pub enum Material {
    /// An Ed25519 public key.
    Ed25519([u8; 32]),
    /// A secret of HMAC with SHA-256, which is sealed before it is stored.
    HmacSha256(Secret),
}

/// The fields of a new signing key.
#[derive(Clone, Debug)]
pub struct NewSigningKey {
    /// See [`SigningKey::name`].
    pub name: Option<String>,
    /// The material that verifies.
    pub material: Material,
    /// See [`SigningKey::settings`].
    pub settings: KeySettings,
    /// See [`SigningKey::expires_at`]; not in the past.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A change of a signing key; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct SigningKeyPatch {
    /// See [`SigningKey::name`]; `Some(None)` takes it away.
    pub name: Option<Option<String>>,
    /// See [`SigningKey::settings`]; they are replaced as a whole.
    pub settings: Option<KeySettings>,
}

rows! { ($) signing_key_rows =
    r#"id, name, algorithm, public_key, settings AS "settings: Json<KeySettings>", expires_at,
       revoked_at, bucket AS "bucket!", revision, created_at, updated_at"#
    => |row| SigningKey {
        id: KeyId(row.id),
        name: row.name,
        algorithm: algorithm_named(&row.algorithm),
        public_key: row.public_key,
        settings: row.settings.0,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
        bucket: row.bucket,
        revision: row.revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

objects_of_parent!(
    SigningKey, KeyId, "signing key", signing_key_rows of "signing_keys",
    "signing keys of a consumer", consumer: ConsumerId = "consumer_id"
);

impl Audited for SigningKey {
    fn form(&self) -> Value {
        json!({
            "name": self.name,
            "algorithm": self.algorithm,
            "public_key": self.public_key.as_deref().map(hex),
            "settings": sparse(&self.settings),
            "expires_at": self.expires_at,
            "revoked_at": self.revoked_at,
            "revision": self.revision,
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads the name of the database; a CHECK of the table leaves no third one.
pub(crate) fn algorithm_named(name: &str) -> SigningAlgorithm {
    if name == "ed25519" { SigningAlgorithm::Ed25519 } else { SigningAlgorithm::HmacSha256 }
}

/// Makes a signing key.
///
/// # Errors
/// [`StoreError::NoSecretsKey`] if it has a secret and there is no key to seal it with.
pub async fn create(
    tx: &mut TenantTx,
    site: SiteId,
    consumer: ConsumerId,
    new: NewSigningKey,
    key: Option<&SecretsKey>,
) -> Result<SigningKey, StoreError> {
    consumer::lock(tx, site, consumer, None).await?;
    unless_full(tx, site, consumer).await?;
    let tenant = Uuid::from(tx.tenant());
    let id = new_id();
    let (algorithm, public_key, sealed) = match &new.material {
        Material::Ed25519(public_key) => ("ed25519", Some(public_key.to_vec()), None),
        Material::HmacSha256(secret) => {
            let place = Place { table: TABLE, tenant: tx.tenant(), row: id };
            let sealed = key.ok_or(StoreError::NoSecretsKey)?.seal(place, secret)?;
            ("hmac-sha256", None, Some(sealed))
        }
    };
    let made = signing_key_rows!(
        "INSERT INTO signing_keys
             (tenant_id, site_id, consumer_id, id, plan, consumer_has_settings, name, algorithm,
              public_key, material_sealed, settings, expires_at)
         SELECT c.tenant_id, c.site_id, c.id, $4, c.plan_number, c.has_settings, $5, $6, $7, $8, $9,
                $10
         FROM consumers c WHERE c.tenant_id = $1 AND c.site_id = $2 AND c.id = $3
         RETURNING";
        tenant,
        Uuid::from(site),
        Uuid::from(consumer),
        id,
        new.name,
        algorithm,
        public_key,
        sealed,
        sparse(&new.settings),
        new.expires_at
    )
    .fetch_one(tx.conn())
    .await?;
    mark::bucket(tx, made.bucket);
    tx.mark_consumer(consumer);
    tx.record(Entry::created("signing_key.create", made.id, &made));
    Ok(made)
}

/// Counts the signing keys of a consumer that is locked.
async fn unless_full(
    tx: &mut TenantTx,
    site: SiteId,
    consumer: ConsumerId,
) -> Result<(), StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let counts = sqlx::query!(
        r#"SELECT count(*) AS "all!",
                  count(*) FILTER (WHERE works(revoked_at, expires_at)) AS "working!"
           FROM signing_keys WHERE tenant_id = $1 AND site_id = $2 AND consumer_id = $3"#,
        tenant,
        Uuid::from(site),
        Uuid::from(consumer)
    )
    .fetch_one(tx.conn())
    .await?;
    StoreError::at_limit(counts.all, "signing keys of a consumer", MAX_PER_CONSUMER)?;
    StoreError::at_limit(
        counts.working,
        "working signing keys of a consumer",
        MAX_WORKING_PER_CONSUMER,
    )
}

/// Changes the name or the settings of a signing key. Its material stays: another secret is another
/// key.
pub async fn update(
    tx: &mut TenantTx,
    site: SiteId,
    consumer: ConsumerId,
    id: KeyId,
    patch: SigningKeyPatch,
    expected_revision: Option<i64>,
) -> Result<SigningKey, StoreError> {
    // Before the key, as with API keys: what they take together is bounded.
    consumer::lock(tx, site, consumer, None).await?;
    let before = lock(tx, site, consumer, id, expected_revision).await?;
    let tenant = Uuid::from(tx.tenant());
    let after = signing_key_rows!(
        "UPDATE signing_keys SET name = $4, settings = $5,
                revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3 RETURNING";
        tenant,
        Uuid::from(site),
        Uuid::from(id),
        patch.name.unwrap_or_else(|| before.name.clone()),
        sparse(patch.settings.as_ref().unwrap_or(&before.settings))
    )
    .fetch_one(tx.conn())
    .await?;
    if after.settings != before.settings {
        tx.mark_consumer(consumer);
    }
    tx.record(Entry::updated("signing_key.update", id, &before, &after));
    Ok(after)
}

/// Revokes a signing key. One that is revoked stays as it is.
pub async fn revoke(
    tx: &mut TenantTx,
    site: SiteId,
    consumer: ConsumerId,
    id: KeyId,
    expected_revision: Option<i64>,
) -> Result<SigningKey, StoreError> {
    let before = lock(tx, site, consumer, id, expected_revision).await?;
    if before.revoked_at.is_some() {
        return Ok(before);
    }
    let tenant = Uuid::from(tx.tenant());
    let after = signing_key_rows!(
        "UPDATE signing_keys SET revoked_at = now(), revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3 RETURNING";
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .fetch_one(tx.conn())
    .await?;
    mark::bucket(tx, after.bucket);
    tx.mark_consumer(consumer);
    tx.record(Entry::updated("signing_key.revoke", id, &before, &after));
    Ok(after)
}
