//! A part that runs on until it is told to stop: a [`Launch`] that can be started, proven ready,
//! stopped, killed and started again.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use nix::sys::signal::Signal;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::time::sleep;

use crate::process::{self, Launch, Process};

/// The pause between two questions to a part that is starting.
const POLL: Duration = Duration::from_millis(25);

/// The pause before a part that cannot start yet is started again, and the number of attempts.
const RETRY_PAUSE: Duration = Duration::from_millis(250);
const RETRIES: u32 = 240;

/// One probe may take this long.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// The sign by which a part shows that it is ready.
#[derive(Debug, Clone)]
pub enum Ready {
    /// A GET of this URL answers 2xx.
    Http(String),
    /// This login gets in.
    Postgres(Box<PgConnectOptions>),
}

impl Ready {
    async fn probe(&self) -> Result<()> {
        match self {
            Ready::Http(url) => {
                let client =
                    reqwest::Client::builder().no_proxy().timeout(PROBE_TIMEOUT).build()?;
                client.get(url).send().await?.error_for_status()?;
            }
            Ready::Postgres(options) => {
                tokio::time::timeout(PROBE_TIMEOUT, options.connect()).await??.close().await?;
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
pub struct Service {
    /// The name in messages: `PostgreSQL`, `tenantry-admin`, `tenantry-xds`, `Envoy`.
    pub name: String,
    pub launch: Launch,
    /// The sign that it is ready.
    pub ready: Ready,
    /// The time that it has from start to ready.
    start_within: Duration,
    /// The time that it has from the signal to its end, before it is killed.
    stop_within: Duration,
    /// Text in its log if it ends because it cannot start yet.
    not_yet: Option<&'static str>,
    process: Option<Process>,
}

impl Service {
    pub fn new(name: impl Into<String>, launch: Launch, ready: Ready) -> Service {
        Service {
            name: name.into(),
            launch,
            ready,
            start_within: Duration::from_secs(60),
            stop_within: Duration::from_secs(15),
            not_yet: None,
            process: None,
        }
    }

    /// One that is started again if it ends and its log has this in its last lines.
    pub fn that_may_say(mut self, not_yet: &'static str) -> Service {
        self.not_yet = Some(not_yet);
        self
    }

    /// Starts it and waits until it is ready.
    pub async fn start(&mut self) -> Result<()> {
        let mut retries = RETRIES;
        loop {
            self.launch()?;
            let outcome = self.wait_ready().await;
            let not_yet = self.exited().is_some()
                && self.not_yet.is_some_and(|text| self.tail().contains(text));
            if outcome.is_ok() || !not_yet || retries == 0 {
                return outcome;
            }
            retries -= 1;
            sleep(RETRY_PAUSE).await;
        }
    }

    /// Starts it without waiting, for a part that is meant to wait for another.
    pub fn launch(&mut self) -> Result<()> {
        self.process = None;
        self.process = Some(self.launch.start()?);
        Ok(())
    }

    pub async fn wait_ready(&self) -> Result<()> {
        let process =
            self.process.as_ref().ok_or_else(|| anyhow!("{} has not been started", self.name))?;
        let deadline = Instant::now() + self.start_within;
        loop {
            if let Some(status) = process.exited() {
                return Err(anyhow!(
                    "{} ended with {status} while starting\n{}",
                    self.name,
                    self.tail()
                ));
            }
            let Err(reason) = self.ready.probe().await else { return Ok(()) };
            if Instant::now() > deadline {
                let waited = self.start_within;
                return Err(reason.context(format!(
                    "{} is not ready after {waited:?}\n{}",
                    self.name,
                    self.tail()
                )));
            }
            sleep(POLL).await;
        }
    }

    pub fn is_running(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.exited().is_none())
    }

    /// Its exit status; `None` while it runs, or if it was never started.
    pub fn exited(&self) -> Option<ExitStatus> {
        self.process.as_ref()?.exited()
    }

    pub fn pid(&self) -> Option<i32> {
        self.process.as_ref().map(|process| process.pid().as_raw())
    }

    /// Waits for its end; forever, if it was never started.
    pub async fn ended(&self) -> ExitStatus {
        match &self.process {
            Some(process) => process.wait().await,
            None => std::future::pending().await,
        }
    }

    pub async fn stop(&mut self) -> Result<()> {
        if let Some(process) = self.process.take() {
            process.stop(self.stop_within).await?;
        }
        Ok(())
    }

    /// Starts another process beside the one that there is, which is handed out.
    pub fn succeed(&mut self, launch: &Launch) -> Result<Option<Process>> {
        let successor = launch.start()?;
        Ok(self.process.replace(successor))
    }

    /// Takes all time from it, as a machine does that swaps or a network that drops what it is
    /// sent: its connections stay open.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Ends a pause.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let process =
            self.process.as_ref().ok_or_else(|| anyhow!("{} has not been started", self.name))?;
        process.signal(signal)
    }

    /// `kill -9`.
    pub async fn kill(&mut self) -> Result<()> {
        if let Some(process) = self.process.take() {
            process.kill().await?;
        }
        Ok(())
    }

    pub fn tail(&self) -> String {
        process::tail(&self.launch.log)
    }
}
