//! A cold start: PostgreSQL is there and full, everything else is started at the same moment.

use std::fmt;
use std::time::Instant;

use anyhow::{Result, ensure};
use futures::future;
use serde::Serialize;

use super::world::{ENVOYS, Memory, PATIENCE, World};

#[derive(Debug, Clone, Serialize)]
pub(super) struct ColdStart {
    /// From the start to the moment when xds-server says that it is ready.
    pub(super) xds_server_ready_s: f64,
    /// From the start to the moment when each of the Envoys lets a key in and has an answer from
    /// the upstream.
    pub(super) envoy_serving_s: Vec<f64>,
    pub(super) memory: Memory,
}

impl ColdStart {
    /// Until all serve.
    pub(super) fn together_s(&self) -> f64 {
        self.envoy_serving_s.iter().copied().fold(self.xds_server_ready_s, f64::max)
    }
}

/// Starts xds-server and the Envoys.
pub(super) async fn measure(world: &mut World) -> Result<ColdStart> {
    let start = Instant::now();
    world.stack.xds.launch()?;
    for envoy in &mut world.stack.envoys {
        envoy.service.launch()?;
    }
    let world = &*world;
    let serving = future::try_join_all((0..ENVOYS).map(async |envoy| {
        world.wait_until_served(envoy, 0).await?;
        anyhow::Ok(start.elapsed().as_secs_f64())
    }));
    let (xds_server_ready_s, envoy_serving_s) =
        future::try_join(ready(world, start), serving).await?;
    Ok(ColdStart { xds_server_ready_s, envoy_serving_s, memory: world.memory()? })
}

/// Waits for longer than a service is usually waited for.
async fn ready(world: &World, start: Instant) -> Result<f64> {
    loop {
        let Err(error) = world.stack.xds.wait_ready().await else {
            return Ok(start.elapsed().as_secs_f64());
        };
        ensure!(
            world.stack.xds.is_running() && start.elapsed() < PATIENCE,
            error.context("xds-server does not become ready")
        );
    }
}

impl fmt::Display for ColdStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let serving: Vec<String> =
            self.envoy_serving_s.iter().map(|seconds| format!("{seconds:.2}")).collect();
        let (ready, serving) = (self.xds_server_ready_s, serving.join(" and "));
        write!(
            f,
            "xds-server is ready after {ready:.2} s, the Envoys serve after {serving} s; RSS: {}",
            self.memory
        )
    }
}
