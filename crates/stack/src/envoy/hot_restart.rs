//! An Envoy that hands its sockets over to a successor, so that nobody who connects meanwhile is
//! refused.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::{Instant, sleep};

use super::Envoy;

/// The flag of an Envoy that has no successor.
pub(super) const NO_SUCCESSOR: &str = "--disable-hot-restart";
/// The first Envoy takes a number that no other has on this machine, and writes it down.
const FIRST: &str = "--use-dynamic-base-id";

/// A successor has this much time until it serves, and its predecessor then until it has ended.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(25);

impl Envoy {
    /// Lets this Envoy have successors. To be said before it is started.
    pub fn allow_hot_restart(&mut self) {
        let file = self.base_id_file();
        let args = &mut self.service.launch.args;
        args.retain(|arg| arg != NO_SUCCESSOR);
        args.extend([FIRST.into(), "--base-id-path".into(), file.into_os_string()]);
    }

    /// Starts a successor, and waits until it serves and this one has ended.
    ///
    /// # Errors
    /// If the successor does not come up, or this one does not end.
    pub async fn hot_restart(&mut self) -> Result<()> {
        let epoch = self.epoch().await.context("an Envoy has to run that hands over")? + 1;
        let file = self.base_id_file();
        let base_id =
            fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let mut launch = self.service.launch.clone();
        let first = launch.args.iter().position(|arg| arg == FIRST);
        launch.args.truncate(first.context("say Envoy::allow_hot_restart before the start")?);
        let epoch_arg: OsString = epoch.to_string().into();
        launch.args.extend([
            "--base-id".into(),
            base_id.trim().into(),
            "--restart-epoch".into(),
            epoch_arg,
        ]);
        let predecessor = self.service.succeed(&launch)?;
        let deadline = Instant::now() + PATIENCE;
        // The predecessor answers on the same address until the successor takes it over.
        while self.epoch().await.ok() != Some(epoch) || self.service.wait_ready().await.is_err() {
            ensure!(
                Instant::now() < deadline,
                "the successor does not serve\n{}",
                self.service.tail()
            );
            sleep(POLL).await;
        }
        if let Some(predecessor) = predecessor {
            let ended = tokio::time::timeout(PATIENCE, predecessor.wait()).await;
            ensure!(
                ended.is_ok_and(|status| status.success()),
                "the predecessor goes on\n{}",
                self.service.tail()
            );
        }
        Ok(())
    }

    /// The number of the Envoy that answers, counted from the first one.
    async fn epoch(&self) -> Result<u64> {
        let info: serde_json::Value = self.get("/server_info").await?.json().await?;
        info["command_line_options"]["restart_epoch"]
            .as_u64()
            .context("/server_info has no restart_epoch")
    }

    fn base_id_file(&self) -> PathBuf {
        self.service.launch.log.with_extension("base-id")
    }
}
