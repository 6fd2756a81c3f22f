//! The profile of a tenant, and the second factor it asks of its members.

use policy::id::TenantId;
use serde_json::Value;
use uuid::Uuid;

use super::{Tenant, get, lock};
use crate::base::audit::Entry;
use crate::base::error::StoreError;
use crate::base::mark;
use crate::base::settings::sparse;
use crate::base::tx::PlatformTx;

/// A change of a tenant's own profile; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct ProfilePatch {
    /// See [`Tenant::name`].
    pub name: Option<String>,
    /// The zone of its calendar, of [`Tenant::settings`].
    pub time_zone: Option<String>,
    /// See [`Tenant::contacts`].
    pub contacts: Option<Value>,
    /// See [`Tenant::require_mfa`].
    pub require_mfa: Option<bool>,
}

/// Changes the profile of a tenant.
pub async fn update_profile(
    tx: &mut PlatformTx,
    id: TenantId,
    patch: ProfilePatch,
    expected_revision: Option<i64>,
) -> Result<Tenant, StoreError> {
    let before = lock(tx, id, expected_revision).await?;
    let mut settings = before.settings.clone();
    if let Some(time_zone) = patch.time_zone {
        settings.time_zone = time_zone;
    }
    sqlx::query!(
        "UPDATE tenants SET name = $2, settings = $3, contacts = $4, require_mfa = $5,
                revision = revision + 1, updated_at = now()
         WHERE id = $1",
        Uuid::from(id),
        patch.name.unwrap_or_else(|| before.name.clone()),
        sparse(&settings),
        patch.contacts.unwrap_or_else(|| before.contacts.clone()),
        patch.require_mfa.unwrap_or(before.require_mfa)
    )
    .execute(tx.conn())
    .await?;
    let after = get(tx, id).await?;
    if after.settings != before.settings {
        mark::sites_of_tenant(tx, id).await?;
    }
    tx.core.record(id, Entry::updated("tenant.update_profile", id, &before, &after));
    Ok(after)
}
