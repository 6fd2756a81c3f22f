//! Consumers: the applications that call a site's APIs.

use chrono::{DateTime, Utc};
use policy::id::{ConsumerId, SiteId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::audit::{Audited, Entry};
use crate::tx::TenantTx;
use crate::{Page, StoreError, site};

/// How many consumers a site may have.
pub const MAX_PER_SITE: u32 = 100_000;

/// A consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// The consumer's id.
    pub id: ConsumerId,
    /// What people call it, unique in the site, 1 to 200 characters.
    pub name: String,
    /// Counts the changes, from 1; its keys do not count.
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a new consumer is made of.
#[derive(Clone, Debug)]
pub struct NewConsumer {
    /// See [`Consumer::name`].
    pub name: String,
}

/// What may change of a consumer; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct ConsumerPatch {
    /// See [`Consumer::name`].
    pub name: Option<String>,
}

impl Audited for Consumer {
    fn form(&self) -> Value {
        json!({ "name": self.name, "revision": self.revision })
    }
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "consumer" };

/// Makes a consumer. No Envoy needs to know before it has a key.
pub async fn create(tx: &mut TenantTx, site: SiteId, new: NewConsumer) -> Result<Consumer, StoreError> {
    site::lock_for_children(tx, site).await?;
    let tenant = Uuid::from(tx.tenant());
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM consumers WHERE tenant_id = $1 AND site_id = $2"#,
        tenant,
        Uuid::from(site)
    )
    .fetch_one(tx.conn())
    .await?;
    StoreError::at_limit(count, "consumers of a site", MAX_PER_SITE)?;
    let consumer = sqlx::query_as!(
        Consumer,
        "INSERT INTO consumers (tenant_id, site_id, id, name) VALUES ($1, $2, $3, $4)
         RETURNING id, name, revision, created_at, updated_at",
        tenant,
        Uuid::from(site),
        Uuid::now_v7(),
        new.name
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("consumers_name_key", "name", &new.name)]))?;
    tx.record(Entry::created("consumer.create", consumer.id, &consumer));
    Ok(consumer)
}

/// Reads a consumer.
pub async fn get(tx: &mut TenantTx, site: SiteId, id: ConsumerId) -> Result<Consumer, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_as!(
        Consumer,
        "SELECT id, name, revision, created_at, updated_at
         FROM consumers WHERE tenant_id = $1 AND site_id = $2 AND id = $3",
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)
}

/// Reads a page of a site's consumers.
pub async fn list(tx: &mut TenantTx, site: SiteId, page: Page) -> Result<Vec<Consumer>, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let consumers = sqlx::query_as!(
        Consumer,
        "SELECT id, name, revision, created_at, updated_at
         FROM consumers WHERE tenant_id = $1 AND site_id = $2 AND id > $3 ORDER BY id LIMIT $4",
        tenant,
        Uuid::from(site),
        page.after(),
        page.limit()
    )
    .fetch_all(tx.conn())
    .await?;
    if consumers.is_empty() {
        site::get(tx, site).await?;
    }
    Ok(consumers)
}

/// Changes a consumer.
pub async fn update(
    tx: &mut TenantTx,
    site: SiteId,
    id: ConsumerId,
    patch: ConsumerPatch,
    expected_revision: Option<i64>,
) -> Result<Consumer, StoreError> {
    let before = lock(tx, site, id, expected_revision).await?;
    let tenant = Uuid::from(tx.tenant());
    let name = patch.name.unwrap_or_else(|| before.name.clone());
    let after = sqlx::query_as!(
        Consumer,
        "UPDATE consumers SET name = $4, revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3
         RETURNING id, name, revision, created_at, updated_at",
        tenant,
        Uuid::from(site),
        Uuid::from(id),
        name
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("consumers_name_key", "name", &name)]))?;
    tx.record(Entry::updated("consumer.update", id, &before, &after));
    Ok(after)
}

/// Removes a consumer and its keys, which end at once.
pub async fn delete(
    tx: &mut TenantTx,
    site: SiteId,
    id: ConsumerId,
    expected_revision: Option<i64>,
) -> Result<(), StoreError> {
    let before = lock(tx, site, id, expected_revision).await?;
    let tenant = Uuid::from(tx.tenant());
    // The consumer's row is locked, and a new key would hold it: no bucket is missing.
    let buckets = sqlx::query_scalar!(
        "SELECT DISTINCT bucket FROM api_keys WHERE tenant_id = $1 AND site_id = $2 AND consumer_id = $3",
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .fetch_all(tx.conn())
    .await?;
    sqlx::query!(
        "DELETE FROM consumers WHERE tenant_id = $1 AND site_id = $2 AND id = $3",
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .execute(tx.conn())
    .await?;
    for bucket in buckets.into_iter().filter_map(|bucket| u16::try_from(bucket).ok()) {
        tx.mark_bucket(bucket);
    }
    tx.record(Entry::deleted("consumer.delete", id, &before));
    Ok(())
}

/// Reads a consumer and keeps others from changing it, or from making keys of it, until the end of the transaction.
pub(crate) async fn lock(
    tx: &mut TenantTx,
    site: SiteId,
    id: ConsumerId,
    expected_revision: Option<i64>,
) -> Result<Consumer, StoreError> {
    site::hold(tx, site).await?;
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_scalar!(
        "SELECT id FROM consumers WHERE tenant_id = $1 AND site_id = $2 AND id = $3 FOR UPDATE",
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)?;
    let consumer = get(tx, site, id).await?;
    StoreError::unless_expected(consumer.revision, expected_revision)?;
    Ok(consumer)
}
