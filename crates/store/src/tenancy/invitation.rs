//! Invitations to become a member. Each is good for one acceptance, with a token of which only the
//! digest is kept.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use policy::id::TenantId;
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::base::actor::AccountId;
use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::id::new_id;
use crate::base::queries::rows;
use crate::base::tx::{PlatformTx, TenantTx};
use crate::tenancy::ending::ending_objects_of_tenant;
use crate::tenancy::member::{self, Member};
use crate::tenancy::standing::{Role, Standing};
use crate::tenancy::tenant;

/// The most open invitations of a tenant.
pub const MAX_PER_TENANT: u32 = 200;

/// An invitation, without its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: Uuid,
    /// The canonical address of the person invited.
    pub email: String,
    /// The standing that the person gets.
    pub standing: Standing,
    /// The time from which it is void.
    pub expires_at: DateTime<Utc>,
    /// The time of its acceptance.
    pub accepted_at: Option<DateTime<Utc>>,
    /// The number of changes, from 1.
    pub revision: i64,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
}

/// The fields of a new invitation.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    /// See [`Invitation::email`].
    pub email: String,
    /// See [`Invitation::standing`].
    pub standing: Standing,
    /// SHA-256 of the token.
    pub digest: [u8; 32],
    /// See [`Invitation::expires_at`].
    pub expires_at: DateTime<Utc>,
}

rows! { ($) invitation_rows =
    r#"id, email, role, sites AS "sites: Json<BTreeMap<Uuid, Role>>", expires_at, accepted_at,
       revision, created_at, updated_at"#
    => |row| Invitation {
        id: row.id,
        email: row.email,
        standing: Standing::of_row(row.role.as_deref(), row.sites),
        expires_at: row.expires_at,
        accepted_at: row.accepted_at,
        revision: row.revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

ending_objects_of_tenant!(
    Invitation, "invitation", invitation_rows of "invitations", "invitations of a tenant",
    ended: "coalesce(accepted_at, expires_at)", expire: "invitation.expire"
);

impl Audited for Invitation {
    fn form(&self) -> Value {
        json!({
            "email": self.email,
            "standing": self.standing.form(),
            "expires_at": self.expires_at,
            "accepted_at": self.accepted_at,
            "revision": self.revision,
        })
    }
}

/// Makes an invitation. It is platform work, because the letter about it is.
pub async fn create(
    tx: &mut PlatformTx,
    of: TenantId,
    new: NewInvitation,
) -> Result<Invitation, StoreError> {
    tx.core.see_tenant(of).await?;
    tenant::lock(tx, of, None).await?;
    new.standing.check(tx, of).await?;
    let tenant = Uuid::from(of);
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM invitations
           WHERE tenant_id = $1 AND works(accepted_at, expires_at)"#,
        tenant
    )
    .fetch_one(tx.conn())
    .await?;
    StoreError::at_limit(count, "open invitations of a tenant", MAX_PER_TENANT)?;
    let invitation = invitation_rows!(
        "INSERT INTO invitations (tenant_id, id, email, role, sites, digest, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING";
        tenant,
        new_id(),
        new.email,
        new.standing.role_text(),
        json!(new.standing.sites),
        &new.digest[..],
        new.expires_at
    )
    .fetch_one(tx.conn())
    .await?;
    tx.core.record(of, Entry::created("invitation.create", invitation.id, &invitation));
    Ok(invitation)
}

/// Takes an invitation back: its token is void from now on.
pub async fn delete(
    tx: &mut TenantTx,
    id: Uuid,
    expected_revision: Option<i64>,
) -> Result<(), StoreError> {
    let before = lock(tx, id, expected_revision).await?;
    let tenant = Uuid::from(tx.tenant());
    sqlx::query!("DELETE FROM invitations WHERE tenant_id = $1 AND id = $2", tenant, id)
        .execute(tx.conn())
        .await?;
    tx.record(Entry::deleted("invitation.delete", id, &before));
    Ok(())
}

/// Makes an account a member, with the token of an open invitation to its own address.
///
/// # Errors
/// [`StoreError::NotFound`] if there is no such invitation, it is void or was accepted, or it is
/// for another person: the caller cannot tell these apart. [`StoreError::AlreadyMember`] if the
/// account is a member.
pub async fn accept(
    tx: &mut PlatformTx,
    digest: &[u8; 32],
    account: AccountId,
) -> Result<(TenantId, Member), StoreError> {
    let found = sqlx::query!(
        "SELECT i.tenant_id, i.id FROM invitations i JOIN accounts a ON a.email = i.email
         WHERE i.digest = $1 AND a.id = $2 AND works(i.accepted_at, i.expires_at)",
        &digest[..],
        account.0
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)?;
    let tenant = TenantId(found.tenant_id);
    tx.core.see_tenant(tenant).await?;
    // A second acceptance waits here, and finds it accepted.
    let before = invitation_rows!(
        "SELECT",
        "FROM invitations
         WHERE tenant_id = $1 AND id = $2 AND accepted_at IS NULL FOR UPDATE";
        found.tenant_id,
        found.id
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)?;
    let member = member::create(tx, tenant, account, &before.standing).await?;
    let after = invitation_rows!(
        "UPDATE invitations SET accepted_at = now(), revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND id = $2 RETURNING";
        found.tenant_id,
        found.id
    )
    .fetch_one(tx.conn())
    .await?;
    tx.core.record(tenant, Entry::updated("invitation.accept", before.id, &before, &after));
    Ok((tenant, member))
}
