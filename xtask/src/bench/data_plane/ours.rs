//! Ours as operators run it: routes, clusters and keys from xds-server. Where Envoy answers itself,
//! the same filter is in a listener of the bench's.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use stack::envoy::Envoy;

use super::deployment::{Deployment, SMALL};
use super::envoys::Sent;
use super::inputs::{BUSY_SITES, Inputs, Requests};
use super::measure::Target;
use super::report::{OURS, OURS_ROUTES, OURS_SMALL, OURS_WITHOUT_LOG};
use super::started::Variants;
use super::traffic::{Load, Request};
use crate::bench::seed::{self, Scale};

/// All variants of ours, each with so many workers.
pub(super) async fn add_all(
    variants: &mut Variants,
    inputs: &Inputs<'_>,
    requests: &Requests,
    without_log: &Sent,
    concurrency: u32,
) -> Result<()> {
    let large = Ours::start(inputs, OURS, inputs.big, inputs.sent, concurrency).await?;
    let title = format!("{}; {} of them in use", named(&inputs.big.scale), SMALL.keys);
    large.add(variants, (OURS, &title), Some(&requests.few), Some(&requests.few));
    large.add_what_else_is_asked(variants, inputs, requests).await?;
    let small = Ours::start(inputs, OURS_SMALL, inputs.small, inputs.sent, concurrency).await?;
    small.add(variants, (OURS_SMALL, &named(&SMALL)), Some(&requests.small), Some(&requests.small));
    small.add_routes(variants, (OURS_ROUTES, SMALL.sites), &requests.decided_few).await?;
    let quiet =
        Ours::start(inputs, OURS_WITHOUT_LOG, inputs.small, without_log, concurrency).await?;
    quiet.add(
        variants,
        (OURS_WITHOUT_LOG, "    the same, without an access log"),
        Some(&requests.small),
        None,
    );
    variants.ours.extend([large.envoy, small.envoy, quiet.envoy]);
    Ok(())
}

fn named(scale: &Scale) -> String {
    format!("ours, {} sites, {} keys", scale.sites, scale.keys)
}

/// An Envoy of ours, which has served a request of each busy site.
struct Ours {
    envoy: Envoy,
    pid: i32,
    /// The processes that feed it.
    others: Vec<i32>,
    direct: SocketAddr,
    decided: SocketAddr,
}

impl Ours {
    async fn start(
        inputs: &Inputs<'_>,
        id: &str,
        deployment: &Deployment,
        sent: &Sent,
        concurrency: u32,
    ) -> Result<Self> {
        let ours = inputs
            .place
            .start_ours(Some(sent), id, deployment.xds(), inputs.module, concurrency)
            .await?;
        let gateway = ours.envoy.settings.gateway;
        Deployment::wait_until_served(gateway, &deployment.one_for_each_site(BUSY_SITES)).await?;
        let pid = ours.envoy.service.pid().context("it runs")?;
        Ok(Self {
            pid,
            others: deployment.pids(),
            direct: ours.direct,
            decided: ours.decided,
            envoy: ours.envoy,
        })
    }

    /// A target in this Envoy; all of them are measured one after the other.
    fn add(
        &self,
        variants: &mut Variants,
        (id, title): (&'static str, &str),
        direct: Option<&Load>,
        routed: Option<&Load>,
    ) {
        let gateway = self.envoy.settings.gateway;
        self.add_at(variants, (id, title), direct, routed.map(|load| (gateway, load)));
    }

    fn add_at(
        &self,
        variants: &mut Variants,
        (id, title): (&'static str, &str),
        direct: Option<&Load>,
        routed: Option<(SocketAddr, &Load)>,
    ) {
        variants.targets.push(Target {
            id,
            title: title.to_owned(),
            envoy: self.pid,
            others: self.others.clone(),
            direct: direct.map(|load| (self.direct, load.clone())),
            upstream: routed.map(|(at, load)| (at, load.clone())),
            remembers: true,
        });
    }

    /// The routes of so many sites alone: what has no tenants' checks in front has to have them as
    /// well.
    async fn add_routes(
        &self,
        variants: &mut Variants,
        (id, sites): (&'static str, usize),
        requests: &Load,
    ) -> Result<()> {
        let decided: Vec<Request> = (0..sites).map(Request::decided).collect();
        Deployment::wait_until_served(self.decided, &decided)
            .await
            .context("routes without the filter")?;
        let title = format!("    without the filter: the routes of {sites} sites alone");
        self.add_at(variants, (id, &title), None, Some((self.decided, requests)));
        Ok(())
    }

    /// Other requests than those that are always the same few.
    async fn add_what_else_is_asked(
        &self,
        variants: &mut Variants,
        inputs: &Inputs<'_>,
        requests: &Requests,
    ) -> Result<()> {
        let title = "    the same, all in use by Zipf's law (0.99)";
        self.add(variants, ("ours_zipf", title), Some(&requests.zipf), None);
        let title = "    the same, worst case: another key each time";
        self.add(variants, ("ours_each", title), Some(&requests.all.in_turn()), None);
        let title = format!("    the same, all keys of {BUSY_SITES} sites in use");
        self.add(variants, ("ours_busy", &title), None, Some(&requests.busy));
        let token = inputs.tokens.tokens.first().map(String::as_str).unwrap_or_default();
        let token = Request::with_token(seed::site_of_subject(0, inputs.big.scale), token);
        let client = reqwest::Client::builder().no_proxy().build()?;
        let status = token.status(&client, self.envoy.settings.gateway).await?;
        if status.is_success() {
            let title = "    the same, tokens cached";
            self.add(variants, ("ours_jwt", title), Some(&requests.tokens), Some(&requests.tokens));
        } else {
            eprintln!("ours with tokens is left out: a token is answered {status}");
        }
        let sites = BUSY_SITES.min(inputs.big.scale.sites);
        self.add_routes(variants, ("ours_busy_routes", sites), &requests.decided).await
    }
}
