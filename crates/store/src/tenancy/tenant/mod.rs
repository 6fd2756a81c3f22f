//! Tenants: the customer organisations. Platform work. [`course`] has the states of being served,
//! [`profile`] the fields that a tenant sets itself.

mod course;
mod profile;
mod status;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use policy::cell::CellName;
use policy::desired::TenantListener;
use policy::id::TenantId;
use policy::settings::TenantSettings;
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::base::audit::{Audited, Entry};
use crate::base::change::Change;
use crate::base::error::StoreError;
use crate::base::id::new_id;
use crate::base::mark;
use crate::base::page::Page;
use crate::base::queries::rows;
use crate::base::settings::sparse;
use crate::base::tx::{PlatformTx, TenantTx};
use crate::platform::{cell, platform_plan};

pub use course::{Course, closed, erase, set_course};
pub use profile::{ProfilePatch, update_profile};
pub use status::Status;

/// The most listeners of its own of a tenant: one for each scheme and audience, not one for
/// each site.
pub const MAX_LISTENERS: u32 = 8;

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// The tenant's id.
    pub id: TenantId,
    /// A name for people, 1 to 200 characters.
    pub name: String,
    /// A short name that is unique on the platform: a DNS label.
    pub slug: Option<String>,
    /// The settings that the operator made for it.
    pub settings: TenantSettings,
    /// The cells of the tenant: their Envoys serve its sites, and no others do.
    pub cells: BTreeSet<CellName>,
    /// Its own ports in the Envoys of its cells, in the order of their numbers.
    pub listeners: Vec<TenantListener>,
    /// Its platform plan.
    pub platform_plan: Uuid,
    /// The state of being served.
    pub status: Status,
    /// The reason of the state, as its members read it.
    pub status_reason: Option<String>,
    /// The time of its erasure, if it is closing or was closing when it was suspended.
    pub closes_at: Option<DateTime<Utc>>,
    /// True if it turns away sessions without a second factor.
    pub require_mfa: bool,
    /// Its contacts: an array of objects.
    pub contacts: Value,
    /// The number of changes, from 1.
    pub revision: i64,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
}

/// The fields of a new tenant.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// See [`Tenant::name`].
    pub name: String,
    /// See [`Tenant::slug`].
    pub slug: Option<String>,
    /// See [`Tenant::settings`].
    pub settings: TenantSettings,
    /// See [`Tenant::platform_plan`]; `None` for the default one.
    pub platform_plan: Option<Uuid>,
}

/// A change of a tenant; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct TenantPatch {
    /// See [`Tenant::name`].
    pub name: Option<String>,
    /// See [`Tenant::slug`]; `Some(None)` takes it away.
    pub slug: Option<Option<String>>,
    /// See [`Tenant::settings`]; they are replaced as a whole.
    pub settings: Option<TenantSettings>,
    /// See [`Tenant::cells`]. Its sites and credentials are sent to its new cells, and taken away
    /// from those that it leaves.
    pub cells: Option<BTreeSet<CellName>>,
    /// See [`Tenant::platform_plan`].
    pub platform_plan: Option<Uuid>,
    /// See [`Tenant::listeners`]; they are replaced as a whole. A port belongs to one tenant on the
    /// whole platform.
    pub listeners: Option<Vec<TenantListener>>,
}

