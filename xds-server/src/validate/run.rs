//! One run of `envoy --mode validate`.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use thiserror::Error;
use tokio::process::Command;

use super::bootstrap;
use crate::resource::{Resource, ResourceType};

/// The longest time for a validation. One of a site takes some hundred milliseconds.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The part that is kept of Envoy's output: reasons name a field and quote a value, which may be
/// long.
const MAX_REASON_CHARS: usize = 1_000;
/// The signals with which a program ends that has met its own error: abort, bus error, illegal
/// instruction, division, segmentation.
const CRASHES: [i32; 5] = [4, 6, 7, 8, 11];
/// The text before Envoy's own reason in its log.
const BEFORE_REASON: &str = "error initializing configuration";

/// An Envoy to ask.
#[derive(Clone, Debug)]
pub struct Envoy {
    program: PathBuf,
}

/// The outcome of a validation that found resources wanting, or did not take place.
#[derive(Debug, Error)]
pub enum ValidateError {
    /// Envoy refuses them.
    #[error("Envoy refuses it: {reason}")]
    Refused {
        /// Envoy's reason.
        reason: String,
    },
    /// Envoy crashes on them.
    #[error("Envoy crashes on it, with signal {signal}")]
    Crashed {
        /// The signal.
        signal: i32,
    },
    /// A resource is not what its type says.
    #[error("it is not of its type")]
    Decode(#[from] prost::DecodeError),
    /// Envoy could not be run. That says nothing about the resources.
    #[error("Envoy cannot be run")]
    Run(#[from] io::Error),
    /// Envoy took too long. That says nothing about the resources.
    #[error("Envoy took longer than {TIMEOUT:?}")]
    Timeout,
}

impl Envoy {
    /// The Envoy at this path.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into() }
    }

    /// Makes sure that there is an Envoy that takes an empty bootstrap.
    ///
    /// # Errors
    /// [`ValidateError`]; all of them are about the Envoy.
    pub async fn check(&self) -> Result<(), ValidateError> {
        self.validate([]).await
    }

    /// Asks whether it takes these resources.
    ///
    /// # Errors
    /// [`ValidateError`]; `Run` and `Timeout` are not about the resources.
    pub async fn validate<'a>(
        &self,
        resources: impl IntoIterator<Item = (ResourceType, &'a Resource)>,
    ) -> Result<(), ValidateError> {
        let file =
            tempfile::Builder::new().prefix("tenantry-validate-").suffix(".pb").tempfile()?;
        tokio::fs::write(file.path(), bootstrap(resources)?).await?;
        let run = Command::new(&self.program)
            .args([
                "--mode",
                "validate",
                "--concurrency",
                "1",
                "--disable-hot-restart",
                "--log-level",
                "critical",
            ])
            .arg("--config-path")
            .arg(file.path())
            // The secrets of this program are in its environment.
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output =
            tokio::time::timeout(TIMEOUT, run).await.map_err(|_| ValidateError::Timeout)??;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stderr, output.stdout].concat();
        let said = String::from_utf8_lossy(&said);
        match (reason(&said), output.status.signal()) {
            (Some(reason), _) => Err(ValidateError::Refused { reason }),
            (None, Some(signal)) if CRASHES.contains(&signal) => {
                Err(ValidateError::Crashed { signal })
            }
            // It was killed, or it could not read its file.
            (None, _) => {
                Err(io::Error::other(format!("{}: {}", output.status, shortened(&said))).into())
            }
        }
    }
}

/// Envoy's reason, out of all that it wrote, if it came to look at the resources.
fn reason(said: &str) -> Option<String> {
    let found = said.find(BEFORE_REASON).and_then(|at| said.get(at..))?;
    // The path of the file, in quotation marks, is of no use to a reader.
    Some(shortened(found.split_once("': ").map_or(found, |(_, reason)| reason)))
}

fn shortened(said: &str) -> String {
    said.trim().chars().take(MAX_REASON_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_what_follows_the_name_of_the_file() {
        let said =
            "[x] noise\nerror initializing configuration '/tmp/x.pb': Protobuf message: no\nmore\n";
        assert_eq!(reason(said).as_deref(), Some("Protobuf message: no\nmore"));
        assert_eq!(reason("killed"), None, "that says nothing of the resources");
    }
}
