//! API keys of a consumer. The text of a key never comes here: only its digest, which is not given
//! out either.

use std::time::Duration;

use chrono::{DateTime, Utc};
use policy::id::{ConsumerId, KeyId, SiteId};
use policy::key::Digest;
use policy::settings::KeySettings;
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::base::audit::{Audited, Entry};
use crate::base::error::{KeyEnd, StoreError};
use crate::base::mark;
use crate::base::page::Page;
use crate::base::settings::sparse;
use crate::base::tx::TenantTx;
use crate::clients::consumer;
use crate::publishing::lock;

/// How many keys a consumer may have, revoked and expired ones included.
pub const MAX_PER_CONSUMER: u32 = 10_000;
/// How many of the keys of a consumer may have settings, revoked ones apart: they are all read to
/// find those of one.
pub const MAX_WITH_SETTINGS_PER_CONSUMER: u32 = 1_000;

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key's id.
    pub id: KeyId,
    /// What people call it, 1 to 200 characters.
    pub name: Option<String>,
    /// What may be shown again of its text.
    pub hint: String,
    /// The key that took its place, if it was rotated.
    pub replaced_by: Option<KeyId>,
    /// From when it is refused.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked. It is refused for good.
    pub revoked_at: Option<DateTime<Utc>>,
    /// What is set for it.
    pub settings: KeySettings,
    /// Counts the changes, from 1.
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a new key is made of.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// See [`Key::name`].
    pub name: Option<String>,
    /// The SHA-256 of the key's whole text.
    pub digest: Digest,
    /// See [`Key::hint`], 32 characters at most.
    pub hint: String,
    /// See [`Key::expires_at`]; not in the past.
    pub expires_at: Option<DateTime<Utc>>,
    /// See [`Key::settings`].
    pub settings: KeySettings,
}

/// What may change of a key; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct KeyPatch {
    /// See [`Key::name`]; `Some(None)` takes it away.
    pub name: Option<Option<String>>,
    /// See [`Key::settings`]; they are replaced as a whole.
    pub settings: Option<KeySettings>,
}

/// What a rotation leaves.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// The key that takes the other's place.
    pub new: Key,
    /// The key that still works until it expires.
    pub old: Key,
}

