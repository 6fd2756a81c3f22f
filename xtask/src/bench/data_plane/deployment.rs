//! A control plane with so many sites and keys, which the measured Envoys are fed by.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use stack::Stack;
use stack::build::Artifacts;

use super::traffic::Request;
use crate::bench::seed::{self, Scale, SeededKey};
use crate::bench::tokens::Tokens;

/// The small deployment, with which the larger one is compared.
pub(super) const SMALL: Scale = Scale { sites: 10, keys: 100 };

/// An Envoy has this much time to hear of a million keys, or of a site's routes.
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
        let builder =
            Stack::builder(name).artifacts(artifacts).own_postgres().envoys(0).without_xds();
        let mut stack = builder.start().await?;
        let mut database = stack.superuser().await?;
        let keys = seed::seed(&mut database, scale, upstream, tokens).await?;
        let seeded = begun.elapsed();
        // A million keys take longer to load than a service is usually waited for.
        if stack.xds.start().await.is_err() {
            stack.xds.wait_ready().await?;
        }
        let (sites, keys_count) = (scale.sites, scale.keys);
        eprintln!(
            "{sites} sites and {keys_count} keys: in PostgreSQL after {:.1} s, in xds-server after \
             {:.1} s",
            seeded.as_secs_f64(),
            begun.elapsed().as_secs_f64()
        );
        Ok(Self { stack, scale, keys })
    }

    /// The gRPC address of xds-server.
    pub(super) fn xds(&self) -> SocketAddr {
        self.stack.xds_addr
    }

    /// Returns the processes that work for its Envoys: xds-server and PostgreSQL.
    pub(super) fn pids(&self) -> Vec<i32> {
        let postgres = self.stack.postgres.as_ref().and_then(|cluster| cluster.service.pid());
        self.stack.xds.pid().into_iter().chain(postgres).collect()
    }

    /// Asks an Envoy until it lets each of these requests in.
    pub(super) async fn wait_until_served(gateway: SocketAddr, requests: &[Request]) -> Result<()> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let begun = Instant::now();
        for request in requests {
            loop {
                let seen = match request.status(&client, gateway).await {
                    Ok(status) if status.is_success() => break,
                    Ok(status) => status.to_string(),
                    Err(error) => format!("{error:#}"),
                };
                ensure!(
                    begun.elapsed() < PATIENCE,
                    "{} is still not served at {gateway}, but: {seen}",
                    request.host
                );
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        Ok(())
    }

    /// A request for each of the first sites, with one of its keys: the keys were dealt out to the
    /// sites in turn.
    pub(super) fn one_for_each_site(&self, sites: usize) -> Vec<Request> {
        self.keys.iter().take(sites.min(self.scale.sites)).map(Request::with_key).collect()
    }

    pub(super) async fn finish(self) -> Result<()> {
        self.stack.finish().await
    }
}
