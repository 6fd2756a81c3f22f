//! `tenantry-xds check`: the reason why an Envoy lacks a change, step by step from the database to
//! the Envoy.

mod facts;
mod findings;
mod replica;

use clap::Args;
use policy::id::SiteId;
use store::lookup;
use store::seal::SecretsKey;
use store::{SnapshotTx, StoreError, desired};

use self::facts::{Facts, SiteFacts};
use self::replica::Replica;
use super::database::Database;
use super::render::site_named;
use crate::translate;

pub use facts::Finding;

/// The flags of `check`.
#[derive(Clone, Debug, Args)]
pub struct Check {
    /// The Envoy, by its `node.id`; all of them unless given.
    #[arg(long, env = "TENANTRY_NODE_ID")]
    pub node_id: Option<String>,
    /// The site whose change is missing: its id, or one of its hostnames.
    #[arg(long)]
    pub site: Option<String>,
    /// The HTTP address of a replica of xds-server, as `http://<host>:<port>`; repeat it, or join
    /// several by commas.
    #[arg(
        long,
        env = "TENANTRY_XDS_HTTP",
        value_delimiter = ',',
        default_value = "http://127.0.0.1:18001"
    )]
    pub xds_http: Vec<String>,
    /// The database.
    #[command(flatten)]
    pub database: Database,
}

/// Looks at everything between the database and the Envoys. The findings are in the order of the
/// way that a change takes.
pub async fn run(check: &Check, secrets_key: Option<SecretsKey>) -> Vec<Finding> {
    // Before the replicas are asked: their state by then is at least this.
    let facts = read(check, secrets_key).await;
    let mut replicas = Vec::with_capacity(check.xds_http.len());
    for url in &check.xds_http {
        replicas.push(Replica::ask(url).await);
    }
    let mut found = Vec::new();
    match &facts {
        Ok(facts) => found.push(findings::database(facts)),
        Err(error) => found.push(findings::no_database(error)),
    }
    let head = facts.as_ref().ok().map(|facts| facts.head);
    found.extend(replicas.iter().map(|replica| findings::replica(replica, head)));
    if let Ok(facts) = &facts {
        found.extend(check.site.as_deref().map(|name| findings::site(name, facts)));
        found.extend(findings::envoys(check.node_id.as_deref(), facts));
    }
    found
}

async fn read(check: &Check, secrets_key: Option<SecretsKey>) -> Result<Facts, StoreError> {
    let reader = check.database.connect(secrets_key).await?;
    let mut snapshot = reader.snapshot().await?;
    let mut facts = Facts {
        head: snapshot.head_seq().await?,
        streams: lookup::streams(&mut snapshot).await?,
        site: None,
    };
    if let Some(name) = &check.site
        && let Some(id) = site_named(&mut snapshot, name).await?
    {
        facts.site = site(&mut snapshot, id).await?;
    }
    Ok(facts)
}

async fn site(snapshot: &mut SnapshotTx, id: SiteId) -> Result<Option<SiteFacts>, StoreError> {
    let Some((_, cells)) = desired::placements(snapshot, &[id]).await?.remove(&id) else {
        return Ok(None);
    };
    let cells = cells.iter().map(ToString::to_string).collect();
    let read = desired::sites(snapshot, &[id]).await?;
    let omitted =
        read.omitted.first().map(|omitted| format!("{:?}: {:?}", omitted.object, omitted.reason));
    let refused = read
        .sites
        .first()
        .and_then(|site| translate::site(site).err())
        .map(|error| error.to_string());
    Ok(Some(SiteFacts {
        cells,
        untranslatable: omitted.or(refused),
        held: lookup::held(snapshot, id).await?,
    }))
}
