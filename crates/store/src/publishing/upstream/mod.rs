//! Upstreams: the servers behind a site's routes.

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
use crate::base::id::new_id;
use crate::base::queries::rows;
use crate::base::tx::TenantTx;
use crate::publishing::lock;
use crate::publishing::objects::parts_of_site;

mod users;

pub use users::{UpstreamUser, users};

/// The most upstreams of a site: a Cluster costs an Envoy 25 to 48 KB.
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
    /// A name for people, unique in the site, 1 to 200 characters.
    pub name: String,
    /// Its endpoints in the order given; no address and port twice.
    pub endpoints: Vec<Endpoint>,
    /// The protocol that they speak.
    pub protocol: UpstreamProtocol,
    /// The time for connecting, in milliseconds, see [`policy::upstream::CONNECT_TIMEOUT_MS`].
    pub connect_timeout_ms: u32,
    /// The time for a whole request, in milliseconds, see
    /// [`policy::upstream::REQUEST_TIMEOUT_MS`].
    pub request_timeout_ms: u32,
    /// The number of changes, from 1.
    pub revision: i64,
    /// The time of its creation.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
}

/// The fields of a new upstream.
#[derive(Clone, Debug)]
pub struct NewUpstream {
    /// See [`Upstream::name`].
    pub name: String,
    /// See [`Upstream::endpoints`].
    pub endpoints: Vec<Endpoint>,
    /// See [`Upstream::protocol`].
    pub protocol: UpstreamProtocol,
    /// See [`Upstream::connect_timeout_ms`].
    pub connect_timeout_ms: u32,
    /// See [`Upstream::request_timeout_ms`].
    pub request_timeout_ms: u32,
}

/// A change of an upstream; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct UpstreamPatch {
    /// See [`Upstream::name`].
    pub name: Option<String>,
    /// All endpoints anew; see [`Upstream::endpoints`].
    pub endpoints: Option<Vec<Endpoint>>,
    /// See [`Upstream::protocol`].
    pub protocol: Option<UpstreamProtocol>,
    /// See [`Upstream::connect_timeout_ms`].
    pub connect_timeout_ms: Option<u32>,
    /// See [`Upstream::request_timeout_ms`].
    pub request_timeout_ms: Option<u32>,
}

rows! { ($) upstream_rows =
    r#"u.id, u.name, u.protocol, u.connect_timeout_ms, u.request_timeout_ms, u.revision,
       u.created_at, u.updated_at,
       (SELECT coalesce(
            jsonb_agg(
                jsonb_build_object('address', e.address, 'port', e.port, 'weight', e.weight)
                ORDER BY e.position
            ), '[]')
        FROM upstream_endpoints e
        WHERE e.tenant_id = u.tenant_id AND e.site_id = u.site_id AND e.upstream_id = u.id
       ) AS "endpoints!: Json<Vec<Endpoint>>""#
    => |row| Upstream {
        id: UpstreamId(row.id),
        name: row.name,
        endpoints: row.endpoints.0,
        protocol: protocol_named(&row.protocol),
        connect_timeout_ms: row.connect_timeout_ms.unsigned_abs(),
        request_timeout_ms: row.request_timeout_ms.unsigned_abs(),
        revision: row.revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

parts_of_site!(
    Upstream, UpstreamId, "upstream", upstream_rows of "upstreams u",
    MAX_PER_SITE "upstreams of a site"
);

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
///
/// # Errors
/// [`StoreError::Conflict`] on `name`, and on `endpoints` if one is given twice.
pub async fn create(
    tx: &mut TenantTx,
    site: SiteId,
    new: NewUpstream,
) -> Result<Upstream, StoreError> {
    lock::children(tx, site).await?;
    unless_full(tx, site).await?;
    let tenant = Uuid::from(tx.tenant());
    let id = UpstreamId(new_id());
    sqlx::query!(
        "INSERT INTO upstreams
             (tenant_id, site_id, id, name, protocol, connect_timeout_ms, request_timeout_ms)
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

/// Changes an upstream.
///
/// # Errors
/// As [`create`].
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
    if let Some(endpoints) = &patch.endpoints {
        sqlx::query!(
            "DELETE FROM upstream_endpoints
             WHERE tenant_id = $1 AND site_id = $2 AND upstream_id = $3",
            tenant,
            Uuid::from(site),
            Uuid::from(id)
        )
        .execute(tx.conn())
        .await?;
        insert_endpoints(tx, site, id, endpoints).await?;
    }
    let after = upstream_rows!(
        "UPDATE upstreams u SET name = $4, protocol = $5, connect_timeout_ms = $6,
                request_timeout_ms = $7, revision = revision + 1, updated_at = now()
         WHERE tenant_id = $1 AND site_id = $2 AND id = $3 RETURNING";
        tenant,
        Uuid::from(site),
        Uuid::from(id),
        name,
        protocol_name(patch.protocol.unwrap_or(before.protocol)),
        column(patch.connect_timeout_ms.unwrap_or(before.connect_timeout_ms)),
        column(patch.request_timeout_ms.unwrap_or(before.request_timeout_ms))
    )
    .fetch_one(tx.conn())
    .await
    .map_err(|error| StoreError::unique(error, &[("upstreams_name_key", "name", &name)]))?;
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
    erase(tx, site, id).await?;
    tx.record(Entry::deleted("upstream.delete", id, &before));
    tx.mark_site(site);
    Ok(())
}

/// Reads an upstream and locks it until the end of the transaction. Two statements: one that waited
/// for the lock would see the endpoints as they were before.
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
        "INSERT INTO upstream_endpoints
             (tenant_id, site_id, upstream_id, position, address, port, weight)
         SELECT $1, $2, $3, e.position, e.address, e.port, e.weight
         FROM unnest($4::text[], $5::int[], $6::int[]) WITH ORDINALITY
              AS e (address, port, weight, position)",
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
        let twice = ("upstream_endpoints_address_key", "endpoints", "the same endpoint twice");
        StoreError::unique(error, &[twice])
    })?;
    Ok(())
}

/// A number as the database holds it. Its CHECKs refuse what is out of range, and so what does not
/// fit.
fn column(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}
