//! Issuers: whose tokens a site accepts.

use chrono::{DateTime, Utc};
use policy::desired::Secret;
use policy::id::{IssuerId, SiteId};
use policy::settings;
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::page::Page;
use crate::base::seal::{Place, SecretsKey};
use crate::base::tx::TenantTx;
use crate::publishing::lock;

/// How many issuers a site may have: each with its keys is part of what is pushed for the site.
pub const MAX_PER_SITE: u32 = 64;
/// The table, in the place of a sealed secret.
pub(crate) const TABLE: &str = "issuers";

/// An issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// The issuer's id.
    pub id: IssuerId,
    /// What is set for it. Its `issuer` is unique in the site.
    pub settings: settings::Issuer,
    /// Whether it has a shared secret.
    pub has_secret: bool,
    /// Counts the changes, from 1.
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a new issuer is made of.
#[derive(Clone, Debug)]
pub struct NewIssuer {
    /// See [`Issuer::settings`].
    pub settings: settings::Issuer,
    /// The secret that it shares with the gateway, for symmetric algorithms.
    pub shared_secret: Option<Secret>,
}

/// What may change of an issuer; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct IssuerPatch {
    /// See [`Issuer::settings`]; they are replaced as a whole.
    pub settings: Option<settings::Issuer>,
    /// See [`NewIssuer::shared_secret`]; `Some(None)` takes it away.
    pub shared_secret: Option<Option<Secret>>,
}

struct Record {
    id: Uuid,
    settings: Json<settings::Issuer>,
    has_secret: bool,
    revision: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Record> for Issuer {
    fn from(record: Record) -> Self {
        Self {
            id: IssuerId(record.id),
            settings: record.settings.0,
            has_secret: record.has_secret,
            revision: record.revision,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}

impl Audited for Issuer {
    fn form(&self) -> Value {
        json!({ "settings": self.settings, "has_secret": self.has_secret, "revision": self.revision })
    }
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "issuer" };

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
    let tenant = Uuid::from(tx.tenant());
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM issuers WHERE tenant_id = $1 AND site_id = $2"#,
        tenant,
        Uuid::from(site)
    )
    .fetch_one(tx.conn())
    .await?;
    StoreError::at_limit(count, "issuers of a site", MAX_PER_SITE)?;
    let id = IssuerId(crate::new_id());
    let sealed = seal(tx, id, new.shared_secret.as_ref(), key)?;
    let issuer: Issuer = sqlx::query_as!(
        Record,
        r#"INSERT INTO issuers (tenant_id, site_id, id, settings, secret_sealed) VALUES ($1, $2, $3, $4, $5)
         RETURNING id, settings AS "settings: Json<settings::Issuer>", secret_sealed IS NOT NULL AS "has_secret!",
                revision, created_at, updated_at"#,
        tenant,
        Uuid::from(site),
        Uuid::from(id),
        Json(&new.settings) as _,
        sealed
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| taken(error, &new.settings))?
    .into();
    tx.record(Entry::created("issuer.create", issuer.id, &issuer));
    tx.mark_site(site);
    Ok(issuer)
}

/// Reads an issuer.
pub async fn get(tx: &mut TenantTx, site: SiteId, id: IssuerId) -> Result<Issuer, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_as!(
        Record,
        r#"SELECT id, settings AS "settings: Json<settings::Issuer>", secret_sealed IS NOT NULL AS "has_secret!",
                revision, created_at, updated_at
         FROM issuers WHERE tenant_id = $1 AND site_id = $2 AND id = $3"#,
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .map(Issuer::from)
    .ok_or(NOT_FOUND)
}

/// Reads a page of a site's issuers.
pub async fn list(tx: &mut TenantTx, site: SiteId, page: Page) -> Result<Vec<Issuer>, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let records = sqlx::query_as!(
        Record,
        r#"SELECT id, settings AS "settings: Json<settings::Issuer>", secret_sealed IS NOT NULL AS "has_secret!",
                revision, created_at, updated_at
         FROM issuers WHERE tenant_id = $1 AND site_id = $2 AND id > $3 ORDER BY id LIMIT $4"#,
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
    Ok(records.into_iter().map(Issuer::from).collect())
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
    let after: Issuer = sqlx::query_as!(
        Record,
        r#"UPDATE issuers SET settings = $4, secret_sealed = CASE WHEN $5 THEN $6 ELSE secret_sealed END,
                revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3
         RETURNING id, settings AS "settings: Json<settings::Issuer>", secret_sealed IS NOT NULL AS "has_secret!",
                revision, created_at, updated_at"#,
        tenant,
        Uuid::from(site),
        Uuid::from(id),
        Json(settings) as _,
        reseal,
        sealed
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| taken(error, settings))?
    .into();
    tx.record(Entry::updated("issuer.update", id, &before, &after));
    tx.mark_site(site);
    Ok(after)
}

/// Removes an issuer: its tokens are refused at once. What consumers list of it as subjects stays.
pub async fn delete(
    tx: &mut TenantTx,
    site: SiteId,
    id: IssuerId,
    expected_revision: Option<i64>,
) -> Result<(), StoreError> {
    let before = lock(tx, site, id, expected_revision).await?;
    let tenant = Uuid::from(tx.tenant());
    sqlx::query!(
        "DELETE FROM issuers WHERE tenant_id = $1 AND site_id = $2 AND id = $3",
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .execute(tx.conn())
    .await?;
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

async fn lock(
    tx: &mut TenantTx,
    site: SiteId,
    id: IssuerId,
    expected_revision: Option<i64>,
) -> Result<Issuer, StoreError> {
    lock::share(tx, site).await?;
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_scalar!(
        "SELECT id FROM issuers WHERE tenant_id = $1 AND site_id = $2 AND id = $3 FOR UPDATE",
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)?;
    let issuer = get(tx, site, id).await?;
    StoreError::unless_expected(issuer.revision, expected_revision)?;
    Ok(issuer)
}

fn taken(error: sqlx::Error, settings: &settings::Issuer) -> StoreError {
    StoreError::unique(error, &[("issuers_issuer_key", "issuer", &settings.issuer)])
}
