//! Issuers: the parties whose tokens a site accepts.

use chrono::{DateTime, Utc};
use policy::desired::Secret;
use policy::id::{IssuerId, SiteId};
use policy::settings;
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::id::new_id;
use crate::base::queries::rows;
use crate::base::seal::{Place, SecretsKey};
use crate::base::tx::TenantTx;
use crate::publishing::lock;
use crate::publishing::objects::objects_of_site;

/// The most issuers of a site: each is pushed with the site, its keys included.
pub const MAX_PER_SITE: u32 = 64;
/// The table, in the place of a sealed secret.
pub(crate) const TABLE: &str = "issuers";

/// An issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// The issuer's id.
    pub id: IssuerId,
    /// Its settings, whose `issuer` is unique in the site.
    pub settings: settings::Issuer,
    /// True if it has a shared secret.
    pub has_secret: bool,
    /// The number of changes, from 1.
    pub revision: i64,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
}

/// The fields of a new issuer.
#[derive(Clone, Debug)]
pub struct NewIssuer {
    /// See [`Issuer::settings`].
    pub settings: settings::Issuer,
    /// The secret that it shares with the gateway, for symmetric algorithms.
    pub shared_secret: Option<Secret>,
}

/// A change of an issuer; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct IssuerPatch {
    /// See [`Issuer::settings`]; they are replaced as a whole.
    pub settings: Option<settings::Issuer>,
    /// See [`NewIssuer::shared_secret`]; `Some(None)` takes it away.
    pub shared_secret: Option<Option<Secret>>,
}

rows! { ($) issuer_rows =
    r#"id, settings AS "settings: Json<settings::Issuer>",
       secret_sealed IS NOT NULL AS "has_secret!", revision, created_at, updated_at"#
    => |row| Issuer {
        id: IssuerId(row.id),
        settings: row.settings.0,
        has_secret: row.has_secret,
        revision: row.revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

objects_of_site!(
    Issuer, IssuerId, "issuer", issuer_rows of "issuers", MAX_PER_SITE "issuers of a site"
);

impl Audited for Issuer {
    fn form(&self) -> Value {
        json!({
            "settings": self.settings,
            "has_secret": self.has_secret,
            "revision": self.revision,
        })
    }
}

/// Makes an issuer.
///
/// # Errors
/// [`StoreError::NoSecretsKey`] if it has a secret and there is no key; [`StoreError::Conflict`] on
/// `issuer`.
pub async fn create(
    tx: &mut TenantTx,
    site: SiteId,
    new: NewIssuer,
    key: Option<&SecretsKey>,
) -> Result<Issuer, StoreError> {
    lock::children(tx, site).await?;
    unless_full(tx, site).await?;
    let tenant = Uuid::from(tx.tenant());
    let id = IssuerId(new_id());
    let sealed = seal(tx, id, new.shared_secret.as_ref(), key)?;
    let issuer = issuer_rows!(
        "INSERT INTO issuers (tenant_id, site_id, id, settings, secret_sealed)
         VALUES ($1, $2, $3, $4, $5) RETURNING";
        tenant,
        Uuid::from(site),
        Uuid::from(id),
        Json(&new.settings) as _,
        sealed
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| taken(error, &new.settings))?;
    tx.record(Entry::created("issuer.create", issuer.id, &issuer));
    tx.mark_site(site);
    Ok(issuer)
}

/// Changes an issuer.
///
/// # Errors
/// As [`create`].
pub async fn update(
    tx: &mut TenantTx,
    site: SiteId,
    id: IssuerId,
    patch: IssuerPatch,
    expected_revision: Option<i64>,
    key: Option<&SecretsKey>,
) -> Result<Issuer, StoreError> {
    let before = lock(tx, site, id, expected_revision).await?;
    let tenant = Uuid::from(tx.tenant());
    let settings = patch.settings.as_ref().unwrap_or(&before.settings);
    let reseal = patch.shared_secret.is_some();
    let sealed = seal(tx, id, patch.shared_secret.flatten().as_ref(), key)?;
    let after = issuer_rows!(
        "UPDATE issuers SET settings = $4,
                secret_sealed = CASE WHEN $5 THEN $6 ELSE secret_sealed END,
                revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3 RETURNING";
        tenant,
        Uuid::from(site),
        Uuid::from(id),
        Json(settings) as _,
        reseal,
        sealed
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| taken(error, settings))?;
    tx.record(Entry::updated("issuer.update", id, &before, &after));
    tx.mark_site(site);
    Ok(after)
}

/// Removes an issuer: its tokens are refused at once. The subjects of consumers that name it stay.
pub async fn delete(
    tx: &mut TenantTx,
    site: SiteId,
    id: IssuerId,
    expected_revision: Option<i64>,
) -> Result<(), StoreError> {
    let before = lock(tx, site, id, expected_revision).await?;
    erase(tx, site, id).await?;
    tx.record(Entry::deleted("issuer.delete", id, &before));
    tx.mark_site(site);
    Ok(())
}

fn seal(
    tx: &TenantTx,
    id: IssuerId,
    secret: Option<&Secret>,
    key: Option<&SecretsKey>,
) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(secret) = secret else { return Ok(None) };
    let place = Place { table: TABLE, tenant: tx.tenant(), row: id.into() };
    key.ok_or(StoreError::NoSecretsKey)?.seal(place, secret).map(Some)
}

fn taken(error: sqlx::Error, settings: &settings::Issuer) -> StoreError {
    StoreError::unique(error, &[("issuers_issuer_key", "issuer", &settings.issuer)])
}
