//! Consumers: the applications that call a site's APIs.

use chrono::{DateTime, Utc};
use policy::id::{ConsumerId, PlanId, SiteId};
use policy::settings::ConsumerSettings;
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::mark;
use crate::base::page::Page;
use crate::base::settings::sparse;
use crate::base::tx::TenantTx;
use crate::publishing::lock;
use crate::publishing::plan;

mod subjects;

/// How many consumers a site may have.
pub const MAX_PER_SITE: u32 = 100_000;

/// A consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// The consumer's id.
    pub id: ConsumerId,
    /// What people call it, unique in the site, 1 to 200 characters.
    pub name: String,
    /// The plan that it has, one of its site.
    pub plan_id: Option<PlanId>,
    /// What is set for it. Its subjects are sorted, each once.
    pub settings: ConsumerSettings,
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
    /// See [`Consumer::plan_id`].
    pub plan_id: Option<PlanId>,
    /// See [`Consumer::settings`].
    pub settings: ConsumerSettings,
}

/// What may change of a consumer; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct ConsumerPatch {
    /// See [`Consumer::name`].
    pub name: Option<String>,
    /// See [`Consumer::plan_id`]; `Some(None)` takes it away.
    pub plan_id: Option<Option<PlanId>>,
    /// See [`Consumer::settings`]; they are replaced as a whole.
    pub settings: Option<ConsumerSettings>,
}

struct Record {
    id: Uuid,
    name: String,
    plan_id: Option<Uuid>,
    settings: Json<ConsumerSettings>,
    revision: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Record> for Consumer {
    fn from(record: Record) -> Self {
        Self {
            id: ConsumerId(record.id),
            name: record.name,
            plan_id: record.plan_id.map(PlanId),
            settings: record.settings.0,
            revision: record.revision,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}

impl Audited for Consumer {
    fn form(&self) -> Value {
        json!({
            "name": self.name,
            "plan_id": self.plan_id.map(|id| id.to_string()),
            "settings": sparse(&self.settings),
            "revision": self.revision,
        })
    }
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "consumer" };

/// Makes a consumer.
///
/// # Errors
/// [`StoreError::Invalid`] on `plan_id` if the site has no such plan; [`StoreError::Conflict`] on
/// `subjects` if another consumer of the site has one of them.
pub async fn create(
    tx: &mut TenantTx,
    site: SiteId,
    new: NewConsumer,
) -> Result<Consumer, StoreError> {
    lock::children(tx, site).await?;
    let tenant = Uuid::from(tx.tenant());
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM consumers WHERE tenant_id = $1 AND site_id = $2"#,
        tenant,
        Uuid::from(site)
    )
    .fetch_one(tx.conn())
    .await?;
    StoreError::at_limit(count, "consumers of a site", MAX_PER_SITE)?;
    let settings = canonical(new.settings);
    let plan_number = plan::hold(tx, site, new.plan_id).await?;
    let consumer: Consumer = sqlx::query_as!(
        Record,
        r#"INSERT INTO consumers (tenant_id, site_id, id, name, plan_id, plan_number, settings)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         RETURNING id, name, plan_id,
                settings AS "settings: Json<ConsumerSettings>", revision, created_at, updated_at"#,
        tenant,
        Uuid::from(site),
        crate::new_id(),
        new.name,
        new.plan_id.map(Uuid::from),
        plan_number,
        sparse(&settings)
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("consumers_name_key", "name", &new.name)]))?
    .into();
    if !settings.subjects.is_empty() {
        subjects::put(tx, site, consumer.id, &settings.subjects).await?;
    }
    if own(&settings) != ConsumerSettings::default() {
        tx.mark_consumer(consumer.id);
    }
    tx.record(Entry::created("consumer.create", consumer.id, &consumer));
    Ok(consumer)
}

/// Reads a consumer.
pub async fn get(tx: &mut TenantTx, site: SiteId, id: ConsumerId) -> Result<Consumer, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_as!(
        Record,
        r#"SELECT id, name, plan_id,
                settings AS "settings: Json<ConsumerSettings>", revision, created_at, updated_at
         FROM consumers WHERE tenant_id = $1 AND site_id = $2 AND id = $3"#,
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .map(Consumer::from)
    .ok_or(NOT_FOUND)
}