struct Record {
    id: Uuid,
    name: Option<String>,
    hint: String,
    replaced_by: Option<Uuid>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    settings: Json<KeySettings>,
    revision: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Record> for Key {
    fn from(record: Record) -> Self {
        Self {
            id: KeyId(record.id),
            name: record.name,
            hint: record.hint,
            replaced_by: record.replaced_by.map(KeyId),
            expires_at: record.expires_at,
            revoked_at: record.revoked_at,
            settings: record.settings.0,
            revision: record.revision,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}

impl Audited for Key {
    fn form(&self) -> Value {
        json!({
            "name": self.name,
            "hint": self.hint,
            "replaced_by": self.replaced_by.map(|id| id.to_string()),
            "expires_at": self.expires_at,
            "revoked_at": self.revoked_at,
            "settings": sparse(&self.settings),
            "revision": self.revision,
        })
    }
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "key" };

/// Makes a key.
pub async fn create(
    tx: &mut TenantTx,
    site: SiteId,
    consumer: ConsumerId,
    new: NewKey,
) -> Result<Key, StoreError> {
    consumer::lock(tx, site, consumer, None).await?;
    let key = insert(tx, site, consumer, new).await?;
    tx.record(Entry::created("key.create", key.id, &key));
    Ok(key)
}

/// Reads a key.
pub async fn get(
    tx: &mut TenantTx,
    site: SiteId,
    consumer: ConsumerId,
    id: KeyId,
) -> Result<Key, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_as!(
        Record,
        r#"SELECT id, name, hint, replaced_by, expires_at, revoked_at,
                settings AS "settings: Json<KeySettings>", revision, created_at, updated_at
         FROM api_keys WHERE tenant_id = $1 AND site_id = $2 AND consumer_id = $3 AND id = $4"#,
        tenant,
        Uuid::from(site),
        Uuid::from(consumer),
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .map(Key::from)
    .ok_or(NOT_FOUND)
}

/// Reads a page of a consumer's keys, revoked and expired ones included.
pub async fn list(
    tx: &mut TenantTx,
    site: SiteId,
    consumer: ConsumerId,
    page: Page,
) -> Result<Vec<Key>, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let records = sqlx::query_as!(
        Record,
        r#"SELECT id, name, hint, replaced_by, expires_at, revoked_at,
                settings AS "settings: Json<KeySettings>", revision, created_at, updated_at
         FROM api_keys WHERE tenant_id = $1 AND site_id = $2 AND consumer_id = $3 AND id > $4 ORDER BY id LIMIT $5"#,
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
    Ok(records.into_iter().map(Key::from).collect())
}

/// Changes what is said and set of a key.
pub async fn update(
    tx: &mut TenantTx,
    site: SiteId,
    consumer: ConsumerId,
    id: KeyId,
    patch: KeyPatch,
    expected_revision: Option<i64>,
) -> Result<Key, StoreError> {
    consumer::lock(tx, site, consumer, None).await?;
    let before = lock(tx, site, consumer, id, expected_revision).await?;
    let settings = patch.settings.as_ref().unwrap_or(&before.settings);
    if before.settings == KeySettings::default() {
        unless_full(tx, site, consumer, settings).await?;
    }
    let tenant = Uuid::from(tx.tenant());
    let row = sqlx::query!(
        "UPDATE api_keys SET name = $4, settings = $5, revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3 RETURNING bucket",
        tenant,
        Uuid::from(site),
        Uuid::from(id),
        patch.name.unwrap_or_else(|| before.name.clone()),
        sparse(settings)
    )
    .fetch_one(tx.conn())
    .await?;
    let after = get(tx, site, consumer, id).await?;
    if after.settings != before.settings {
        mark::bucket(tx, row.bucket);
        tx.mark_consumer(consumer);
    }
    tx.record(Entry::updated("key.update", id, &before, &after));
    Ok(after)
}

/// Revokes a key. One that is revoked stays as it is.
pub async fn revoke(
    tx: &mut TenantTx,
    site: SiteId,
    consumer: ConsumerId,
    id: KeyId,
    expected_revision: Option<i64>,
) -> Result<Key, StoreError> {
    let before = lock(tx, site, consumer, id, expected_revision).await?;
    if before.revoked_at.is_some() {
        return Ok(before);
    }
    let tenant = Uuid::from(tx.tenant());
    let row = sqlx::query!(
        "UPDATE api_keys SET revoked_at = now(), revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3 RETURNING bucket",
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .fetch_one(tx.conn())
    .await?;
    mark(tx, consumer, row.bucket, &before);
    let after = get(tx, site, consumer, id).await?;
    tx.record(Entry::updated("key.revoke", id, &before, &after));
    Ok(after)
}

/// Puts a new key in the place of one, which expires when the grace period ends, or when it would
/// have anyway. With no grace it is refused at once.
///
/// # Errors
/// [`StoreError::KeyEnded`] if the old one is revoked or has expired.
pub async fn rotate(
    tx: &mut TenantTx,
    site: SiteId,
    consumer: ConsumerId,
    id: KeyId,
    new: NewKey,
    grace: Duration,
    expected_revision: Option<i64>,
) -> Result<Rotated, StoreError> {
    consumer::lock(tx, site, consumer, None).await?;
    let before = lock(tx, site, consumer, id, expected_revision).await?;
    if before.revoked_at.is_some() {
        return Err(StoreError::KeyEnded { end: KeyEnd::Revoked });
    }
    let tenant = Uuid::from(tx.tenant());
    // The one that takes its place counts for it, so that keys can be rotated where there are as
    // many as the platform plan allows.
    sqlx::query!(
        "UPDATE api_keys SET ended = true WHERE tenant_id = $1 AND site_id = $2 AND id = $3",
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .execute(tx.conn())
    .await?;
    let new = insert(tx, site, consumer, new).await?;
    let row = sqlx::query!(
        "UPDATE api_keys
         SET expires_at = least(expires_at, now() + make_interval(secs => $4)), replaced_by = $5,
             revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3 AND (expires_at IS NULL OR expires_at > now())
         RETURNING bucket",
        tenant,
        Uuid::from(site),
        Uuid::from(id),
        grace.as_secs_f64(),
        Uuid::from(new.id)
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| StoreError::KeyEnded { end: KeyEnd::Expired })?;
    mark(tx, consumer, row.bucket, &before);
    let old = get(tx, site, consumer, id).await?;
    tx.record(Entry::created("key.create", new.id, &new));
    tx.record(Entry::updated("key.rotate", id, &before, &old));
    Ok(Rotated { new, old })
}

async fn lock(
    tx: &mut TenantTx,
    site: SiteId,
    consumer: ConsumerId,
    id: KeyId,
    expected_revision: Option<i64>,
) -> Result<Key, StoreError> {
    lock::share(tx, site).await?;
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_scalar!(
        "SELECT id FROM api_keys WHERE tenant_id = $1 AND site_id = $2 AND consumer_id = $3 AND id = $4 FOR UPDATE",
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

/// Writes a key of a consumer that is locked, and marks its bucket.
async fn insert(
    tx: &mut TenantTx,
    site: SiteId,
    consumer: ConsumerId,
    new: NewKey,
) -> Result<Key, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM api_keys WHERE tenant_id = $1 AND site_id = $2 AND consumer_id = $3"#,
        tenant,
        Uuid::from(site),
        Uuid::from(consumer)
    )
    .fetch_one(tx.conn())
    .await?;
    StoreError::at_limit(count, "keys of a consumer", MAX_PER_CONSUMER)?;
    unless_full(tx, site, consumer, &new.settings).await?;
    let key: Key = sqlx::query_as!(
        Record,
        r#"INSERT INTO api_keys (tenant_id, site_id, consumer_id, id, plan, consumer_has_settings, name, digest, hint, expires_at,
                               settings)
         SELECT c.tenant_id, c.site_id, c.id, $4, c.plan_number, c.has_settings, $5, $6, $7, $8, $9
         FROM consumers c WHERE c.tenant_id = $1 AND c.site_id = $2 AND c.id = $3
         RETURNING id, name, hint, replaced_by, expires_at, revoked_at,
                settings AS "settings: Json<KeySettings>", revision, created_at, updated_at"#,
        tenant,
        Uuid::from(site),
        Uuid::from(consumer),
        crate::new_id(),
        new.name,
        &new.digest.0[..],
        new.hint,
        new.expires_at,
        sparse(&new.settings)
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("api_keys_digest_key", "digest", "redacted")]))?
    .into();
    mark(tx, consumer, i32::from(new.digest.bucket()), &key);
    Ok(key)
}

/// Lets a consumer that is locked have one more key with these settings.
async fn unless_full(
    tx: &mut TenantTx,
    site: SiteId,
    consumer: ConsumerId,
    settings: &KeySettings,
) -> Result<(), StoreError> {
    if *settings == KeySettings::default() {
        return Ok(());
    }
    let tenant = Uuid::from(tx.tenant());
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM api_keys
         WHERE tenant_id = $1 AND site_id = $2 AND consumer_id = $3 AND revoked_at IS NULL AND settings <> '{}'"#,
        tenant,
        Uuid::from(site),
        Uuid::from(consumer)
    )
    .fetch_one(tx.conn())
    .await?;
    StoreError::at_limit(count, "keys of a consumer with settings", MAX_WITH_SETTINGS_PER_CONSUMER)
}

/// Marks what a key that begins or ends is in.
fn mark(tx: &mut TenantTx, consumer: ConsumerId, bucket: i32, key: &Key) {
    mark::bucket(tx, bucket);
    if key.settings != KeySettings::default() {
        tx.mark_consumer(consumer);
    }
}
