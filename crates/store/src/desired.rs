//! Reading what the Envoys should have, in bulk, inside a snapshot.

use std::collections::BTreeMap;

use policy::desired::{DesiredBucket, DesiredEndpoint, DesiredRoute, DesiredSite, DesiredUpstream};
use policy::id::{ConsumerId, KeyId, RouteId, SiteId, TenantId, UpstreamId};
use policy::key::{Digest, KeyRecord};
use sqlx::types::Json;
use uuid::Uuid;

use crate::reader::SnapshotTx;
use crate::upstream::{Endpoint, protocol_named};
use crate::{StoreError, route};

/// How many buckets one step of [`all_buckets`] reads: of a million keys about 31,000, some megabytes.
const BUCKETS_PER_STEP: u16 = 2048;

/// The ids of all sites after the given one, in their order.
pub async fn all_site_ids(
    snapshot: &mut SnapshotTx,
    after: Option<SiteId>,
    limit: u32,
) -> Result<Vec<SiteId>, StoreError> {
    let ids = sqlx::query_scalar!(
        "SELECT id FROM sites WHERE id > $1 ORDER BY id LIMIT $2",
        after.map_or(Uuid::nil(), Uuid::from),
        i64::from(limit)
    )
    .fetch_all(snapshot.conn())
    .await?;
    Ok(ids.into_iter().map(SiteId).collect())
}

/// Reads sites whole, in four queries. A site that is not there is not in the answer: it was removed.
pub async fn sites(snapshot: &mut SnapshotTx, ids: &[SiteId]) -> Result<Vec<DesiredSite>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().copied().map(Uuid::from).collect();
    let rows = sqlx::query!(
        r#"SELECT s.tenant_id, s.id, s.forward_credentials,
                  ARRAY(SELECT h.name FROM hostnames h WHERE h.tenant_id = s.tenant_id AND h.site_id = s.id ORDER BY h.name)
                      AS "hostnames!"
           FROM sites s WHERE s.id = ANY($1)"#,
        &ids
    )
    .fetch_all(snapshot.conn())
    .await?;
    let mut sites: BTreeMap<Uuid, DesiredSite> = rows
        .into_iter()
        .map(|row| {
            let site = DesiredSite {
                tenant: TenantId(row.tenant_id),
                site: SiteId(row.id),
                hostnames: row.hostnames,
                tenant_settings: Default::default(),
                settings: Default::default(),
                issuers: Vec::new(),
                plans: Vec::new(),
                apis: BTreeMap::new(),
                forward_credentials: row.forward_credentials,
                upstreams: Vec::new(),
                routes: Vec::new(),
            };
            (row.id, site)
        })
        .collect();
    add_upstreams(snapshot, &ids, &mut sites).await?;
    add_routes(snapshot, &ids, &mut sites).await?;
    Ok(sites.into_values().collect())
}

async fn add_upstreams(
    snapshot: &mut SnapshotTx,
    ids: &[Uuid],
    sites: &mut BTreeMap<Uuid, DesiredSite>,
) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        r#"SELECT u.site_id, u.id, u.protocol, u.connect_timeout_ms, u.request_timeout_ms,
                  (SELECT coalesce(
                       jsonb_agg(
                           jsonb_build_object('address', e.address, 'port', e.port, 'weight', e.weight) ORDER BY e.position
                       ), '[]')
                   FROM upstream_endpoints e
                   WHERE e.tenant_id = u.tenant_id AND e.site_id = u.site_id AND e.upstream_id = u.id
                  ) AS "endpoints!: Json<Vec<Endpoint>>"
           FROM sites s JOIN upstreams u ON u.tenant_id = s.tenant_id AND u.site_id = s.id
           WHERE s.id = ANY($1) ORDER BY u.id"#,
        ids
    )
    .fetch_all(snapshot.conn())
    .await?;
    for row in rows {
        let Some(site) = sites.get_mut(&row.site_id) else { continue };
        site.upstreams.push(DesiredUpstream {
            id: UpstreamId(row.id),
            endpoints: row
                .endpoints
                .0
                .into_iter()
                .map(|endpoint| DesiredEndpoint {
                    address: endpoint.address,
                    port: endpoint.port,
                    weight: u32::from(endpoint.weight),
                })
                .collect(),
            protocol: protocol_named(&row.protocol),
            connect_timeout_ms: row.connect_timeout_ms.unsigned_abs(),
            request_timeout_ms: row.request_timeout_ms.unsigned_abs(),
        });
    }
    Ok(())
}

