//! Signing keys of a consumer: what verifies its signatures (RFC 9421).

use chrono::{DateTime, Utc};
use policy::desired::Secret;
use policy::id::{ConsumerId, KeyId, SiteId};
use policy::settings::{KeySettings, SigningAlgorithm};
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::mark;
use crate::base::page::Page;
use crate::base::seal::{Place, SecretsKey};
use crate::base::settings::sparse;
use crate::base::tx::TenantTx;
use crate::clients::consumer;
use crate::publishing::lock;

/// How many signing keys a consumer may have, revoked and expired ones included.
pub const MAX_PER_CONSUMER: u32 = 10_000;
/// How many of them may work at the same time: they are all read to find one.
pub const MAX_WORKING_PER_CONSUMER: u32 = 100;
/// The table, in the place of sealed material.
pub(crate) const TABLE: &str = "signing_keys";

/// A signing key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// The key's id; its text form is the `keyid` of signatures.
    pub id: KeyId,
    /// What people call it, 1 to 200 characters.
    pub name: Option<String>,
    /// Its algorithm.
    pub algorithm: SigningAlgorithm,
    /// The 32 bytes of an Ed25519 public key.
    pub public_key: Option<Vec<u8>>,
    /// What is set for it.
    pub settings: KeySettings,
    /// From when its signatures are refused.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked. Its signatures are refused for good.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Counts the changes, from 1.
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What verifies signatures.
#[derive(Clone, Debug)]
pub enum Material {
    /// An Ed25519 public key.
    Ed25519([u8; 32]),
    /// A secret of HMAC with SHA-256, which is sealed before it is stored.
    HmacSha256(Secret),
}

/// What a new signing key is made of.
#[derive(Clone, Debug)]
pub struct NewSigningKey {
    /// See [`SigningKey::name`].
    pub name: Option<String>,
    /// What verifies.
    pub material: Material,
    /// See [`SigningKey::settings`].
    pub settings: KeySettings,
    /// See [`SigningKey::expires_at`]; not in the past.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What may change of a signing key; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct SigningKeyPatch {
    /// See [`SigningKey::name`]; `Some(None)` takes it away.
    pub name: Option<Option<String>>,
    /// See [`SigningKey::settings`]; they are replaced as a whole.
    pub settings: Option<KeySettings>,
}

struct Record {
    id: Uuid,
    name: Option<String>,
    algorithm: String,
    public_key: Option<Vec<u8>>,
    settings: Json<KeySettings>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    revision: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Record> for SigningKey {
    fn from(record: Record) -> Self {
        Self {
            id: KeyId(record.id),
            name: record.name,
            algorithm: algorithm_named(&record.algorithm),
            public_key: record.public_key,
            settings: record.settings.0,
            expires_at: record.expires_at,
            revoked_at: record.revoked_at,
            revision: record.revision,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}

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

const NOT_FOUND: StoreError = StoreError::NotFound { what: "signing key" };

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
    let id = crate::new_id();
    let (algorithm, public_key, sealed) = match &new.material {
        Material::Ed25519(public_key) => ("ed25519", Some(public_key.to_vec()), None),
        Material::HmacSha256(secret) => {
            let place = Place { table: TABLE, tenant: tx.tenant(), row: id };
            let sealed = key.ok_or(StoreError::NoSecretsKey)?.seal(place, secret)?;
            ("hmac-sha256", None, Some(sealed))
        }
    };
    let row = sqlx::query!(
        "INSERT INTO signing_keys (tenant_id, site_id, consumer_id, id, plan, consumer_has_settings, name, algorithm, public_key,
                                   material_sealed, settings, expires_at)
         SELECT c.tenant_id, c.site_id, c.id, $4, c.plan_number, c.has_settings, $5, $6, $7, $8, $9, $10
         FROM consumers c WHERE c.tenant_id = $1 AND c.site_id = $2 AND c.id = $3
         RETURNING bucket",
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
    mark::bucket(tx, row.bucket);
    tx.mark_consumer(consumer);
    let made = get(tx, site, consumer, KeyId(id)).await?;
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
                count(*) FILTER (WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())) AS "working!"
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

/// Reads a signing key.
pub async fn get(
    tx: &mut TenantTx,
    site: SiteId,
    consumer: ConsumerId,
    id: KeyId,
) -> Result<SigningKey, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_as!(
        Record,
        r#"SELECT id, name, algorithm, public_key, settings AS "settings: Json<KeySettings>", expires_at, revoked_at,
                revision, created_at, updated_at
         FROM signing_keys WHERE tenant_id = $1 AND site_id = $2 AND consumer_id = $3 AND id = $4"#,
        tenant,
        Uuid::from(site),
        Uuid::from(consumer),
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .map(SigningKey::from)
    .ok_or(NOT_FOUND)
}

/// Reads a page of a consumer's signing keys, revoked and expired ones included.
pub async fn list(
    tx: &mut TenantTx,
    site: SiteId,
    consumer: ConsumerId,
    page: Page,
) -> Result<Vec<SigningKey>, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let records = sqlx::query_as!(
        Record,
        r#"SELECT id, name, algorithm, public_key, settings AS "settings: Json<KeySettings>", expires_at, revoked_at,
                revision, created_at, updated_at
         FROM signing_keys WHERE tenant_id = $1 AND site_id = $2 AND consumer_id = $3 AND id > $4 ORDER BY id LIMIT $5"#,
        tenant,
        Uuid::from(site),
        Uuid::from(consumer),
        page.after(),
        page.limit()
    )
    .fetch_all(tx.conn())
    .await?;
    if records.is_empty() {
        consumer::get(tx, site, consumer).await?;
    }
    Ok(records.into_iter().map(SigningKey::from).collect())
}

/// Changes what is said and set of a signing key. What verifies stays: a new key is another key.
pub async fn update(
    tx: &mut TenantTx,
    site: SiteId,
    consumer: ConsumerId,
    id: KeyId,
    patch: SigningKeyPatch,
    expected_revision: Option<i64>,
) -> Result<SigningKey, StoreError> {
    let before = lock(tx, site, consumer, id, expected_revision).await?;
    let tenant = Uuid::from(tx.tenant());
    sqlx::query!(
        "UPDATE signing_keys SET name = $4, settings = $5, revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3",
        tenant,
        Uuid::from(site),
        Uuid::from(id),
        patch.name.unwrap_or_else(|| before.name.clone()),
        sparse(patch.settings.as_ref().unwrap_or(&before.settings))
    )
    .execute(tx.conn())
    .await?;
    let after = get(tx, site, consumer, id).await?;
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
    let row = sqlx::query!(
        "UPDATE signing_keys SET revoked_at = now(), revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3 RETURNING bucket",
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .fetch_one(tx.conn())
    .await?;
    mark::bucket(tx, row.bucket);
    tx.mark_consumer(consumer);
    let after = get(tx, site, consumer, id).await?;
    tx.record(Entry::updated("signing_key.revoke", id, &before, &after));
    Ok(after)
}

async fn lock(
    tx: &mut TenantTx,
    site: SiteId,
    consumer: ConsumerId,
    id: KeyId,
    expected_revision: Option<i64>,
) -> Result<SigningKey, StoreError> {
    lock::share(tx, site).await?;
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_scalar!(
        "SELECT id FROM signing_keys WHERE tenant_id = $1 AND site_id = $2 AND consumer_id = $3 AND id = $4 FOR UPDATE",
        tenant,
        Uuid::from(site),
        Uuid::from(consumer),
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)?;
    let key = get(tx, site, consumer, id).await?;
    StoreError::unless_expected(key.revision, expected_revision)?;
    Ok(key)
}
