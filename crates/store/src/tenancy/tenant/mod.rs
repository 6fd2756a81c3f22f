//! Tenants: the customer organisations. Platform work. Whether they are served is in [`course`],
//! what they say of themselves in [`profile`].

mod course;
mod profile;
mod status;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use policy::cell::CellName;
use policy::desired::TenantListener;
use policy::id::{SiteId, TenantId};
use policy::settings::TenantSettings;
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::base::audit::{Audited, Entry};
use crate::base::change::Change;
use crate::base::error::StoreError;
use crate::base::mark;
use crate::base::page::Page;
use crate::base::settings::sparse;
use crate::base::tx::{PlatformTx, TenantTx};
use crate::platform::{cell, platform_plan};

pub use course::{Course, closed, erase, set_course};
pub use profile::{ProfilePatch, update_profile};
pub use status::Status;

/// How many listeners of its own a tenant may have: one for each scheme and audience, not one for
/// each site.
pub const MAX_LISTENERS: u32 = 8;

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// The tenant's id.
    pub id: TenantId,
    /// What people call it, 1 to 200 characters.
    pub name: String,
    /// A short name that is unique on the platform: a DNS label.
    pub slug: Option<String>,
    /// What the operator set for it.
    pub settings: TenantSettings,
    /// The cells that it is placed on: its sites are served by their Envoys, and by no others.
    pub cells: BTreeSet<CellName>,
    /// Ports of its own in the Envoys of its cells, in the order of their numbers.
    pub listeners: Vec<TenantListener>,
    /// Its platform plan.
    pub platform_plan: Uuid,
    /// Whether it is served.
    pub status: Status,
    /// What its members are told of its status.
    pub status_reason: Option<String>,
    /// When it will be erased, if it is closing; or if it was when it was suspended.
    pub closes_at: Option<DateTime<Utc>>,
    /// Whether it turns away sessions without a second factor.
    pub require_mfa: bool,
    /// Whom to write to: an array of objects.
    pub contacts: Value,
    /// Counts the changes, from 1.
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a new tenant is made of.
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

/// What may change of a tenant; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct TenantPatch {
    /// See [`Tenant::name`].
    pub name: Option<String>,
    /// See [`Tenant::slug`]; `Some(None)` takes it away.
    pub slug: Option<Option<String>>,
    /// See [`Tenant::settings`]; they are replaced as a whole.
    pub settings: Option<TenantSettings>,
    /// See [`Tenant::cells`]. Its sites and credentials are sent to the cells that are new to it,
    /// and taken away from those that it leaves.
    pub cells: Option<BTreeSet<CellName>>,
    /// See [`Tenant::platform_plan`].
    pub platform_plan: Option<Uuid>,
    /// See [`Tenant::listeners`]; they are replaced as a whole. A port is one tenant's on the whole
    /// platform.
    pub listeners: Option<Vec<TenantListener>>,
}

