//! A control plane with so many sites and keys, which the measured Envoys are fed by.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use reqwest::StatusCode;
use stack::Stack;
use stack::build::Artifacts;

use super::seed::{self, Scale, SeededKey, hostname};
use super::tokens::Tokens;
use super::traffic::PATH;

/// What the larger one is compared with.
pub(super) const SMALL: Scale = Scale { sites: 10, keys: 100 };

/// How long an Envoy may take to hear of a million keys, or of a site's routes.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) struct Deployment {
    stack: Stack,
    pub(super) scale: Scale,
    pub(super) keys: Vec<SeededKey>,
}

impl Deployment {
    /// With `tokens`, whose subjects are consumers of its sites; `upstream` serves all sites.
    pub(super) async fn start(
        name: &str,
        artifacts: &Artifacts,
        scale: Scale,
        upstream: SocketAddr,
        tokens: &Tokens,
    ) -> Result<Self> {
        let begun = Instant::now();
        let builder = Stack::builder(name).artifacts(artifacts).own_postgres().envoys(0).without_xds();
        let mut stack = builder.start().await?;
        let mut database = stack.superuser().await?;
        let keys = seed::seed(&mut database, scale, upstream, tokens).await?;
        let seeded = begun.elapsed();
        stack.xds.start().await?;
        let (sites, keys_count) = (scale.sites, scale.keys);
        eprintln!(
            "{sites} sites and {keys_count} keys: in PostgreSQL after {:.1} s, in xds-server after {:.1} s",
            seeded.as_secs_f64(),
            begun.elapsed().as_secs_f64()
        );
        Ok(Self { stack, scale, keys })
    }

    /// The gRPC address of xds-server.
    pub(super) fn xds(&self) -> SocketAddr {
        self.stack.xds_addr
    }

    /// What works for its Envoys: xds-server and PostgreSQL.
    pub(super) fn pids(&self) -> Vec<i32> {
        let postgres = self.stack.postgres.as_ref().and_then(|cluster| cluster.service.pid());
        self.stack.xds.pid().into_iter().chain(postgres).collect()
    }

    /// Asks an Envoy with the first key of each of these sites until it is let in.
    pub(super) async fn wait_until_served(&self, gateway: SocketAddr, sites: &[usize]) -> Result<()> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let begun = Instant::now();
        for site in sites {
            // The keys were dealt out to the sites in turn.
            let Some(key) = self.keys.get(*site) else { continue };
            loop {
                let request = client.get(format!("http://{gateway}{PATH}")).header("host", hostname(*site));
                let answer = request.header("x-api-key", &key.key).send().await;
                let seen = match answer {
                    Ok(answer) if answer.status().is_success() => break,
                    Ok(answer) => answer.status().to_string(),
                    Err(error) => format!("{error:#}"),
                };
                ensure!(begun.elapsed() < PATIENCE, "site {site} is still not served at {gateway}, but: {seen}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        Ok(())
    }

    /// How an Envoy answers to a token.
    pub(super) async fn status_of_token(&self, gateway: SocketAddr, tokens: &Tokens) -> Result<StatusCode> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let host = hostname(seed::site_of_subject(0, self.scale));
        let token = tokens.tokens.first().map(String::as_str).unwrap_or_default();
        let request = client.get(format!("http://{gateway}{PATH}")).header("host", host).bearer_auth(token);
        Ok(request.send().await?.status())
    }

    pub(super) async fn finish(self) -> Result<()> {
        self.stack.finish().await
    }
}
