//! Reading sites whole.

use std::collections::BTreeMap;

use policy::desired::{
    DesiredEndpoint, DesiredIssuer, DesiredPlan, DesiredRoute, DesiredSite, DesiredUpstream,
};
use policy::id::{ApiId, IssuerId, PlanId, RouteId, SiteId, TenantId, UpstreamId};
use policy::settings::TenantSettings;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{Object, Omitted, Reason, parsed, parsed_or_default};
use crate::base::error::StoreError;
use crate::base::reader::SnapshotTx;
use crate::base::seal::Place;
use crate::platform::platform_plan;
use crate::publishing::upstream::{Endpoint, protocol_named};
use crate::publishing::{issuer, route};
use crate::tenancy::tenant;

/// The sites that were asked for.
#[derive(Clone, Debug, Default)]
pub struct Sites {
    /// The sites, in the order of their ids.
    pub sites: Vec<DesiredSite>,
    /// The parts missing in them, and the sites left out because a part of theirs cannot be read.
    pub omitted: Vec<Omitted>,
}

/// The sites read so far, and the faults found in them.
#[derive(Default)]
struct Reading {
    sites: BTreeMap<Uuid, DesiredSite>,
    omitted: Vec<Omitted>,
}

impl Reading {
    /// Takes a part of a site that a query read; a site of which a part cannot be read is left out
    /// from then on.
    fn add<T>(
        &mut self,
        site: Uuid,
        read: Result<T, Reason>,
        add: impl FnOnce(&mut DesiredSite, T),
    ) {
        match (self.sites.get_mut(&site), read) {
            (Some(found), Ok(read)) => add(found, read),
            (Some(found), Err(reason)) => {
                self.omitted.push(Omitted {
                    tenant: found.tenant,
                    object: Object::Site(SiteId(site)),
                    reason,
                });
                self.sites.remove(&site);
            }
            (None, _) => {}
        }
    }
}

fn within<T: DeserializeOwned + Default>(what: &str, id: Uuid, text: &str) -> Result<T, Reason> {
    parsed_or_default(text)
        .map_err(|error| Reason::Unreadable(format!("settings of {what} {id}: {error}")))
}

/// Reads the ids of all sites after the given one, in their order.
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

/// Reads sites whole, in a constant number of queries. A site that is neither in the answer nor
/// left out was removed.
pub async fn sites(snapshot: &mut SnapshotTx, ids: &[SiteId]) -> Result<Sites, StoreError> {
    let ids: Vec<Uuid> = ids.iter().copied().map(Uuid::from).collect();
    let rows = sqlx::query!(
        r#"SELECT s.tenant_id, s.id, s.forward_credentials, s.eager,
                  s.settings::text AS "settings!", t.settings::text AS "tenant_settings!",
                  t.status, p.requests_per_second, p.requests_per_month,
                  ARRAY(SELECT h.name FROM hostnames h
                        WHERE h.tenant_id = s.tenant_id AND h.site_id = s.id
                        ORDER BY h.name) AS "hostnames!"
           FROM sites s JOIN tenants t ON t.id = s.tenant_id
                JOIN platform_plans p ON p.id = t.platform_plan_id
           WHERE s.id = ANY($1)"#,
        &ids
    )
    .fetch_all(snapshot.conn())
    .await?;
    let mut reading = Reading::default();
    for row in rows {
        let site = DesiredSite {
            tenant: TenantId(row.tenant_id),
            tenant_settings: Default::default(),
            site: SiteId(row.id),
            settings: Default::default(),
            eager: row.eager,
            hostnames: row.hostnames,
            forward_credentials: row.forward_credentials,
            issuers: Vec::new(),
            plans: Vec::new(),
            apis: BTreeMap::new(),
            upstreams: Vec::new(),
            routes: Vec::new(),
        };
        reading.sites.insert(row.id, site);
        let suspended = tenant::Status::of_row(&row.status) == tenant::Status::Suspended;
        let settings = within("tenant", row.tenant_id, &row.tenant_settings);
        let platform = platform_plan::requests(row.requests_per_second, row.requests_per_month);
        reading.add(row.id, settings, |site, settings| {
            site.tenant_settings = TenantSettings { suspended, platform, ..settings };
        });
        let settings = within("site", row.id, &row.settings);
        reading.add(row.id, settings, |site, settings| site.settings = settings);
    }
    add_upstreams(snapshot, &ids, &mut reading).await?;
    add_apis(snapshot, &ids, &mut reading).await?;
    add_routes(snapshot, &ids, &mut reading).await?;
    add_plans(snapshot, &ids, &mut reading).await?;
    add_issuers(snapshot, &ids, &mut reading).await?;
    Ok(Sites { sites: reading.sites.into_values().collect(), omitted: reading.omitted })
}