rows! { ($) tenant_rows =
    r#"id, name, slug, settings AS "settings: Json<TenantSettings>", cells,
       (SELECT coalesce(
            jsonb_agg(
                jsonb_build_object('port', l.port, 'address', l.address) ORDER BY l.port
            ), '[]')
        FROM tenant_listeners l WHERE l.tenant_id = tenants.id
       ) AS "listeners!: Json<Vec<TenantListener>>",
       platform_plan_id, status, status_reason, closes_at, require_mfa, contacts, revision,
       created_at, updated_at"#
    => |row| Tenant {
        id: TenantId(row.id),
        name: row.name,
        slug: row.slug,
        settings: row.settings.0,
        cells: cell::names(row.cells),
        listeners: row.listeners.0,
        platform_plan: row.platform_plan_id,
        status: Status::of_row(&row.status),
        status_reason: row.status_reason,
        closes_at: row.closes_at,
        require_mfa: row.require_mfa,
        contacts: row.contacts,
        revision: row.revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

impl Audited for Tenant {
    fn form(&self) -> Value {
        json!({
            "name": self.name,
            "slug": self.slug,
            "settings": sparse(&self.settings),
            "cells": cell::texts(&self.cells),
            "listeners": self.listeners,
            "platform_plan_id": self.platform_plan,
            "status": self.status,
            "status_reason": self.status_reason,
            "closes_at": self.closes_at,
            "require_mfa": self.require_mfa,
            "contacts": self.contacts,
            "revision": self.revision,
        })
    }
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "tenant" };

/// Makes a tenant.
pub async fn create(tx: &mut PlatformTx, new: NewTenant) -> Result<Tenant, StoreError> {
    let plan = match new.platform_plan {
        Some(plan) => Some(platform_plan::hold(tx, plan).await?.id),
        None => None,
    };
    let slug = new.slug.clone().unwrap_or_default();
    let tenant = tenant_rows!(
        "INSERT INTO tenants (id, name, slug, settings, platform_plan_id)
         VALUES ($1, $2, $3, $4,
                 coalesce($5, (SELECT id FROM platform_plans WHERE is_default)))
         RETURNING";
        new_id(),
        new.name,
        new.slug,
        sparse(&new.settings),
        plan
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("tenants_slug_key", "slug", &slug)]))?;
    tx.core.record(tenant.id, Entry::created("tenant.create", tenant.id, &tenant));
    Ok(tenant)
}

/// Reads a tenant.
pub async fn get(tx: &mut PlatformTx, id: TenantId) -> Result<Tenant, StoreError> {
    tenant_rows!("SELECT", "FROM tenants WHERE id = $1"; Uuid::from(id))
        .fetch_optional(tx.conn())
        .await?
        .ok_or(NOT_FOUND)
}

