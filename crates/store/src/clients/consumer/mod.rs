//! Consumers: the applications that call a site's APIs.

use chrono::{DateTime, Utc};
use policy::id::{ConsumerId, PlanId, SiteId};
use policy::settings::ConsumerSettings;
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::id::new_id;
use crate::base::mark;
use crate::base::queries::rows;
use crate::base::settings::sparse;
use crate::base::tx::TenantTx;
use crate::publishing::lock;
use crate::publishing::objects::objects_of_site;
use crate::publishing::plan;

mod subjects;

/// The most consumers of a site.
pub const MAX_PER_SITE: u32 = 100_000;

/// A consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// The consumer's id.
    pub id: ConsumerId,
    /// A name for people, unique in the site, 1 to 200 characters.
    pub name: String,
    /// Its plan, one of its site.
    pub plan_id: Option<PlanId>,
    /// Its settings. Its subjects are sorted, each once.
    pub settings: ConsumerSettings,
    /// Counts the changes, from 1; its keys do not count.
    pub revision: i64,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
}

/// The fields of a new consumer.
#[derive(Clone, Debug)]
pub struct NewConsumer {
    /// See [`Consumer::name`].
    pub name: String,
    /// See [`Consumer::plan_id`].
    pub plan_id: Option<PlanId>,
    /// See [`Consumer::settings`].
    pub settings: ConsumerSettings,
}

/// A change of a consumer; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct ConsumerPatch {
    /// See [`Consumer::name`].
    pub name: Option<String>,
    /// See [`Consumer::plan_id`]; `Some(None)` takes it away.
    pub plan_id: Option<Option<PlanId>>,
    /// See [`Consumer::settings`]; they are replaced as a whole.
    pub settings: Option<ConsumerSettings>,
}

rows! { ($) consumer_rows =
    r#"id, name, plan_id, settings AS "settings: Json<ConsumerSettings>", revision, created_at,
       updated_at"#
    => |row| Consumer {
        id: ConsumerId(row.id),
        name: row.name,
        plan_id: row.plan_id.map(PlanId),
        settings: row.settings.0,
        revision: row.revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

objects_of_site!(
    Consumer, ConsumerId, "consumer", consumer_rows of "consumers",
    MAX_PER_SITE "consumers of a site"
);

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

/// Makes a consumer.
///
/// # Errors
/// [`StoreError::Invalid`] on `plan_id` if the site has no such plan; [`StoreError::SubjectTaken`]
/// if another consumer of the site has one of its subjects.
pub async fn create(
    tx: &mut TenantTx,
    site: SiteId,
    new: NewConsumer,
) -> Result<Consumer, StoreError> {
    lock::children(tx, site).await?;
    unless_full(tx, site).await?;
    let tenant = Uuid::from(tx.tenant());
    let settings = canonical(new.settings);
    let plan_number = plan::hold(tx, site, new.plan_id).await?;
    let consumer = consumer_rows!(
        "INSERT INTO consumers (tenant_id, site_id, id, name, plan_id, plan_number, settings)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING";
        tenant,
        Uuid::from(site),
        new_id(),
        new.name,
        new.plan_id.map(Uuid::from),
        plan_number,
        sparse(&settings)
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("consumers_name_key", "name", &new.name)]))?;
    if !settings.subjects.is_empty() {
        subjects::put(tx, site, consumer.id, &settings.subjects).await?;
    }
    if own(&settings) != ConsumerSettings::default() {
        tx.mark_consumer(consumer.id);
    }
    tx.record(Entry::created("consumer.create", consumer.id, &consumer));
    Ok(consumer)
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
    let after = consumer_rows!(
        "UPDATE consumers SET name = $4, settings = $5,
                plan_id = CASE WHEN $6::smallint IS NULL THEN plan_id ELSE $7 END,
                plan_number = coalesce($6, plan_number),
                revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3 RETURNING";
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
    .map_err(|error| StoreError::unique(error, &[("consumers_name_key", "name", &name)]))?;
    if before.settings.subjects != after.settings.subjects {
        subjects::put(tx, site, id, &after.settings.subjects).await?;
    }
    mark_changed(tx, site, &before, &after).await?;
    tx.record(Entry::updated("consumer.update", id, &before, &after));
    Ok(after)
}

/// Marks the buckets that a change of a consumer concerns.
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
    // A credential's record holds the plan, and a flag for settings.
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
    // The consumer's row is locked, and a new credential would hold it: no bucket is missing.
    mark::credentials_of_consumer(tx, site, id).await?;
    tx.mark_consumer(id);
    erase(tx, site, id).await?;
    tx.record(Entry::deleted("consumer.delete", id, &before));
    Ok(())
}
