//! API keys of a consumer. The text of a key never reaches the store: only its digest does, which
//! is not given out either.

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
use crate::base::id::new_id;
use crate::base::mark;
use crate::base::queries::rows;
use crate::base::settings::sparse;
use crate::base::tx::TenantTx;
use crate::clients::consumer;
use crate::publishing::objects::objects_of_parent;

/// The most keys of a consumer, revoked and expired ones included.
pub const MAX_PER_CONSUMER: u32 = 10_000;
/// The most of the keys of of a consumer settings, revoked ones apart: they are all read to
/// find those of one.
pub const MAX_WITH_SETTINGS_PER_CONSUMER: u32 = 1_000;

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key's id.
    pub id: KeyId,
    /// A name for people, 1 to 200 characters.
    pub name: Option<String>,
    /// The part of its text that may be shown again.
    pub hint: String,
    /// The key that replaced it, if it was rotated.
    pub replaced_by: Option<KeyId>,
    /// The time from which it is refused.
    pub expires_at: Option<DateTime<Utc>>,
    /// The time of its revocation. It is refused for good.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Its settings.
    pub settings: KeySettings,
    /// The bucket of its record in the data plane.
    bucket: i32,
    /// The number of changes, from 1.
    pub revision: i64,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
}

/// The fields of a new key.
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

/// A change of a key; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct KeyPatch {
    /// See [`Key::name`]; `Some(None)` takes it away.
    pub name: Option<Option<String>>,
    /// See [`Key::settings`]; they are replaced as a whole.
    pub settings: Option<KeySettings>,
}

/// The two keys of a rotation.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// The new key.
    pub new: Key,
    /// The old key, which works until it expires.
    pub old: Key,
}

rows! { ($) key_rows =
    r#"id, name, hint, replaced_by, expires_at, revoked_at, settings
           AS "settings: Json<KeySettings>",
       bucket AS "bucket!", revision, created_at, updated_at"#
    => |row| Key {
        id: KeyId(row.id),
        name: row.name,
        hint: row.hint,
        replaced_by: row.replaced_by.map(KeyId),
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
        settings: row.settings.0,
        bucket: row.bucket,
        revision: row.revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

objects_of_parent!(
    Key, KeyId, "key", key_rows of "api_keys", "keys of a consumer",
    consumer: ConsumerId = "consumer_id"
);

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

/// Changes the name or the settings of a key.
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
    let after = key_rows!(
        "UPDATE api_keys SET name = $4, settings = $5, revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3 RETURNING";
        tenant,
        Uuid::from(site),
        Uuid::from(id),
        patch.name.unwrap_or_else(|| before.name.clone()),
        sparse(settings)
    )
    .fetch_one(tx.conn())
    .await?;
    if after.settings != before.settings {
        mark::bucket(tx, after.bucket);
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
    let after = key_rows!(
        "UPDATE api_keys SET revoked_at = now(), revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3 RETURNING";
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .fetch_one(tx.conn())
    .await?;
    mark_of(tx, consumer, &before);
    tx.record(Entry::updated("key.revoke", id, &before, &after));
    Ok(after)
}

/// Replaces a key by a new one. The old key expires with the grace period, or at its own time if
/// that is earlier. Without grace it is refused at once.
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
    // The new key counts in its place, so that keys can be rotated at the limit of the platform
    // plan.
    sqlx::query!(
        "UPDATE api_keys SET ended = true WHERE tenant_id = $1 AND site_id = $2 AND id = $3",
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .execute(tx.conn())
    .await?;
    let new = insert(tx, site, consumer, new).await?;
    let old = key_rows!(
        "UPDATE api_keys
         SET expires_at = least(expires_at, now() + make_interval(secs => $4)), replaced_by = $5,
             revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3 AND works(revoked_at, expires_at)
         RETURNING";
        tenant,
        Uuid::from(site),
        Uuid::from(id),
        grace.as_secs_f64(),
        Uuid::from(new.id)
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(StoreError::KeyEnded { end: KeyEnd::Expired })?;
    mark_of(tx, consumer, &before);
    tx.record(Entry::created("key.create", new.id, &new));
    tx.record(Entry::updated("key.rotate", id, &before, &old));
    Ok(Rotated { new, old })
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
        r#"SELECT count(*) AS "count!" FROM api_keys
           WHERE tenant_id = $1 AND site_id = $2 AND consumer_id = $3"#,
        tenant,
        Uuid::from(site),
        Uuid::from(consumer)
    )
    .fetch_one(tx.conn())
    .await?;
    StoreError::at_limit(count, "keys of a consumer", MAX_PER_CONSUMER)?;
    unless_full(tx, site, consumer, &new.settings).await?;
    let key = key_rows!(
        "INSERT INTO api_keys
             (tenant_id, site_id, consumer_id, id, plan, consumer_has_settings, name, digest, hint,
              expires_at, settings)
         SELECT c.tenant_id, c.site_id, c.id, $4, c.plan_number, c.has_settings, $5, $6, $7, $8, $9
         FROM consumers c WHERE c.tenant_id = $1 AND c.site_id = $2 AND c.id = $3
         RETURNING";
        tenant,
        Uuid::from(site),
        Uuid::from(consumer),
        new_id(),
        new.name,
        &new.digest.0[..],
        new.hint,
        new.expires_at,
        sparse(&new.settings)
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("api_keys_digest_key", "digest", "redacted")]))?;
    mark_of(tx, consumer, &key);
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
           WHERE tenant_id = $1 AND site_id = $2 AND consumer_id = $3
             AND revoked_at IS NULL AND settings <> '{}'"#,
        tenant,
        Uuid::from(site),
        Uuid::from(consumer)
    )
    .fetch_one(tx.conn())
    .await?;
    StoreError::at_limit(count, "keys of a consumer with settings", MAX_WITH_SETTINGS_PER_CONSUMER)
}

/// Marks the buckets of a key that begins or ends.
fn mark_of(tx: &mut TenantTx, consumer: ConsumerId, key: &Key) {
    mark::bucket(tx, key.bucket);
    if key.settings != KeySettings::default() {
        tx.mark_consumer(consumer);
    }
}
