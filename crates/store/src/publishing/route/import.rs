//! Replacing all routes of a version at once.

use std::collections::HashMap;

use policy::id::RouteId;
use policy::method::Methods;
use policy::path::Template;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{MAX_PER_SITE, Route, RouteSpec, VersionRef, all_of_version, bits, count};
use crate::base::audit::Entry;
use crate::base::error::StoreError;
use crate::base::id::new_id;
use crate::base::settings::sparse;
use crate::base::tx::TenantTx;
use crate::publishing::lock;
use crate::publishing::version;

/// The effect of replacing the routes of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportOutcome {
    /// Routes that were not there.
    pub added: Vec<RouteSpec>,
    /// Routes that keep their id, methods and path, and get another name or upstream.
    pub changed: Vec<(RouteId, RouteSpec)>,
    /// Routes that go.
    pub removed: Vec<Route>,
    /// The number of routes that stay as they are.
    pub unchanged: usize,
}

impl ImportOutcome {
    fn form(&self) -> Value {
        let spec = |spec: &RouteSpec| {
            let methods: Vec<_> = spec.methods.names().collect();
            json!({ "name": spec.name, "methods": methods, "path": spec.path })
        };
        json!({
            "added": self.added.iter().map(spec).collect::<Vec<_>>(),
            "changed": self.changed.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>(),
            "removed": self.removed.iter().map(|route| route.id.to_string()).collect::<Vec<_>>(),
            "unchanged": self.unchanged,
        })
    }
}

/// Compares the existing routes with those wanted. A route is the same if methods and path are.
/// Settings are not compared: a route that stays keeps its own.
///
/// # Errors
/// [`StoreError::Conflict`] on `path` if two of the wanted routes share a method and a template's
/// shape.
pub fn diff(existing: &[Route], wanted: &[RouteSpec]) -> Result<ImportOutcome, StoreError> {
    unless_overlapping(wanted)?;
    let mut left: HashMap<(Methods, &str), &Route> =
        existing.iter().map(|route| ((route.methods, route.path.as_str()), route)).collect();
    let mut outcome = ImportOutcome::default();
    for spec in wanted {
        match left.remove(&(spec.methods, spec.path.as_str())) {
            None => outcome.added.push(spec.clone()),
            Some(route) if route.name == spec.name && route.upstream_id == spec.upstream_id => {
                outcome.unchanged += 1
            }
            Some(route) => outcome.changed.push((route.id, spec.clone())),
        }
    }
    outcome.removed = existing
        .iter()
        .filter(|route| left.contains_key(&(route.methods, route.path.as_str())))
        .cloned()
        .collect();
    Ok(outcome)
}

fn unless_overlapping(wanted: &[RouteSpec]) -> Result<(), StoreError> {
    let mut served: HashMap<String, Methods> = HashMap::with_capacity(wanted.len());
    for spec in wanted {
        let shape = Template::parse(&spec.path)
            .map_or_else(|_| spec.path.clone(), |template| template.shape());
        let methods = served.entry(shape).or_default();
        if methods.intersects(spec.methods) {
            return Err(StoreError::Conflict { field: "path", value: spec.path.clone() });
        }
        *methods = methods.union(spec.methods);
    }
    Ok(())
}

/// Replaces all routes of a version, in a constant number of statements. Routes that stay keep
/// their ids, and so all references to them. For a dry run drop the transaction instead of
/// committing it: the answer is the same.
///
/// # Errors
/// As [`diff`]; [`StoreError::Invalid`] if the site has no such upstream.
pub async fn replace_all(
    tx: &mut TenantTx,
    version: VersionRef,
    wanted: Vec<RouteSpec>,
) -> Result<ImportOutcome, StoreError> {
    lock::children(tx, version.site).await?;
    version::lock(tx, version.site, version.api, version.version, None).await?;
    let existing = all_of_version(tx, version).await?;
    let outcome = diff(&existing, &wanted)?;
    if outcome.added.is_empty() && outcome.changed.is_empty() && outcome.removed.is_empty() {
        return Ok(outcome);
    }
    remove(tx, version, &outcome.removed).await?;
    change(tx, version, &outcome.changed).await?;
    add(tx, version, &outcome.added).await?;
    if count(tx, version.site).await? > i64::from(MAX_PER_SITE) {
        return Err(StoreError::LimitReached { what: "routes of a site", limit: MAX_PER_SITE });
    }
    tx.record(Entry {
        action: "version.import",
        object: version.version.into(),
        before: Some(json!({ "routes": existing.len() })),
        after: Some(outcome.form()),
    });
    tx.mark_site(version.site);
    Ok(outcome)
}

async fn remove(
    tx: &mut TenantTx,
    version: VersionRef,
    routes: &[Route],
) -> Result<(), StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let ids: Vec<Uuid> = routes.iter().map(|route| route.id.into()).collect();
    sqlx::query!(
        "DELETE FROM routes WHERE tenant_id = $1 AND site_id = $2 AND id = ANY($3)",
        tenant,
        Uuid::from(version.site),
        &ids
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn change(
    tx: &mut TenantTx,
    version: VersionRef,
    routes: &[(RouteId, RouteSpec)],
) -> Result<(), StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let ids: Vec<Uuid> = routes.iter().map(|(id, _)| Uuid::from(*id)).collect();
    let names: Vec<Option<String>> = routes.iter().map(|(_, spec)| spec.name.clone()).collect();
    let upstreams: Vec<Option<Uuid>> =
        routes.iter().map(|(_, spec)| spec.upstream_id.map(Uuid::from)).collect();
    sqlx::query!(
        "UPDATE routes r SET name = w.name, upstream_id = w.upstream_id,
                revision = revision + 1, updated_at = now()
         FROM unnest($3::uuid[], $4::text[], $5::uuid[]) AS w (id, name, upstream_id)
         WHERE r.tenant_id = $1 AND r.site_id = $2 AND r.id = w.id",
        tenant,
        Uuid::from(version.site),
        &ids,
        names.as_slice() as &[Option<String>],
        upstreams.as_slice() as &[Option<Uuid>]
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn add(
    tx: &mut TenantTx,
    version: VersionRef,
    routes: &[RouteSpec],
) -> Result<(), StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let ids: Vec<Uuid> = routes.iter().map(|_| new_id()).collect();
    let names: Vec<Option<String>> = routes.iter().map(|spec| spec.name.clone()).collect();
    let methods: Vec<i16> = routes.iter().map(|spec| bits(spec.methods)).collect();
    let paths: Vec<String> = routes.iter().map(|spec| spec.path.clone()).collect();
    let upstreams: Vec<Option<Uuid>> =
        routes.iter().map(|spec| spec.upstream_id.map(Uuid::from)).collect();
    let settings: Vec<Value> = routes.iter().map(|spec| sparse(&spec.settings)).collect();
    sqlx::query!(
        "INSERT INTO routes
             (tenant_id, site_id, version_id, id, name, methods, path, upstream_id, settings)
         SELECT $1, $2, $3, w.id, w.name, w.methods, w.path, w.upstream_id, w.settings
         FROM unnest($4::uuid[], $5::text[], $6::smallint[], $7::text[], $8::uuid[], $9::jsonb[])
              AS w (id, name, methods, path, upstream_id, settings)",
        tenant,
        Uuid::from(version.site),
        Uuid::from(version.version),
        &ids,
        names.as_slice() as &[Option<String>],
        &methods,
        &paths,
        upstreams.as_slice() as &[Option<Uuid>],
        &settings
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
