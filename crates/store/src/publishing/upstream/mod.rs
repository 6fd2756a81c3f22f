//! Upstreams: where the traffic of routes goes.

use chrono::{DateTime, Utc};
use policy::desired::UpstreamProtocol;
use policy::id::{SiteId, UpstreamId};
use policy::upstream::MAX_ENDPOINTS;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::page::Page;
use crate::base::tx::TenantTx;
use crate::publishing::lock;

mod users;

pub use users::{UpstreamUser, users};

/// How many upstreams a site may have: a Cluster costs an Envoy 25 to 48 KB.
pub const MAX_PER_SITE: u32 = 500;

/// One address of an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// An IPv4 address, an IPv6 address without brackets, or a DNS name.
    pub address: String,
    /// The TCP port, from 1.
    pub port: u16,
    /// The share of traffic relative to the other endpoints, see [`policy::upstream::WEIGHT`].
    pub weight: u16,
}

/// An upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The upstream's id.
    pub id: UpstreamId,
    /// What people call it, unique in the site, 1 to 200 characters.
    pub name: String,
    /// Its endpoints, in the order in which they were given; no address and port twice.
    pub endpoints: Vec<Endpoint>,
    /// The protocol that they speak.
    pub protocol: UpstreamProtocol,
    /// See [`policy::upstream::CONNECT_TIMEOUT_MS`].
    pub connect_timeout_ms: u32,
    /// See [`policy::upstream::REQUEST_TIMEOUT_MS`].
    pub request_timeout_ms: u32,
    /// Counts the changes, from 1.
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a new upstream is made of; the fields are those of [`Upstream`].
#[derive(Clone, Debug)]
pub struct NewUpstream {
    /// See [`Upstream::name`].
    pub name: String,
    /// See [`Upstream::endpoints`].
    pub endpoints: Vec<Endpoint>,
    /// See [`Upstream::protocol`].
    pub protocol: UpstreamProtocol,
    /// See [`policy::upstream::CONNECT_TIMEOUT_MS`].
    pub connect_timeout_ms: u32,
    /// See [`policy::upstream::REQUEST_TIMEOUT_MS`].
    pub request_timeout_ms: u32,
}

/// What may change of an upstream; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct UpstreamPatch {
    /// See [`Upstream::name`].
    pub name: Option<String>,
    /// All endpoints anew; see [`Upstream::endpoints`].
    pub endpoints: Option<Vec<Endpoint>>,
    /// See [`Upstream::protocol`].
    pub protocol: Option<UpstreamProtocol>,
    /// See [`policy::upstream::CONNECT_TIMEOUT_MS`].
    pub connect_timeout_ms: Option<u32>,
    /// See [`policy::upstream::REQUEST_TIMEOUT_MS`].
    pub request_timeout_ms: Option<u32>,
}