struct Record {
    id: Uuid,
    name: String,
    slug: Option<String>,
    settings: Json<TenantSettings>,
    cells: Vec<String>,
    listeners: Json<Vec<TenantListener>>,
    platform_plan_id: Uuid,
    status: String,
    status_reason: Option<String>,
    closes_at: Option<DateTime<Utc>>,
    require_mfa: bool,
    contacts: Value,
    revision: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Record> for Tenant {
    fn from(record: Record) -> Self {
        Self {
            id: TenantId(record.id),
            name: record.name,
            slug: record.slug,
            settings: record.settings.0,
            cells: cell::names(record.cells),
            listeners: record.listeners.0,
            platform_plan: record.platform_plan_id,
            status: Status::of_row(&record.status),
            status_reason: record.status_reason,
            closes_at: record.closes_at,
            require_mfa: record.require_mfa,
            contacts: record.contacts,
            revision: record.revision,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
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
    let tenant: Tenant = sqlx::query_as!(
        Record,
        r#"INSERT INTO tenants (id, name, slug, settings, platform_plan_id)
         VALUES ($1, $2, $3, $4, coalesce($5, (SELECT id FROM platform_plans WHERE is_default)))
         RETURNING id, name, slug,
                settings AS "settings: Json<TenantSettings>", cells,
                (SELECT coalesce(jsonb_agg(jsonb_build_object('port', l.port, 'address', l.address) ORDER BY l.port), '[]')
                 FROM tenant_listeners l WHERE l.tenant_id = tenants.id) AS "listeners!: Json<Vec<TenantListener>>",
                platform_plan_id, status, status_reason, closes_at, require_mfa, contacts, revision, created_at, updated_at"#,
        crate::new_id(),
        new.name,
        new.slug,
        sparse(&new.settings),
        plan
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("tenants_slug_key", "slug", &slug)]))?
    .into();
    tx.core.record(tenant.id, Entry::created("tenant.create", tenant.id, &tenant));
    Ok(tenant)
}

/// Reads a tenant.
pub async fn get(tx: &mut PlatformTx, id: TenantId) -> Result<Tenant, StoreError> {
    sqlx::query_as!(
        Record,
        r#"SELECT id, name, slug,
                settings AS "settings: Json<TenantSettings>", cells,
                (SELECT coalesce(jsonb_agg(jsonb_build_object('port', l.port, 'address', l.address) ORDER BY l.port), '[]')
                 FROM tenant_listeners l WHERE l.tenant_id = tenants.id) AS "listeners!: Json<Vec<TenantListener>>",
                platform_plan_id, status, status_reason, closes_at, require_mfa, contacts, revision, created_at, updated_at FROM tenants WHERE id = $1"#,
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .map(Tenant::from)
    .ok_or(NOT_FOUND)
}

/// Reads a page of all tenants.
pub async fn list(tx: &mut PlatformTx, page: Page) -> Result<Vec<Tenant>, StoreError> {
    let records = sqlx::query_as!(
        Record,
        r#"SELECT id, name, slug,
                settings AS "settings: Json<TenantSettings>", cells,
                (SELECT coalesce(jsonb_agg(jsonb_build_object('port', l.port, 'address', l.address) ORDER BY l.port), '[]')
                 FROM tenant_listeners l WHERE l.tenant_id = tenants.id) AS "listeners!: Json<Vec<TenantListener>>",
                platform_plan_id, status, status_reason, closes_at, require_mfa, contacts, revision, created_at, updated_at FROM tenants WHERE id > $1 ORDER BY id LIMIT $2"#,
        page.after(),
        page.limit()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(records.into_iter().map(Tenant::from).collect())
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
    let after: Tenant = sqlx::query_as!(
        Record,
        r#"UPDATE tenants SET name = $2, slug = $3, settings = $4, cells = $5, platform_plan_id = $6, revision = revision + 1, updated_at = now() WHERE id = $1
         RETURNING id, name, slug,
                settings AS "settings: Json<TenantSettings>", cells,
                (SELECT coalesce(jsonb_agg(jsonb_build_object('port', l.port, 'address', l.address) ORDER BY l.port), '[]')
                 FROM tenant_listeners l WHERE l.tenant_id = tenants.id) AS "listeners!: Json<Vec<TenantListener>>",
                platform_plan_id, status, status_reason, closes_at, require_mfa, contacts, revision, created_at, updated_at"#,
        Uuid::from(id),
        patch.name.unwrap_or_else(|| before.name.clone()),
        slug,
        sparse(patch.settings.as_ref().unwrap_or(&before.settings)),
        &cell::texts(patch.cells.as_ref().unwrap_or(&before.cells)),
        patch.platform_plan.unwrap_or(before.platform_plan)
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("tenants_slug_key", "slug", &sent)]))?
    .into();
    if after.settings != before.settings {
        mark::sites_of_tenant(tx, id).await?;
    }
    if after.cells != before.cells {
        mark::all_of_tenant(tx, id).await?;
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

/// Removes a tenant and everything it has; its audit log stays. Its traffic and its keys end at
/// once.
pub async fn delete(
    tx: &mut PlatformTx,
    id: TenantId,
    expected_revision: Option<i64>,
) -> Result<(), StoreError> {
    let before = lock(tx, id, expected_revision).await?;
    tx.core.see_tenant(id).await?;
    // A new credential holds its site's row, so once the sites are locked no bucket can be missing
    // from what is read next.
    let sites = sqlx::query_scalar!(
        "SELECT id FROM sites WHERE tenant_id = $1 ORDER BY id FOR UPDATE",
        Uuid::from(id)
    )
    .fetch_all(tx.conn())
    .await?;
    mark::credentials_of_sites(&mut tx.core, id, &sites).await?;
    sqlx::query!("DELETE FROM tenants WHERE id = $1", Uuid::from(id)).execute(tx.conn()).await?;
    for site in sites {
        tx.core.mark(id, Change::Site(SiteId(site)));
    }
    if !before.listeners.is_empty() {
        tx.core.mark(id, Change::Listeners(id));
    }
    tx.core.record(id, Entry::deleted("tenant.delete", id, &before));
    Ok(())
}

pub(crate) async fn lock(
    tx: &mut PlatformTx,
    id: TenantId,
    expected_revision: Option<i64>,
) -> Result<Tenant, StoreError> {
    sqlx::query_scalar!("SELECT id FROM tenants WHERE id = $1 FOR UPDATE", Uuid::from(id))
        .fetch_optional(tx.conn())
        .await?
        .ok_or(NOT_FOUND)?;
    let tenant = get(tx, id).await?;
    StoreError::unless_expected(tenant.revision, expected_revision)?;
    Ok(tenant)
}

/// Proves that the tenant of the transaction exists, and lets no other make a site in it meanwhile.
pub(crate) async fn lock_for_children(tx: &mut TenantTx) -> Result<(), StoreError> {
    let id = Uuid::from(tx.tenant());
    sqlx::query_scalar!("SELECT id FROM tenants WHERE id = $1 FOR NO KEY UPDATE", id)
        .fetch_optional(tx.conn())
        .await?
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

/// The cells that the tenant of the transaction is placed on; `None` if it is gone.
pub async fn cells(tx: &mut TenantTx) -> Result<Option<BTreeSet<CellName>>, StoreError> {
    let id = Uuid::from(tx.tenant());
    let cells = sqlx::query_scalar!("SELECT cells FROM tenants WHERE id = $1", id)
        .fetch_optional(tx.conn())
        .await?;
    Ok(cells.map(cell::names))
}
