//! The demo: two tenants that publish the same API on upstreams of their own.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use stack::admin_api::AdminApi;
use stack::provision::{Published, SiteSpec, publish};
use stack::secret;

use crate::up::ports::Ports;

/// From the last answer of the admin API to the first 200 at the gateway; it takes well under a
/// second.
const SERVED_WITHIN: Duration = Duration::from_secs(60);

/// Finds or makes both tenants. `kept` remembers them between runs, because a key is shown only
/// once.
pub(super) async fn provision(
    api: &AdminApi,
    ports: &Ports,
    kept: &Path,
) -> Result<Vec<Published>> {
    let before: Vec<Published> = match fs::read(kept) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).with_context(|| format!("reading {}", kept.display()))?
        }
        Err(_) => Vec::new(),
    };
    let [acme, globex] = ports.upstreams;
    let mut now = Vec::new();
    for spec in [SiteSpec::shop("Acme", "acme", acme), SiteSpec::shop("Globex", "globex", globex)] {
        let published = publish(api, &spec, before.get(now.len())).await;
        now.push(
            published.with_context(|| format!("provisioning the demo tenant {}", spec.tenant))?,
        );
        // After each tenant: a key that was made and not remembered would be lost.
        let merged: Vec<&Published> = now.iter().chain(before.iter().skip(now.len())).collect();
        secret::write_private(kept, &serde_json::to_vec_pretty(&merged)?)?;
    }
    Ok(now)
}

/// Asks for each tenant's path with its key until both are answered 200.
pub(super) async fn wait_until_served(ports: &Ports, demo: &[Published]) -> Result<()> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
    let start = Instant::now();
    for site in demo {
        let url = format!("http://{}{}", ports.gateway, site.path);
        loop {
            let answer = client
                .get(&url)
                .header("host", &site.hostname)
                .bearer_auth(&site.api_key)
                .send()
                .await;
            let seen = match answer {
                Ok(response) if response.status().is_success() => break,
                Ok(response) => {
                    format!("{} {}", response.status(), response.text().await.unwrap_or_default())
                }
                Err(error) => error.to_string(),
            };
            ensure!(
                start.elapsed() < SERVED_WITHIN,
                "{url} for {} is answered: {seen}",
                site.hostname
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}