struct Record {
    id: Uuid,
    name: String,
    endpoints: Json<Vec<Endpoint>>,
    protocol: String,
    connect_timeout_ms: i32,
    request_timeout_ms: i32,
    revision: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Record> for Upstream {
    fn from(record: Record) -> Self {
        Self {
            id: UpstreamId(record.id),
            name: record.name,
            endpoints: record.endpoints.0,
            protocol: protocol_named(&record.protocol),
            connect_timeout_ms: record.connect_timeout_ms.unsigned_abs(),
            request_timeout_ms: record.request_timeout_ms.unsigned_abs(),
            revision: record.revision,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}

impl Audited for Upstream {
    fn form(&self) -> Value {
        json!({
            "name": self.name,
            "endpoints": self.endpoints,
            "protocol": protocol_name(self.protocol),
            "connect_timeout_ms": self.connect_timeout_ms,
            "request_timeout_ms": self.request_timeout_ms,
            "revision": self.revision,
        })
    }
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "upstream" };

/// `http1` or `http2`.
pub fn protocol_name(protocol: UpstreamProtocol) -> &'static str {
    match protocol {
        UpstreamProtocol::Http1 => "http1",
        UpstreamProtocol::Http2 => "http2",
    }
}

/// Reads the name that is stored; a CHECK of the table leaves no third.
pub(crate) fn protocol_named(name: &str) -> UpstreamProtocol {
    if name == "http2" { UpstreamProtocol::Http2 } else { UpstreamProtocol::Http1 }
}

/// Makes an upstream.
pub async fn create(
    tx: &mut TenantTx,
    site: SiteId,
    new: NewUpstream,
) -> Result<Upstream, StoreError> {
    lock::children(tx, site).await?;
    let tenant = Uuid::from(tx.tenant());
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM upstreams WHERE tenant_id = $1 AND site_id = $2"#,
        tenant,
        Uuid::from(site)
    )
    .fetch_one(tx.conn())
    .await?;
    StoreError::at_limit(count, "upstreams of a site", MAX_PER_SITE)?;
    let id = UpstreamId(crate::new_id());
    sqlx::query!(
        "INSERT INTO upstreams (tenant_id, site_id, id, name, protocol, connect_timeout_ms, request_timeout_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        tenant,
        Uuid::from(site),
        Uuid::from(id),
        new.name,
        protocol_name(new.protocol),
        column(new.connect_timeout_ms),
        column(new.request_timeout_ms)
    )
    .execute(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("upstreams_name_key", "name", &new.name)]))?;
    insert_endpoints(tx, site, id, &new.endpoints).await?;
    let upstream = get(tx, site, id).await?;
    tx.record(Entry::created("upstream.create", id, &upstream));
    tx.mark_site(site);
    Ok(upstream)
}

/// Reads an upstream.
pub async fn get(tx: &mut TenantTx, site: SiteId, id: UpstreamId) -> Result<Upstream, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_as!(
        Record,
        r#"SELECT u.id, u.name, u.protocol, u.connect_timeout_ms, u.request_timeout_ms, u.revision, u.created_at,
                  u.updated_at,
                  (SELECT coalesce(
                       jsonb_agg(
                           jsonb_build_object('address', e.address, 'port', e.port, 'weight', e.weight) ORDER BY e.position
                       ), '[]')
                   FROM upstream_endpoints e
                   WHERE e.tenant_id = u.tenant_id AND e.site_id = u.site_id AND e.upstream_id = u.id
                  ) AS "endpoints!: Json<Vec<Endpoint>>"
           FROM upstreams u WHERE u.tenant_id = $1 AND u.site_id = $2 AND u.id = $3"#,
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .map(Upstream::from)
    .ok_or(NOT_FOUND)
}

/// Reads a page of a site's upstreams.
pub async fn list(
    tx: &mut TenantTx,
    site: SiteId,
    page: Page,
) -> Result<Vec<Upstream>, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let records = sqlx::query_as!(
        Record,
        r#"SELECT u.id, u.name, u.protocol, u.connect_timeout_ms, u.request_timeout_ms, u.revision, u.created_at,
                  u.updated_at,
                  (SELECT coalesce(
                       jsonb_agg(
                           jsonb_build_object('address', e.address, 'port', e.port, 'weight', e.weight) ORDER BY e.position
                       ), '[]')
                   FROM upstream_endpoints e
                   WHERE e.tenant_id = u.tenant_id AND e.site_id = u.site_id AND e.upstream_id = u.id
                  ) AS "endpoints!: Json<Vec<Endpoint>>"
           FROM upstreams u WHERE u.tenant_id = $1 AND u.site_id = $2 AND u.id > $3 ORDER BY u.id LIMIT $4"#,
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
    Ok(records.into_iter().map(Upstream::from).collect())
}

