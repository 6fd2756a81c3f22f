//! The log: one JSON object a line on standard error, and a line for each panic.

use std::str::FromStr;

use clap::Args;
use tracing_subscriber::EnvFilter;

/// The `--log` flag. Flatten it into the program's command line.
#[derive(Clone, Debug, Args)]
pub struct LogFlags {
    /// The log lines to write to standard error, as in `info` or `store=debug,info`.
    #[arg(long, env = "TENANTRY_LOG", default_value = "info", global = true)]
    pub log: LogFilter,
}

/// A filter of log lines that [`EnvFilter`] can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(String);

impl FromStr for LogFilter {
    type Err = tracing_subscriber::filter::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        EnvFilter::try_new(text)?;
        Ok(Self(text.to_owned()))
    }
}

impl LogFilter {
    fn filter(&self) -> EnvFilter {
        EnvFilter::new(&self.0)
    }
}

/// Starts the log, and logs panics from now on. Call it once, first of all.
///
/// # Panics
/// When the process has a log already.
pub fn install(filter: &LogFilter) {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_env_filter(filter.filter())
        .with_writer(std::io::stderr)
        .init();
    log_panics();
}

/// Logs each panic with its place, in the place of the text that Rust prints.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, message = panic.payload_as_str().unwrap_or_default(), "panic");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_read_is_refused() {
        assert!("store=debug,info".parse::<LogFilter>().is_ok());
        assert!("store=loud".parse::<LogFilter>().is_err());
    }
}
