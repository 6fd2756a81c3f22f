//! The switch: traces are on if there is a collector to send them to.

use std::env;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Key, Value};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use thiserror::Error;
use tokio::sync::oneshot;
use tracing::level_filters::LevelFilter;
use tracing::{Level, warn};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use super::exporter::CountingExporter;
use crate::jobs;

const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"];
const PROTOCOL: &str = "http/protobuf";
const DISABLED: &str = "OTEL_SDK_DISABLED";

/// The name of the resource's attribute with the service's name, and the SDK's value for it when
/// the environment names none.
const SERVICE_NAME: &str = "service.name";
const UNKNOWN_SERVICE: &str = "unknown_service";

/// The queue of 2,048 spans is flushed in batches of 512.
const BATCHES: usize = 4;

/// Spans of these targets are not traced: a job's span lasts as long as the program, and the
/// exporter must not trace itself.
const UNTRACED: [&str; 5] = [jobs::SPAN_TARGET, "opentelemetry", "hyper", "reqwest", "h2"];

/// The reason for which traces cannot be exported, though an endpoint is set.
#[derive(Debug, Error)]
pub enum TraceError {
    /// The exporter cannot be built, as for an endpoint that is no URL.
    #[error("traces cannot be exported to the OTLP endpoint that the environment names")]
    Exporter(#[source] ExporterBuildError),
    /// The environment asks for a transport that the program does not have.
    #[error("{variable}={value}: traces are exported by {PROTOCOL} only")]
    Protocol {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
    },
}

/// The export of traces. By default it is off.
#[derive(Debug, Default)]
pub struct Traces(Option<SdkTracerProvider>);

type TracesLayer<S> = Box<dyn Layer<S> + Send + Sync>;

impl Traces {
    /// Starts to export traces if the environment names an endpoint. `program` is the service's
    /// name, unless the environment has another.
    pub(crate) fn from_env(program: &'static str) -> Result<Self, TraceError> {
        let is_set = |name: &&str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let disabled = env::var(DISABLED).is_ok_and(|value| value.eq_ignore_ascii_case("true"));
        if disabled || !ENDPOINTS.iter().any(is_set) {
            return Ok(Self(None));
        }
        for variable in PROTOCOLS {
            match env::var(variable) {
                Ok(value) if !value.is_empty() && value != PROTOCOL => {
                    return Err(TraceError::Protocol { variable, value });
                }
                _ => {}
            }
        }
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .build()
            .map_err(TraceError::Exporter)?;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource(program))
            .with_batch_exporter(CountingExporter::new(exporter))
            .build();
        Ok(Self(Some(provider)))
    }

    /// Returns the layer that makes spans of `tracing` into spans of traces; `None` when traces are
    /// off, so that they cost nothing.
    pub(crate) fn layer<S>(&self) -> Option<TracesLayer<S>>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let tracer = self.0.as_ref()?.tracer("tenantry");
        let layer = OpenTelemetryLayer::new(tracer)
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_error_events_to_status(true);
        let traced = filter_fn(|metadata| {
            let target = metadata.target();
            *metadata.level() <= Level::INFO
                && !UNTRACED.iter().any(|untraced| target.starts_with(untraced))
        });
        Some(layer.with_filter(traced.with_max_level_hint(LevelFilter::INFO)).boxed())
    }

    /// Exports the spans that wait, for `grace` at most, and ends the export. Spans that end later
    /// are lost.
    pub async fn shut_down(self, grace: Duration) {
        let Some(provider) = self.0 else { return };
        let (done, ended) = oneshot::channel();
        // A thread of its own: the SDK blocks, and a blocking task of the runtime would keep the
        // program from ending for as long as a collector does not answer.
        std::thread::spawn(move || {
            for _ in 0..BATCHES {
                let _ = provider.force_flush();
            }
            let _ = done.send(provider.shutdown());
        });
        if tokio::time::timeout(grace, ended).await.is_err() {
            warn!(
                grace_ms = grace.as_millis(),
                "the collector did not take the last spans in time"
            );
        }
    }
}

fn resource(program: &'static str) -> Resource {
    let found = Resource::builder().build();
    if found.get(&Key::new(SERVICE_NAME)) != Some(Value::from(UNKNOWN_SERVICE)) {
        return found;
    }
    Resource::builder().with_service_name(program).build()
}