/// Changes an upstream.
pub async fn update(
    tx: &mut TenantTx,
    site: SiteId,
    id: UpstreamId,
    patch: UpstreamPatch,
    expected_revision: Option<i64>,
) -> Result<Upstream, StoreError> {
    let before = lock(tx, site, id, expected_revision).await?;
    let tenant = Uuid::from(tx.tenant());
    let name = patch.name.unwrap_or_else(|| before.name.clone());
    sqlx::query!(
        "UPDATE upstreams SET name = $4, protocol = $5, connect_timeout_ms = $6, request_timeout_ms = $7,
                revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3",
        tenant,
        Uuid::from(site),
        Uuid::from(id),
        name,
        protocol_name(patch.protocol.unwrap_or(before.protocol)),
        column(patch.connect_timeout_ms.unwrap_or(before.connect_timeout_ms)),
        column(patch.request_timeout_ms.unwrap_or(before.request_timeout_ms))
    )
    .execute(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("upstreams_name_key", "name", &name)]))?;
    if let Some(endpoints) = patch.endpoints {
        sqlx::query!(
            "DELETE FROM upstream_endpoints WHERE tenant_id = $1 AND site_id = $2 AND upstream_id = $3",
            tenant,
            Uuid::from(site),
            Uuid::from(id)
        )
        .execute(tx.conn())
        .await?;
        insert_endpoints(tx, site, id, &endpoints).await?;
    }
    let after = get(tx, site, id).await?;
    tx.record(Entry::updated("upstream.update", id, &before, &after));
    tx.mark_site(site);
    Ok(after)
}

/// Removes an upstream.
///
/// # Errors
/// [`StoreError::InUse`] while a version or a route sends traffic to it.
pub async fn delete(
    tx: &mut TenantTx,
    site: SiteId,
    id: UpstreamId,
    expected_revision: Option<i64>,
) -> Result<(), StoreError> {
    let before = lock(tx, site, id, expected_revision).await?;
    let tenant = Uuid::from(tx.tenant());
    sqlx::query!(
        "DELETE FROM upstreams WHERE tenant_id = $1 AND site_id = $2 AND id = $3",
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .execute(tx.conn())
    .await?;
    tx.record(Entry::deleted("upstream.delete", id, &before));
    tx.mark_site(site);
    Ok(())
}

async fn lock(
    tx: &mut TenantTx,
    site: SiteId,
    id: UpstreamId,
    expected_revision: Option<i64>,
) -> Result<Upstream, StoreError> {
    lock::share(tx, site).await?;
    let tenant = Uuid::from(tx.tenant());
    sqlx::query_scalar!(
        "SELECT id FROM upstreams WHERE tenant_id = $1 AND site_id = $2 AND id = $3 FOR UPDATE",
        tenant,
        Uuid::from(site),
        Uuid::from(id)
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)?;
    let upstream = get(tx, site, id).await?;
    StoreError::unless_expected(upstream.revision, expected_revision)?;
    Ok(upstream)
}

async fn insert_endpoints(
    tx: &mut TenantTx,
    site: SiteId,
    upstream: UpstreamId,
    endpoints: &[Endpoint],
) -> Result<(), StoreError> {
    if endpoints.len() > MAX_ENDPOINTS {
        return Err(StoreError::LimitReached {
            what: "endpoints of an upstream",
            limit: MAX_ENDPOINTS as u32,
        });
    }
    let tenant = Uuid::from(tx.tenant());
    let addresses: Vec<String> =
        endpoints.iter().map(|endpoint| endpoint.address.clone()).collect();
    let ports: Vec<i32> = endpoints.iter().map(|endpoint| i32::from(endpoint.port)).collect();
    let weights: Vec<i32> = endpoints.iter().map(|endpoint| i32::from(endpoint.weight)).collect();
    sqlx::query!(
        "INSERT INTO upstream_endpoints (tenant_id, site_id, upstream_id, position, address, port, weight)
         SELECT $1, $2, $3, e.position, e.address, e.port, e.weight
         FROM unnest($4::text[], $5::int[], $6::int[]) WITH ORDINALITY AS e (address, port, weight, position)",
        tenant,
        Uuid::from(site),
        Uuid::from(upstream),
        &addresses,
        &ports,
        &weights
    )
    .execute(tx.conn())
    .await
    .map_err(|error| {
        StoreError::unique(error, &[("upstream_endpoints_address_key", "endpoints", "the same endpoint twice")])
    })?;
    Ok(())
}

/// A number as the database holds it. Its CHECKs refuse what is out of range, and so what does not
/// fit.
fn column(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}
