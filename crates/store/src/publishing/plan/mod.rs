//! Plans: tiers of limits and quotas that a site's consumers subscribe to.

use chrono::{DateTime, Utc};
use policy::id::{PlanId, SiteId};
use policy::settings::PlanSettings;
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::page::Page;
use crate::base::settings::sparse;
use crate::base::tx::TenantTx;
use crate::publishing::lock;

mod users;
pub use users::{PlanUser, users};

/// How many plans a site may have: all of them are pushed with the site, in use or not.
pub const MAX_PER_SITE: u32 = 1_000;

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The plan's id.
    pub id: PlanId,
    /// Its number in the site, 1 to [`MAX_PER_SITE`]: what the records of credentials name it by.
    /// The number of a plan that is removed may be another's later.
    pub number: u16,
    /// What people call it, unique in the site, 1 to 200 characters.
    pub name: String,
    /// Its limits and quotas.
    pub settings: PlanSettings,
    /// Counts the changes, from 1.
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a new plan is made of.
#[derive(Clone, Debug)]
pub struct NewPlan {
    /// See [`Plan::name`].
    pub name: String,
    /// See [`Plan::settings`].
    pub settings: PlanSettings,
}

/// What may change of a plan; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct PlanPatch {
    /// See [`Plan::name`].
    pub name: Option<String>,
    /// See [`Plan::settings`]; they are replaced as a whole.
    pub settings: Option<PlanSettings>,
}

struct Record {
    id: Uuid,
    number: i16,
    name: String,
    settings: Json<PlanSettings>,
    revision: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Record> for Plan {
    fn from(record: Record) -> Self {
        Self {
            id: PlanId(record.id),
            number: record.number.unsigned_abs(),
            name: record.name,
            settings: record.settings.0,
            revision: record.revision,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}

impl Audited for Plan {
    fn form(&self) -> Value {
        json!({
            "number": self.number,
            "name": self.name,
            "settings": sparse(&self.settings),
            "revision": self.revision,
        })
    }
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "plan" };

/// Makes a plan. It gets the smallest number that is free.
pub async fn create(tx: &mut TenantTx, site: SiteId, new: NewPlan) -> Result<Plan, StoreError> {
    lock::children(tx, site).await?;
    let tenant = Uuid::from(tx.tenant());
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM plans WHERE tenant_id = $1 AND site_id = $2"#,
        tenant,
        Uuid::from(site)
    )
    .fetch_one(tx.conn())
    .await?;
    StoreError::at_limit(count, "plans of a site", MAX_PER_SITE)?;
    let plan: Plan = sqlx::query_as!(
        Record,
        r#"INSERT INTO plans (tenant_id, site_id, id, name, settings, number)
         SELECT $1, $2, $3, $4, $5, min(free.number)
         FROM generate_series(1, $6::integer) AS free (number)
         WHERE NOT EXISTS (SELECT FROM plans p WHERE p.tenant_id = $1 AND p.site_id = $2 AND p.number = free.number)
         RETURNING id, number, name, settings AS "settings: Json<PlanSettings>", revision, created_at, updated_at"#,
        tenant,
        Uuid::from(site),
        crate::new_id(),
        new.name,
        sparse(&new.settings),
        MAX_PER_SITE.cast_signed()
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("plans_name_key", "name", &new.name)]))?
    .into();
    tx.record(Entry::created("plan.create", plan.id, &plan));
    tx.mark_site(site);
    Ok(plan)
}

/// Reads a plan.
pub async fn get(tx: &mut TenantTx, site: SiteId, id: PlanId) -> Result<Plan, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_as!(
        Record,
        r#"SELECT id, number, name, settings AS "settings: Json<PlanSettings>", revision, created_at, updated_at
         FROM plans WHERE tenant_id = $1 AND site_id = $2 AND id = $3"#,
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .map(Plan::from)
    .ok_or(NOT_FOUND)
}

/// Reads a page of a site's plans.
pub async fn list(tx: &mut TenantTx, site: SiteId, page: Page) -> Result<Vec<Plan>, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let records = sqlx::query_as!(
        Record,
        r#"SELECT id, number, name, settings AS "settings: Json<PlanSettings>", revision, created_at, updated_at
         FROM plans WHERE tenant_id = $1 AND site_id = $2 AND id > $3 ORDER BY id LIMIT $4"#,
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
    Ok(records.into_iter().map(Plan::from).collect())
}

/// Changes a plan, for all its consumers at once.
pub async fn update(
    tx: &mut TenantTx,
    site: SiteId,
    id: PlanId,
    patch: PlanPatch,
    expected_revision: Option<i64>,
) -> Result<Plan, StoreError> {
    let before = lock(tx, site, id, expected_revision).await?;
    let tenant = Uuid::from(tx.tenant());
    let name = patch.name.unwrap_or_else(|| before.name.clone());
    let after: Plan = sqlx::query_as!(
        Record,
        r#"UPDATE plans SET name = $4, settings = $5, revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3
         RETURNING id, number, name, settings AS "settings: Json<PlanSettings>", revision, created_at, updated_at"#,
        tenant,
        Uuid::from(site),
        Uuid::from(id),
        name,
        sparse(patch.settings.as_ref().unwrap_or(&before.settings))
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("plans_name_key", "name", &name)]))?
    .into();
    tx.record(Entry::updated("plan.update", id, &before, &after));
    tx.mark_site(site);
    Ok(after)
}

/// Removes a plan that no consumer has.
///
/// # Errors
/// [`StoreError::InUse`] if a consumer has it.
pub async fn delete(
    tx: &mut TenantTx,
    site: SiteId,
    id: PlanId,
    expected_revision: Option<i64>,
) -> Result<(), StoreError> {
    let before = lock(tx, site, id, expected_revision).await?;
    let tenant = Uuid::from(tx.tenant());
    sqlx::query!(
        "DELETE FROM plans WHERE tenant_id = $1 AND site_id = $2 AND id = $3",
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .execute(tx.conn())
    .await?;
    tx.record(Entry::deleted("plan.delete", id, &before));
    tx.mark_site(site);
    Ok(())
}

/// The number of the plan that a consumer is to have, 0 for none. The plan stays until the end of
/// the transaction. Called before the consumer is locked: whoever removes a plan locks it first,
/// too.
pub(crate) async fn hold(
    tx: &mut TenantTx,
    site: SiteId,
    id: Option<PlanId>,
) -> Result<i16, StoreError> {
    let Some(id) = id else { return Ok(0) };
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_scalar!(
        "SELECT number FROM plans WHERE tenant_id = $1 AND site_id = $2 AND id = $3 FOR KEY SHARE",
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| StoreError::Invalid {
        field: "plan_id",
        reason: "the site has no such plan".to_owned(),
    })
}

async fn lock(
    tx: &mut TenantTx,
    site: SiteId,
    id: PlanId,
    expected_revision: Option<i64>,
) -> Result<Plan, StoreError> {
    lock::share(tx, site).await?;
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_scalar!(
        "SELECT id FROM plans WHERE tenant_id = $1 AND site_id = $2 AND id = $3 FOR UPDATE",
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)?;
    let plan = get(tx, site, id).await?;
    StoreError::unless_expected(plan.revision, expected_revision)?;
    Ok(plan)
}
