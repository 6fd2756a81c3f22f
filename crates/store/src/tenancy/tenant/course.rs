//! The course of a tenant: served, suspended, or closing and then erased.

use chrono::{DateTime, Utc};
use policy::id::TenantId;
use uuid::Uuid;

use super::status::Status;
use super::{Tenant, delete, get, lock};
use crate::base::audit::Entry;
use crate::base::error::StoreError;
use crate::base::mark;
use crate::base::tx::PlatformTx;

/// The next state of a tenant, as it is asked for.
#[derive(Clone, Debug)]
pub enum Course {
    /// Ends a suspension. A tenant that was closing is closing again, on its day.
    Serve {
        /// No tenant closes before this time: if its day came during the suspension, its members
        /// still see it and may keep it.
        earliest: DateTime<Utc>,
    },
    /// Refuses its traffic from now on; its members may only read. Nothing of it is erased, even if
    /// it was closing.
    Suspend {
        /// The reason for its members, 1 to 200 characters.
        reason: String,
    },
    /// Serves it until a time, and erases it then. A suspended tenant stays suspended, and closes
    /// once it is served again.
    Close {
        /// The time of its erasure.
        at: DateTime<Utc>,
    },
    /// Takes back a closing. Changes nothing for a tenant that is not closing.
    Keep,
}

/// The new state of a tenant.
struct Next {
    action: &'static str,
    status: Status,
    reason: Option<String>,
    closes_at: Option<DateTime<Utc>>,
}

/// Returns the state that a course leads to; `None` if the tenant is in it. A suspension comes
/// before a closing, and does not end it.
fn next(before: &Tenant, course: Course) -> Option<Next> {
    let suspended = before.status == Status::Suspended;
    // During a suspension, a change of the closing changes nothing else.
    let kept = |otherwise| {
        if suspended {
            (Status::Suspended, before.status_reason.clone())
        } else {
            (otherwise, None)
        }
    };
    let (action, (status, reason), closes_at) = match course {
        Course::Keep if before.closes_at.is_none() => return None,
        Course::Serve { .. } if before.status == Status::Closing => return None,
        Course::Keep => ("tenant.keep", kept(Status::Active), None),
        Course::Close { at } => ("tenant.close", kept(Status::Closing), Some(at)),
        Course::Suspend { reason } => {
            ("tenant.suspend", (Status::Suspended, Some(reason)), before.closes_at)
        }
        Course::Serve { earliest } => {
            let status = if before.closes_at.is_some() { Status::Closing } else { Status::Active };
            ("tenant.serve", (status, None), before.closes_at.map(|at| at.max(earliest)))
        }
    };
    Some(Next { action, status, reason, closes_at })
}

/// Sets the course of a tenant.
pub async fn set_course(
    tx: &mut PlatformTx,
    id: TenantId,
    course: Course,
    expected_revision: Option<i64>,
) -> Result<Tenant, StoreError> {
    let before = lock(tx, id, expected_revision).await?;
    let Some(next) = next(&before, course) else { return Ok(before) };
    sqlx::query!(
        "UPDATE tenants SET status = $2, status_reason = $3, closes_at = $4,
                revision = revision + 1, updated_at = now()
         WHERE id = $1",
        Uuid::from(id),
        next.status.as_str(),
        next.reason,
        next.closes_at
    )
    .execute(tx.conn())
    .await?;
    let after = get(tx, id).await?;
    if (before.status == Status::Suspended) != (after.status == Status::Suspended) {
        mark::sites_of_tenant(tx, id).await?;
    }
    tx.core.record(id, Entry::updated(next.action, id, &before, &after));
    Ok(after)
}

/// Reads up to 100 tenants that were to close by `now`. A suspended tenant is not erased.
pub async fn closed(tx: &mut PlatformTx, now: DateTime<Utc>) -> Result<Vec<TenantId>, StoreError> {
    let ids = sqlx::query_scalar!(
        "SELECT id FROM tenants WHERE closes_at <= $1 AND status = 'closing'
         ORDER BY closes_at LIMIT 100",
        now
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(TenantId).collect())
}

/// Erases a tenant that was to close by `now`. Returns false if it is gone or not closing.
pub async fn erase(
    tx: &mut PlatformTx,
    id: TenantId,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let tenant = match lock(tx, id, None).await {
        Err(StoreError::NotFound { .. }) => return Ok(false),
        tenant => tenant?,
    };
    let over = tenant.status == Status::Closing && tenant.closes_at.is_some_and(|at| at <= now);
    if over {
        delete(tx, id, None).await?;
    }
    Ok(over)
}
