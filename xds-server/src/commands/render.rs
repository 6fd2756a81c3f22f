//! `tenantry-xds render`: the resources of a site, as YAML.

use clap::Args;
use policy::desired::{DesiredBucket, DesiredConsumers, DesiredSite};
use policy::host;
use policy::id::SiteId;
use serde_json::{Value, json};
use store::seal::SecretsKey;
use store::{SnapshotTx, StoreError, desired};
use thiserror::Error;

use super::database::Database;
use crate::{readable, translate};

/// The flags of `render`.
#[derive(Clone, Debug, Args)]
pub struct Render {
    /// The site: its id, or one of its hostnames.
    #[arg(long)]
    pub site: String,
    /// The database.
    #[command(flatten)]
    pub database: Database,
}

/// Why nothing was rendered.
#[derive(Debug, Error)]
pub enum RenderError {
    /// The database could not be read.
    #[error("reading the database")]
    Store(#[from] StoreError),
    /// There is no such site.
    #[error("there is no site with the id or hostname {0:?}")]
    NoSuchSite(String),
    /// The answer could not be written as YAML.
    #[error("writing YAML")]
    Yaml(#[from] serde_saphyr::ser::Error),
}

/// The output of `render`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The YAML.
    pub yaml: String,
    /// True if all of the site can be served as it is.
    pub complete: bool,
}

/// Reads the site as the database has it now, and translates it as xds-server would. Secrets are
/// left out. The output lacks the data that xds-server reads elsewhere: the keys of issuers, and
/// the addresses of names.
///
/// # Errors
/// Fails when there is no such site, or the database cannot be read.
pub async fn run(
    render: &Render,
    secrets_key: Option<SecretsKey>,
) -> Result<Rendered, RenderError> {
    let reader = render.database.connect(secrets_key).await?;
    let mut snapshot = reader.snapshot().await?;
    let no_such_site = || RenderError::NoSuchSite(render.site.clone());
    let id = site_named(&mut snapshot, &render.site).await?.ok_or_else(no_such_site)?;
    let placed = desired::placements(&mut snapshot, &[id]).await?;
    let (tenant, cells) = placed.get(&id).ok_or_else(no_such_site)?;
    let read = desired::sites(&mut snapshot, &[id]).await?;
    let (mut resources, mut problems) = (Vec::new(), Vec::new());
    problems.extend(
        read.omitted
            .iter()
            .map(|omitted| format!("{:?} is left out: {:?}", omitted.object, omitted.reason)),
    );
    for site in &read.sites {
        match translate::site(site) {
            Ok(made) => resources.extend(made.iter().map(readable::resource)),
            Err(error) => problems.push(format!("the site keeps what it had: {error}")),
        }
    }
    resources.extend(credentials(&mut snapshot, id, &mut problems).await?);
    let cells: Vec<_> = cells.iter().map(ToString::to_string).collect();
    let hostnames = read.sites.first().map(|site: &DesiredSite| site.hostnames.clone());
    let (complete, seq) = (problems.is_empty(), snapshot.head_seq().await?);
    let document = json!({
        "site": id.to_string(),
        "tenant": tenant.to_string(),
        "cells": cells,
        "hostnames": hostnames,
        "change_log_seq": seq,
        "problems": problems,
        "resources": resources,
    });
    Ok(Rendered { yaml: serde_saphyr::to_string(&document)?, complete })
}

/// A site by its id or by one of its hostnames.
pub(super) async fn site_named(
    snapshot: &mut SnapshotTx,
    name: &str,
) -> Result<Option<SiteId>, StoreError> {
    match name.parse::<SiteId>() {
        Ok(id) => Ok(Some(id)),
        Err(_) => match host::canonical(name.as_bytes()) {
            Some(name) => desired::site_of_hostname(snapshot, &name).await,
            None => Ok(None),
        },
    }
}

/// The site's part of the buckets, which it shares with others of its cells.
async fn credentials(
    snapshot: &mut SnapshotTx,
    site: SiteId,
    problems: &mut Vec<String>,
) -> Result<Vec<Value>, StoreError> {
    let of_site = desired::buckets_of_site(snapshot, site).await?;
    if of_site.more {
        problems
            .push("there are more buckets with credentials of the site than are shown".to_owned());
    }
    let mut resources = Vec::new();
    let read = desired::consumers(snapshot, &of_site.consumers).await?;
    for DesiredConsumers { bucket, mut consumers } in read.buckets {
        consumers.retain(|consumer| consumer.site == site);
        let made = translate::consumers(&DesiredConsumers { bucket, consumers });
        resources.extend(made.resource.iter().map(readable::resource));
        problems.extend(made.left_out.iter().map(ToString::to_string));
    }
    for DesiredBucket { bucket, mut keys } in
        desired::buckets(snapshot, &of_site.credentials).await?
    {
        keys.retain(|record| record.site == site);
        let records = keys.iter().map(|record| {
            json!({
                "id": record.key.to_string(),
                "consumer": record.consumer.to_string(),
                "kind": format!("{:?}", record.kind),
                "plan": record.plan,
                "expires_at_ms": record.expires_at_ms,
                "has_details": record.has_details,
            })
        });
        let records: Vec<_> = records.collect();
        let made = translate::bucket(&DesiredBucket { bucket, keys });
        problems.extend(made.left_out.iter().map(ToString::to_string));
        if let Some(made) = made.resource {
            let mut shown = readable::resource(&made);
            // Packed records are of no use to a person, and digests are better not shown.
            shown["resource"] = json!({ "records": records });
            resources.push(shown);
        }
    }
    Ok(resources)
}