/// Reads a page of a site's consumers.
pub async fn list(
    tx: &mut TenantTx,
    site: SiteId,
    page: Page,
) -> Result<Vec<Consumer>, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let records = sqlx::query_as!(
        Record,
        r#"SELECT id, name, plan_id,
                settings AS "settings: Json<ConsumerSettings>", revision, created_at, updated_at
         FROM consumers WHERE tenant_id = $1 AND site_id = $2 AND id > $3 ORDER BY id LIMIT $4"#,
        tenant,
        Uuid::from(site),
        page.after(),
        page.limit()
    )
    .fetch_all(tx.conn())
    .await?;
    if records.is_empty() {
        lock::exists(tx, site).await?;
    }
    Ok(records.into_iter().map(Consumer::from).collect())
}

/// Changes a consumer.
///
/// # Errors
/// As [`create`].
pub async fn update(
    tx: &mut TenantTx,
    site: SiteId,
    id: ConsumerId,
    patch: ConsumerPatch,
    expected_revision: Option<i64>,
) -> Result<Consumer, StoreError> {
    lock::share(tx, site).await?;
    let new_plan = match patch.plan_id {
        Some(plan) => Some(plan::hold(tx, site, plan).await?),
        None => None,
    };
    let before = lock(tx, site, id, expected_revision).await?;
    let tenant = Uuid::from(tx.tenant());
    let name = patch.name.unwrap_or_else(|| before.name.clone());
    let settings = patch.settings.map_or_else(|| before.settings.clone(), canonical);
    let after: Consumer = sqlx::query_as!(
        Record,
        r#"UPDATE consumers SET name = $4, settings = $5,
                plan_id = CASE WHEN $6::smallint IS NULL THEN plan_id ELSE $7 END, plan_number = coalesce($6, plan_number),
                revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3
         RETURNING id, name, plan_id,
                settings AS "settings: Json<ConsumerSettings>", revision, created_at, updated_at"#,
        tenant,
        Uuid::from(site),
        Uuid::from(id),
        name,
        sparse(&settings),
        new_plan,
        patch.plan_id.flatten().map(Uuid::from)
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("consumers_name_key", "name", &name)]))?
    .into();
    if before.settings.subjects != after.settings.subjects {
        subjects::put(tx, site, id, &after.settings.subjects).await?;
    }
    mark_changed(tx, site, &before, &after).await?;
    tx.record(Entry::updated("consumer.update", id, &before, &after));
    Ok(after)
}

/// Marks what a change of a consumer changes for Envoys.
async fn mark_changed(
    tx: &mut TenantTx,
    site: SiteId,
    before: &Consumer,
    after: &Consumer,
) -> Result<(), StoreError> {
    let (old, new) = (own(&before.settings), own(&after.settings));
    if old != new {
        tx.mark_consumer(after.id);
    }
    // The records of the credentials say the plan, and whether there are settings at all.
    let default = ConsumerSettings::default();
    if before.plan_id != after.plan_id || (old == default) != (new == default) {
        mark::credentials_of_consumer(tx, site, after.id).await?;
    }
    Ok(())
}

/// Settings with their subjects in order, each once.
fn canonical(mut settings: ConsumerSettings) -> ConsumerSettings {
    settings.subjects.sort_unstable();
    settings.subjects.dedup();
    settings
}

/// Settings without the subjects, which are credentials.
fn own(settings: &ConsumerSettings) -> ConsumerSettings {
    ConsumerSettings { subjects: Vec::new(), ..settings.clone() }
}

/// Removes a consumer and its credentials, which end at once.
pub async fn delete(
    tx: &mut TenantTx,
    site: SiteId,
    id: ConsumerId,
    expected_revision: Option<i64>,
) -> Result<(), StoreError> {
    let before = lock(tx, site, id, expected_revision).await?;
    let tenant = Uuid::from(tx.tenant());
    // The consumer's row is locked, and a new credential would hold it: no bucket is missing.
    mark::credentials_of_consumer(tx, site, id).await?;
    tx.mark_consumer(id);
    sqlx::query!(
        "DELETE FROM consumers WHERE tenant_id = $1 AND site_id = $2 AND id = $3",
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .execute(tx.conn())
    .await?;
    tx.record(Entry::deleted("consumer.delete", id, &before));
    Ok(())
}

/// Reads a consumer and keeps others from changing it, or from making keys of it, until the end of
/// the transaction.
pub(crate) async fn lock(
    tx: &mut TenantTx,
    site: SiteId,
    id: ConsumerId,
    expected_revision: Option<i64>,
) -> Result<Consumer, StoreError> {
    lock::share(tx, site).await?;
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
