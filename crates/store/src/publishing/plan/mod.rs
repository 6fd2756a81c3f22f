//! Plans: tiers of limits and quotas that a site's consumers subscribe to.

use chrono::{DateTime, Utc};
use policy::id::{PlanId, SiteId};
use policy::settings::PlanSettings;
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::id::new_id;
use crate::base::queries::rows;
use crate::base::settings::sparse;
use crate::base::tx::TenantTx;
use crate::publishing::lock;
use crate::publishing::objects::objects_of_site;

mod users;

pub use users::{PlanUser, users};

/// The most plans of a site: all of them are pushed with the site, in use or not.
pub const MAX_PER_SITE: u32 = 1_000;

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The plan's id.
    pub id: PlanId,
    /// Its number in the site, 1 to [`MAX_PER_SITE`], by which the records of credentials name it.
    /// A later plan may get the number of one that was removed.
    pub number: u16,
    /// A name for people, unique in the site, 1 to 200 characters.
    pub name: String,
    /// Its limits and quotas.
    pub settings: PlanSettings,
    /// The number of changes, from 1.
    pub revision: i64,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
}

/// The fields of a new plan.
#[derive(Clone, Debug)]
pub struct NewPlan {
    /// See [`Plan::name`].
    pub name: String,
    /// See [`Plan::settings`].
    pub settings: PlanSettings,
}

/// A change of a plan; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct PlanPatch {
    /// See [`Plan::name`].
    pub name: Option<String>,
    /// See [`Plan::settings`]; they are replaced as a whole.
    pub settings: Option<PlanSettings>,
}

rows! { ($) plan_rows =
    r#"id, number, name, settings AS "settings: Json<PlanSettings>", revision, created_at,
       updated_at"#
    => |row| Plan {
        id: PlanId(row.id),
        number: row.number.unsigned_abs(),
        name: row.name,
        settings: row.settings.0,
        revision: row.revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

objects_of_site!(Plan, PlanId, "plan", plan_rows of "plans", MAX_PER_SITE "plans of a site");

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

/// Makes a plan. It gets the smallest free number.
///
/// # Errors
/// [`StoreError::Conflict`] on `name`.
pub async fn create(tx: &mut TenantTx, site: SiteId, new: NewPlan) -> Result<Plan, StoreError> {
    lock::children(tx, site).await?;
    unless_full(tx, site).await?;
    let tenant = Uuid::from(tx.tenant());
    let plan = plan_rows!(
        "INSERT INTO plans (tenant_id, site_id, id, name, settings, number)
         SELECT $1, $2, $3, $4, $5, min(free.number)
         FROM generate_series(1, $6::integer) AS free (number)
         WHERE NOT EXISTS (
             SELECT FROM plans p
             WHERE p.tenant_id = $1 AND p.site_id = $2 AND p.number = free.number
         )
         RETURNING";
        tenant,
        Uuid::from(site),
        new_id(),
        new.name,
        sparse(&new.settings),
        MAX_PER_SITE.cast_signed()
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("plans_name_key", "name", &new.name)]))?;
    tx.record(Entry::created("plan.create", plan.id, &plan));
    tx.mark_site(site);
    Ok(plan)
}

/// Changes a plan, for all its consumers at once.
///
/// # Errors
/// [`StoreError::Conflict`] on `name`.
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
    let after = plan_rows!(
        "UPDATE plans SET name = $4, settings = $5, revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3 RETURNING";
        tenant,
        Uuid::from(site),
        Uuid::from(id),
        name,
        sparse(patch.settings.as_ref().unwrap_or(&before.settings))
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("plans_name_key", "name", &name)]))?;
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
    erase(tx, site, id).await?;
    tx.record(Entry::deleted("plan.delete", id, &before));
    tx.mark_site(site);
    Ok(())
}

/// Returns the number of a consumer's plan, 0 for none, and keeps the plan until the end of the
/// transaction. Called before the consumer is locked: the removal of a plan locks the plan first,
/// too.
///
/// # Errors
/// [`StoreError::Invalid`] on `plan_id` if the site has no such plan.
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
