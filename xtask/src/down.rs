//! `cargo xtask down`.

use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::up::home::Home;

/// Every part may take 15 seconds to stop.
const STOP_WITHIN: Duration = Duration::from_secs(90);

pub(crate) fn run() -> Result<ExitCode> {
    let home = Home::open()?;
    let Some(holder) = home.running()? else {
        println!("Nothing is running.");
        return Ok(ExitCode::SUCCESS);
    };
    if !holder.is_alive() {
        bail!(
            "{} names a process that is not `up`'s: a test or a copy of this folder holds it?",
            home.lock_file().display()
        );
    }
    kill(Pid::from_raw(holder.pid), Signal::SIGTERM)
        .with_context(|| format!("ending process {}", holder.pid))?;
    let deadline = Instant::now() + STOP_WITHIN;
    while home.running()?.is_some() {
        if Instant::now() > deadline {
            bail!(
                "`up` (process {}) is still there after {STOP_WITHIN:?}: see {}",
                holder.pid,
                home.log().display()
            );
        }
        sleep(Duration::from_millis(50));
    }
    println!("Stopped.");
    Ok(ExitCode::SUCCESS)
}
