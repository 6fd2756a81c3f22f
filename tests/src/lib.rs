//! The vocabulary of the end-to-end tests: tenants with sites, keys and APIs ([`tenant`]), requests
//! through the gateway ([`gateway`]), requests byte by byte ([`raw`]), load ([`load`]), the state
//! of Envoys ([`recorder`]), and published API descriptions ([`openapi`]).

pub mod certificates;
pub mod collector;
pub mod contract;
pub mod gateway;
pub mod jwks;
pub mod load;
pub mod openapi;
pub mod raw;
pub mod recorder;
pub mod tenant;

use std::{
    future::Future,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::Value;
use stack::{Stack, echo::Echo, ports, testing::Builder};

use crate::{
    gateway::{Answer, Gateway},
    tenant::{Key, Site, Tenant, Version},
};

/// The time that an eventual state may take before a test fails: far more than it ever should, for
/// busy machines.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Starts a stack.
///
/// # Panics
/// Panics if a part does not start.
pub async fn start(builder: Builder) -> Stack {
    builder.start().await.unwrap_or_else(|error| panic!("{error:?}"))
}

/// The start of most tests: a tenant with a site that serves `GET /things/v1/{id}`, and a key that
/// works on every Envoy.
pub struct Things {
    pub stack: Stack,
    pub upstream: Echo,
    pub tenant: Tenant,
    pub site: Site,
    pub version: Version,
    pub key: Key,
    pub gateways: Vec<Gateway>,
}

/// A path that the site of [`Things`] serves.
pub const THING: &str = "/things/v1/1";

impl Things {
    /// Starts a stack, and publishes the site.
    pub async fn start(builder: Builder) -> Self {
        let stack = start(builder).await;
        let upstream = echo("things");
        let tenant = Tenant::create(&stack.api, "Acme").await;
        let site = tenant.site("acme").await;
        let version = site.serve_things(upstream.addr).await;
        let key = site.key("app").await;
        let gateways = gateways(&stack);
        settled(&gateways, &site.hostname, THING, &key.text, 200).await;
        caught_up(&stack).await;
        Self { stack, upstream, tenant, site, version, key, gateways }
    }

    /// A GET at the first Envoy, with the site's key.
    pub async fn get(&self, path: &str) -> Answer {
        self.gateways[0].get(&self.site.hostname, path, &self.key.text).await
    }

    /// A GET of [`THING`] at the first Envoy, with this key.
    pub async fn get_with(&self, key: &str) -> Answer {
        self.gateways[0].get(&self.site.hostname, THING, key).await
    }

    /// A request at the first Envoy with these headers, and no others.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.gateways[0].send(method, &self.site.hostname, path, headers).await
    }

    /// Waits until a GET with this key has this status on every Envoy.
    pub async fn settled(&self, path: &str, key: &Key, status: u16) {
        settled(&self.gateways, &self.site.hostname, path, &key.text, status).await;
    }
}

/// Stops a stack.
///
/// # Panics
/// Panics if an Envoy has logged a complaint.
pub async fn finish(stack: Stack) {
    stack.finish().await.unwrap_or_else(|error| panic!("{error:?}"));
}

/// An echo upstream on a free port.
///
/// # Panics
/// Panics if it does not start.
pub fn echo(name: &str) -> Echo {
    Echo::start(name, ports::loopback(0)).unwrap_or_else(|error| panic!("{error:?}"))
}

/// The gateways of a stack.
pub fn gateways(stack: &Stack) -> Vec<Gateway> {
    stack.envoys.iter().map(|envoy| Gateway::new(envoy.settings.gateway)).collect()
}

/// Waits until the control plane knows that all Envoys of a stack have everything that was changed
/// so far. One request shows less: changes of keys are sent at once, those of a site wait for
/// others, and receipts are written after both.
///
/// # Panics
/// Panics if the admin API does not answer.
pub async fn caught_up(stack: &Stack) {
    let envoys = || async {
        stack.api.get("/v1/operator/envoys").await.unwrap_or_else(|error| panic!("{error}"))
    };
    let count = stack.envoys.iter().filter(|envoy| envoy.service.is_running()).count();
    eventually("every Envoy has everything", envoys, |listed: &Value| {
        let (head, items) = (listed["head_seq"].as_i64(), listed["items"].as_array());
        items.is_some_and(|items| {
            items.len() == count && items.iter().all(|envoy| envoy["acked_seq"].as_i64() >= head)
        })
    })
    .await;
}

/// Asks again and again until the expected answer comes.
///
/// # Panics
/// Panics with the last answer if it is still another one after [`PATIENCE`].
pub async fn eventually<T, F>(
    what: &str,
    mut ask: impl FnMut() -> F,
    expected: impl Fn(&T) -> bool,
) -> T
where
    T: std::fmt::Debug,
    F: Future<Output = T>,
{
    let started = Instant::now();
    loop {
        let answer = ask().await;
        if expected(&answer) {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "{what}: still {answer:?} after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until a GET with this key has this status on all of these gateways.
pub async fn settled(gateways: &[Gateway], host: &str, path: &str, key: &str, status: u16) {
    for gateway in gateways {
        let what = format!("{host}{path} at {} should be {status}", gateway.address());
        eventually(
            &what,
            || gateway.get(host, path, key),
            |answer: &Answer| answer.status == status,
        )
        .await;
    }
}
