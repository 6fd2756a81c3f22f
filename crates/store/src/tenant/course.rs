//! Whether a tenant is served: active, suspended, or closing and then erased.

use chrono::{DateTime, Utc};
use policy::id::TenantId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Tenant, delete, get, lock, mark_sites};
use crate::StoreError;
use crate::audit::Entry;
use crate::tx::PlatformTx;

/// Whether a tenant is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is.
    #[default]
    Active,
    /// Its traffic is refused, and its members may only read.
    Suspended,
    /// It is served until a time that its members see, and erased after it.
    Closing,
}

impl Status {
    /// As it is written in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Closing => "closing",
        }
    }

    /// Reads what a CHECK of the table has let in.
    pub(crate) fn of_row(text: &str) -> Self {
        match text {
            "suspended" => Self::Suspended,
            "closing" => Self::Closing,
            _ => Self::Active,
        }
    }
}

/// What is to become of a tenant.
#[derive(Clone, Debug)]
pub enum Course {
    /// It is served; this ends a suspension, and keeps a tenant that was closing.
    Serve,
    /// Its traffic is refused from now on, and its members may only read. A tenant that was closing stays.
    Suspend {
        /// What its members are told, 1 to 200 characters.
        reason: String,
    },
    /// It is served until then, and erased after it.
    Close {
        /// When it is erased.
        at: DateTime<Utc>,
    },
    /// If it was closing, it stays; otherwise nothing changes.
    Keep,
}

/// Sets what is to become of a tenant.
pub async fn set_course(
    tx: &mut PlatformTx,
    id: TenantId,
    course: Course,
    expected_revision: Option<i64>,
) -> Result<Tenant, StoreError> {
    let before = lock(tx, id, expected_revision).await?;
    let (action, status, reason, closes_at) = match course {
        Course::Keep if before.status != Status::Closing => return Ok(before),
        Course::Keep => ("tenant.keep", Status::Active, None, None),
        Course::Serve => ("tenant.serve", Status::Active, None, None),
        Course::Suspend { reason } => ("tenant.suspend", Status::Suspended, Some(reason), None),
        Course::Close { at } => ("tenant.close", Status::Closing, None, Some(at)),
    };
    sqlx::query!(
        "UPDATE tenants SET status = $2, status_reason = $3, closes_at = $4, revision = revision + 1, updated_at = now() WHERE id = $1",
        Uuid::from(id),
        status.as_str(),
        reason,
        closes_at
    )
    .execute(tx.conn())
    .await?;
    let after = get(tx, id).await?;
    if (before.status == Status::Suspended) != (after.status == Status::Suspended) {
        mark_sites(tx, id).await?;
    }
    tx.core.record(id, Entry::updated(action, id, &before, &after));
    Ok(after)
}

/// The tenants whose time is over at `now`, some of them.
pub async fn closed(tx: &mut PlatformTx, now: DateTime<Utc>) -> Result<Vec<TenantId>, StoreError> {
    let ids = sqlx::query_scalar!("SELECT id FROM tenants WHERE closes_at <= $1 ORDER BY closes_at LIMIT 100", now)
        .fetch_all(tx.conn())
        .await?;
    Ok(ids.into_iter().map(TenantId).collect())
}

/// Erases a tenant whose time is over at `now`; says whether it was still there, and closing.
pub async fn erase(tx: &mut PlatformTx, id: TenantId, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let tenant = match lock(tx, id, None).await {
        Err(StoreError::NotFound { .. }) => return Ok(false),
        tenant => tenant?,
    };
    let over = tenant.closes_at.is_some_and(|at| at <= now);
    if over {
        delete(tx, id, None).await?;
    }
    Ok(over)
}