async fn add_upstreams(
    snapshot: &mut SnapshotTx,
    ids: &[Uuid],
    reading: &mut Reading,
) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        r#"SELECT u.site_id, u.id, u.protocol, u.connect_timeout_ms, u.request_timeout_ms,
                  (SELECT coalesce(
                       jsonb_agg(
                           jsonb_build_object(
                               'address', e.address, 'port', e.port, 'weight', e.weight
                           ) ORDER BY e.position
                       ), '[]')::text
                   FROM upstream_endpoints e
                   WHERE e.tenant_id = u.tenant_id AND e.site_id = u.site_id
                     AND e.upstream_id = u.id
                  ) AS "endpoints!"
           FROM sites s JOIN upstreams u ON u.tenant_id = s.tenant_id AND u.site_id = s.id
           WHERE s.id = ANY($1) ORDER BY u.id"#,
        ids
    )
    .fetch_all(snapshot.conn())
    .await?;
    for row in rows {
        let endpoints = parsed::<Vec<Endpoint>>(&row.endpoints).map_err(|error| {
            Reason::Unreadable(format!("endpoints of upstream {}: {error}", row.id))
        });
        reading.add(row.site_id, endpoints, |site, endpoints| {
            let endpoint = |endpoint: Endpoint| DesiredEndpoint {
                address: endpoint.address,
                port: endpoint.port,
                weight: u32::from(endpoint.weight),
            };
            site.upstreams.push(DesiredUpstream {
                id: UpstreamId(row.id),
                endpoints: endpoints.into_iter().map(endpoint).collect(),
                protocol: protocol_named(&row.protocol),
                connect_timeout_ms: row.connect_timeout_ms.unsigned_abs(),
                request_timeout_ms: row.request_timeout_ms.unsigned_abs(),
            });
        });
    }
    Ok(())
}

async fn add_apis(
    snapshot: &mut SnapshotTx,
    ids: &[Uuid],
    reading: &mut Reading,
) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        r#"SELECT a.site_id, a.id, a.settings::text AS "settings!"
           FROM sites s JOIN apis a ON a.tenant_id = s.tenant_id AND a.site_id = s.id
           WHERE s.id = ANY($1)"#,
        ids
    )
    .fetch_all(snapshot.conn())
    .await?;
    for row in rows {
        reading.add(row.site_id, within("API", row.id, &row.settings), |site, settings| {
            site.apis.insert(ApiId(row.id), settings);
        });
    }
    Ok(())
}

async fn add_routes(
    snapshot: &mut SnapshotTx,
    ids: &[Uuid],
    reading: &mut Reading,
) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        r#"SELECT r.site_id, r.id, r.methods, r.path, r.settings::text AS "settings!",
                  a.id AS api_id, a.strip_base_path,
                  CASE a.base_path WHEN '/' THEN '' ELSE a.base_path END
                      || CASE WHEN v.in_path THEN '/' || v.name ELSE '' END AS "prefix!",
                  coalesce(r.upstream_id, v.upstream_id) AS "upstream_id!"
           FROM sites s
           JOIN routes r ON r.tenant_id = s.tenant_id AND r.site_id = s.id
           JOIN api_versions v
                ON v.tenant_id = r.tenant_id AND v.site_id = r.site_id AND v.id = r.version_id
           JOIN apis a ON a.tenant_id = v.tenant_id AND a.site_id = v.site_id AND a.id = v.api_id
           WHERE s.id = ANY($1) ORDER BY r.id"#,
        ids
    )
    .fetch_all(snapshot.conn())
    .await?;
    for row in rows {
        reading.add(row.site_id, within("route", row.id, &row.settings), |site, settings| {
            site.routes.push(DesiredRoute {
                id: RouteId(row.id),
                api: ApiId(row.api_id),
                settings,
                methods: route::methods(row.methods),
                prefix: row.prefix,
                template: row.path,
                strip_prefix: row.strip_base_path,
                upstream: UpstreamId(row.upstream_id),
            });
        });
    }
    Ok(())
}

async fn add_plans(
    snapshot: &mut SnapshotTx,
    ids: &[Uuid],
    reading: &mut Reading,
) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        r#"SELECT p.site_id, p.id, p.number, p.settings::text AS "settings!"
           FROM sites s JOIN plans p ON p.tenant_id = s.tenant_id AND p.site_id = s.id
           WHERE s.id = ANY($1) ORDER BY p.number"#,
        ids
    )
    .fetch_all(snapshot.conn())
    .await?;
    for row in rows {
        reading.add(row.site_id, within("plan", row.id, &row.settings), |site, settings| {
            site.plans.push(DesiredPlan {
                id: PlanId(row.id),
                number: row.number.unsigned_abs(),
                settings,
            });
        });
    }
    Ok(())
}

async fn add_issuers(
    snapshot: &mut SnapshotTx,
    ids: &[Uuid],
    reading: &mut Reading,
) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        r#"SELECT i.tenant_id, i.site_id, i.id, i.settings::text AS "settings!", i.secret_sealed
           FROM sites s JOIN issuers i ON i.tenant_id = s.tenant_id AND i.site_id = s.id
           WHERE s.id = ANY($1) ORDER BY i.id"#,
        ids
    )
    .fetch_all(snapshot.conn())
    .await?;
    for row in rows {
        let tenant = TenantId(row.tenant_id);
        let secret = row.secret_sealed.map(|sealed| {
            snapshot.open(Place { table: issuer::TABLE, tenant, row: row.id }, &sealed)
        });
        let secret = match secret {
            Some(Ok(secret)) => Some(secret),
            Some(Err(reason)) => {
                reading.omitted.push(Omitted {
                    tenant,
                    object: Object::IssuerSecret(IssuerId(row.id)),
                    reason,
                });
                None
            }
            None => None,
        };
        let settings = parsed(&row.settings)
            .map_err(|error| Reason::Unreadable(format!("settings of issuer {}: {error}", row.id)));
        reading.add(row.site_id, settings, |site, settings| {
            site.issuers.push(DesiredIssuer {
                id: IssuerId(row.id),
                settings,
                secret,
                fetched_jwks: None,
            });
        });
    }
    Ok(())
}
