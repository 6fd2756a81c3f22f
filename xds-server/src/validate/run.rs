//! One run of `envoy --mode validate`.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use thiserror::Error;
use tokio::process::Command;

use super::bootstrap;
use crate::resource::{Resource, ResourceType};

/// How long a validation may take. One of a site takes some hundred milliseconds.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How much is kept of what Envoy says: reasons name a field and quote a value, which may be long.
const MAX_REASON_CHARS: usize = 1_000;
/// What Envoy's own reason follows in its log.
const BEFORE_REASON: &str = "error initializing configuration";

/// An Envoy to ask.
#[derive(Clone, Debug)]
pub struct Envoy {
    program: PathBuf,
}

/// What came of a validation that found resources wanting, or did not take place.
#[derive(Debug, Error)]
pub enum ValidateError {
    /// Envoy refuses them.
    #[error("Envoy refuses it: {reason}")]
    Refused {
        /// What Envoy says.
        reason: String,
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

    /// Asks whether it takes these resources.
    ///
    /// # Errors
    /// [`ValidateError`]; only `Refused` and `Decode` are about the resources.
    pub async fn validate<'a>(
        &self,
        resources: impl IntoIterator<Item = (ResourceType, &'a Resource)>,
    ) -> Result<(), ValidateError> {
        let file = tempfile::Builder::new().prefix("tenantry-validate-").suffix(".pb").tempfile()?;
        tokio::fs::write(file.path(), bootstrap(resources)?).await?;
        let run = Command::new(&self.program)
            .args(["--mode", "validate", "--concurrency", "1", "--disable-hot-restart", "--log-level", "critical"])
            .arg("--config-path")
            .arg(file.path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(TIMEOUT, run).await.map_err(|_| ValidateError::Timeout)??;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stderr, output.stdout].concat();
        Err(ValidateError::Refused { reason: reason(&String::from_utf8_lossy(&said)) })
    }
}

/// Envoy's reason, out of all that it wrote.
fn reason(said: &str) -> String {
    let found = said.find(BEFORE_REASON).and_then(|at| said.get(at..));
    // The path of the file, in quotation marks, says nothing to anybody.
    let text = found.and_then(|text| Some(text.split_once("': ")?.1)).or(found).unwrap_or(said);
    text.trim().chars().take(MAX_REASON_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_what_follows_the_name_of_the_file() {
        let said = "[x] noise\nerror initializing configuration '/tmp/x.pb': Protobuf message: no\nmore\n";
        assert_eq!(reason(said), "Protobuf message: no\nmore");
        assert_eq!(reason("killed"), "killed");
    }
}