async fn add_routes(
    snapshot: &mut SnapshotTx,
    ids: &[Uuid],
    sites: &mut BTreeMap<Uuid, DesiredSite>,
) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        r#"SELECT r.site_id, r.id, r.methods, r.path, a.strip_base_path,
                  CASE a.base_path WHEN '/' THEN '' ELSE a.base_path END || '/' || v.name AS "prefix!",
                  coalesce(r.upstream_id, v.upstream_id) AS "upstream_id!"
           FROM sites s
           JOIN routes r ON r.tenant_id = s.tenant_id AND r.site_id = s.id
           JOIN api_versions v ON v.tenant_id = r.tenant_id AND v.site_id = r.site_id AND v.id = r.version_id
           JOIN apis a ON a.tenant_id = v.tenant_id AND a.site_id = v.site_id AND a.id = v.api_id
           WHERE s.id = ANY($1) ORDER BY r.id"#,
        ids
    )
    .fetch_all(snapshot.conn())
    .await?;
    for row in rows {
        let Some(site) = sites.get_mut(&row.site_id) else { continue };
        site.routes.push(DesiredRoute {
            id: RouteId(row.id),
            api: policy::id::ApiId(Uuid::nil()),
            settings: Default::default(),
            methods: route::methods(row.methods),
            prefix: row.prefix,
            template: row.path,
            strip_prefix: row.strip_base_path,
            upstream: UpstreamId(row.upstream_id),
        });
    }
    Ok(())
}

/// Reads buckets: one answer for each that is asked for, empty or not, in the order of their numbers.
pub async fn buckets(snapshot: &mut SnapshotTx, buckets: &[u16]) -> Result<Vec<DesiredBucket>, StoreError> {
    let numbers: Vec<i32> = buckets.iter().copied().map(i32::from).collect();
    let rows = sqlx::query_as!(
        KeyRow,
        "SELECT bucket, digest, site_id, consumer_id, id, expires_at FROM api_keys
         WHERE bucket = ANY($1) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())",
        &numbers
    )
    .fetch_all(snapshot.conn())
    .await?;
    let mut found: BTreeMap<u16, Vec<KeyRecord>> = buckets.iter().map(|bucket| (*bucket, Vec::new())).collect();
    gather(rows, &mut found);
    Ok(found.into_iter().map(|(bucket, keys)| DesiredBucket { bucket, keys }).collect())
}

/// A step through all buckets.
#[derive(Clone, Debug)]
pub struct Step {
    /// The buckets of this step that have keys, in the order of their numbers.
    pub buckets: Vec<DesiredBucket>,
    /// Where the next step begins; `None` after the last.
    pub next: Option<u16>,
}

/// Reads the buckets from `first` on, a bounded number of them. Begin with 0 and go on with [`Step::next`].
pub async fn all_buckets(snapshot: &mut SnapshotTx, first: u16) -> Result<Step, StoreError> {
    let last = first.saturating_add(BUCKETS_PER_STEP - 1);
    let rows = sqlx::query_as!(
        KeyRow,
        "SELECT bucket, digest, site_id, consumer_id, id, expires_at FROM api_keys
         WHERE bucket BETWEEN $1 AND $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())",
        i32::from(first),
        i32::from(last)
    )
    .fetch_all(snapshot.conn())
    .await?;
    let mut found = BTreeMap::new();
    gather(rows, &mut found);
    let buckets = found.into_iter().map(|(bucket, keys)| DesiredBucket { bucket, keys }).collect();
    Ok(Step { buckets, next: last.checked_add(1) })
}

struct KeyRow {
    bucket: i32,
    digest: Vec<u8>,
    site_id: Uuid,
    consumer_id: Uuid,
    id: Uuid,
    expires_at: Option<chrono::DateTime<chrono::Utc>>,
}

fn gather(rows: Vec<KeyRow>, found: &mut BTreeMap<u16, Vec<KeyRecord>>) {
    for row in rows {
        // CHECKs of the table rule out any other number or length.
        let (Ok(bucket), Ok(digest)) = (u16::try_from(row.bucket), <[u8; 32]>::try_from(row.digest)) else { continue };
        found.entry(bucket).or_default().push(KeyRecord {
            digest: Digest(digest),
            site: SiteId(row.site_id),
            consumer: ConsumerId(row.consumer_id),
            key: KeyId(row.id),
            expires_at_ms: row.expires_at.map(|at| at.timestamp_millis().unsigned_abs()),
            plan: 0,
            kind: policy::key::CredentialKind::ApiKey,
            has_details: false,
        });
    }
}