/// Reads a page of all tenants.
pub async fn list(tx: &mut PlatformTx, page: Page) -> Result<Vec<Tenant>, StoreError> {
    Ok(tenant_rows!(
        "SELECT", "FROM tenants WHERE id > $1 ORDER BY id LIMIT $2"; page.after(), page.limit()
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Changes a tenant.
pub async fn update(
    tx: &mut PlatformTx,
    id: TenantId,
    patch: TenantPatch,
    expected_revision: Option<i64>,
) -> Result<Tenant, StoreError> {
    let before = lock(tx, id, expected_revision).await?;
    if let Some(cells) = &patch.cells {
        cell::hold(tx, cells).await?;
    }
    if let Some(plan) = patch.platform_plan.filter(|plan| *plan != before.platform_plan) {
        move_to_plan(tx, &before, plan).await?;
    }
    if let Some(listeners) = &patch.listeners {
        replace_listeners(tx, id, listeners).await?;
    }
    let slug = patch.slug.unwrap_or_else(|| before.slug.clone());
    let sent = slug.clone().unwrap_or_default();
    let after = tenant_rows!(
        "UPDATE tenants SET name = $2, slug = $3, settings = $4, cells = $5, platform_plan_id = $6,
                revision = revision + 1, updated_at = now()
         WHERE id = $1 RETURNING";
        Uuid::from(id),
        patch.name.unwrap_or_else(|| before.name.clone()),
        slug,
        sparse(patch.settings.as_ref().unwrap_or(&before.settings)),
        &cell::texts(patch.cells.as_ref().unwrap_or(&before.cells)),
        patch.platform_plan.unwrap_or(before.platform_plan)
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("tenants_slug_key", "slug", &sent)]))?;
    if after.settings != before.settings {
        mark::sites_of_tenant(tx, id).await?;
    }
    if after.cells != before.cells {
        mark::contents_of_tenant(tx, id).await?;
        tx.core.mark(id, Change::Listeners(id));
    }
    if after.listeners != before.listeners {
        tx.core.mark(id, Change::Listeners(id));
    }
    tx.core.record(id, Entry::updated("tenant.update", id, &before, &after));
    Ok(after)
}

/// Holds the plan that a tenant gets, and has the tenant's sites read again if it lets other
/// requests through than the one before.
async fn move_to_plan(tx: &mut PlatformTx, before: &Tenant, plan: Uuid) -> Result<(), StoreError> {
    let (old, new) =
        (platform_plan::get(tx, before.platform_plan).await?, platform_plan::hold(tx, plan).await?);
    if old.limits.requests() != new.limits.requests() {
        mark::sites_of_tenant(tx, before.id).await?;
    }
    Ok(())
}

async fn replace_listeners(
    tx: &mut PlatformTx,
    id: TenantId,
    listeners: &[TenantListener],
) -> Result<(), StoreError> {
    if listeners.len() > MAX_LISTENERS as usize {
        return Err(StoreError::LimitReached {
            what: "listeners of a tenant",
            limit: MAX_LISTENERS,
        });
    }
    sqlx::query!("DELETE FROM tenant_listeners WHERE tenant_id = $1", Uuid::from(id))
        .execute(tx.conn())
        .await?;
    for listener in listeners {
        let port = listener.port.to_string();
        sqlx::query!(
            "INSERT INTO tenant_listeners (tenant_id, port, address) VALUES ($1, $2, $3)",
            Uuid::from(id),
            i32::from(listener.port),
            listener.address.map(|address| address.to_string())
        )
        .execute(tx.conn())
        .await
        .map_err(|error| {
            let taken = ["tenant_listeners_port_key", "tenant_listeners_pkey"]
                .map(|key| (key, "port", port.as_str()));
            StoreError::unique(error, &taken)
        })?;
    }
    Ok(())
}

/// Removes a tenant with everything in it but its audit log. Its traffic and its keys end at once.
pub async fn delete(
    tx: &mut PlatformTx,
    id: TenantId,
    expected_revision: Option<i64>,
) -> Result<(), StoreError> {
    let before = lock(tx, id, expected_revision).await?;
    mark::contents_of_tenant(tx, id).await?;
    sqlx::query!("DELETE FROM tenants WHERE id = $1", Uuid::from(id)).execute(tx.conn()).await?;
    if !before.listeners.is_empty() {
        tx.core.mark(id, Change::Listeners(id));
    }
    tx.core.record(id, Entry::deleted("tenant.delete", id, &before));
    Ok(())
}

/// Reads a tenant and locks it until the end of the transaction. Two statements: one that waited
/// for the lock would see the listeners as they were before.
pub(crate) async fn lock(
    tx: &mut PlatformTx,
    id: TenantId,
    expected_revision: Option<i64>,
) -> Result<Tenant, StoreError> {
    sqlx::query_scalar!("SELECT id FROM tenants WHERE id = $1 FOR UPDATE", Uuid::from(id))
        .fetch_optional(tx.conn())
        .await
        .map_err(|error| StoreError::from(error).while_changing("tenant", id.into()))?
        .ok_or(NOT_FOUND)?;
    let tenant = get(tx, id).await?;
    StoreError::unless_expected(tenant.revision, expected_revision)?;
    Ok(tenant)
}

/// Proves that the tenant of the transaction exists, and makes other transactions wait that make
/// sites in it.
pub(crate) async fn lock_for_children(tx: &mut TenantTx) -> Result<(), StoreError> {
    let id = Uuid::from(tx.tenant());
    sqlx::query_scalar!("SELECT id FROM tenants WHERE id = $1 FOR NO KEY UPDATE", id)
        .fetch_optional(tx.conn())
        .await
        .map_err(|error| StoreError::from(error).while_changing("tenant", id))?
        .ok_or(NOT_FOUND)?;
    Ok(())
}

/// Proves that the tenant of the transaction exists.
pub async fn require(tx: &mut TenantTx) -> Result<(), StoreError> {
    let id = Uuid::from(tx.tenant());
    sqlx::query_scalar!("SELECT id FROM tenants WHERE id = $1", id)
        .fetch_optional(tx.conn())
        .await?
        .ok_or(NOT_FOUND)?;
    Ok(())
}

/// Reads the cells of the transaction's tenant; `None` if it is gone.
pub async fn cells(tx: &mut TenantTx) -> Result<Option<BTreeSet<CellName>>, StoreError> {
    let id = Uuid::from(tx.tenant());
    let cells = sqlx::query_scalar!("SELECT cells FROM tenants WHERE id = $1", id)
        .fetch_optional(tx.conn())
        .await?;
    Ok(cells.map(cell::names))
}
