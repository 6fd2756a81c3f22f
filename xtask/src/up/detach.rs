//! `up --detach`: the same in a background process, awaited until it serves.

use std::fs::{self, File};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::Command;
use tokio::time::sleep;

use crate::up::home::Home;
use crate::up::ports::Ports;
use crate::up::screen::{Screen, UpJson};
use crate::up::{Tools, end_signal};

pub(super) async fn run(
    home: &Home,
    ports: &Ports,
    tools: &Tools,
    port_base: u16,
) -> Result<ExitCode> {
    let _ = fs::remove_file(home.up_json());
    let log =
        File::create(home.log()).with_context(|| format!("creating {}", home.log().display()))?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(["up", "--supervised", "--port-base", &port_base.to_string()])
        .env("TENANTRY_BIN_DIR", &tools.artifacts.bin_dir)
        .env("TENANTRY_WASM", &tools.artifacts.wasm)
        .env("ENVOY_BIN", &tools.envoy)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("starting the background process")?;
    eprintln!("Starting in the background; its output is in {}", home.log().display());
    let up = tokio::select! {
        up = up_json(home) => up?,
        status = child.wait() => bail!("`up` ended with \
         {}\n{}", status?, stack::process::tail(&home.log())),
        signal = end_signal() => {
            signal?;
            // It stops its parts in order when it is asked to end.
            if let Some(pid) = child.id() {
                let pid = nix::unistd::Pid::from_raw(i32::try_from(pid)?);
                nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)?;
                child.wait().await?;
            }
            bail!("interrupted");
        }
    };
    print!("{}", Screen { up: &up, ports, home, detached: true });
    Ok(ExitCode::SUCCESS)
}

async fn up_json(home: &Home) -> Result<UpJson> {
    loop {
        if let Ok(bytes) = fs::read(home.up_json()) {
            return Ok(serde_json::from_slice(&bytes)?);
        }
        sleep(Duration::from_millis(50)).await;
    }
}
