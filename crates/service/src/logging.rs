//! The log: one JSON object a line on standard error, and a line for each panic.

use std::str::FromStr;

use clap::Args;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::traces::{self, TraceError, Traces};

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
    /// Returns the filter, without the spans and events that are in traces alone.
    fn filter(&self) -> EnvFilter {
        EnvFilter::new(format!("{},{}=off", self.0, traces::ONLY))
    }
}

/// Starts the log, logs panics from now on, and starts to export traces if the environment names a
/// collector ([`crate::traces`]). `program` is the name of the service in traces. Call it once,
/// first of all.
///
/// # Errors
/// Fails when the environment asks for traces in a way that the program cannot export them.
///
/// # Panics
/// Fails when the process has a log already.
pub fn install(filter: &LogFilter, program: &'static str) -> Result<Traces, TraceError> {
    let traces = Traces::from_env(program)?;
    let log = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_writer(std::io::stderr)
        .with_filter(filter.filter());
    let registry = tracing_subscriber::registry().with(log);
    match traces.layer() {
        None => registry.init(),
        Some(layer) => registry.with(layer).init(),
    }
    log_panics();
    Ok(traces)
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
