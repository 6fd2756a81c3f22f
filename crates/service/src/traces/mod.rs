//! Traces, exported by OTLP over HTTP when an endpoint is set.
//!
//! Every span of `tracing` at INFO or above is a span of a trace, and every log line in it is an
//! event of the span. Spans and events whose target is [`ONLY`] are in traces and not in the log:
//! the log names one span a line, and that is the request's. The programs are configured as the
//! OpenTelemetry specification has it ("Environment Variable Specification", "OTLP Exporter
//! Configuration"):
//!
//! | variable | meaning |
//! |---|---|
//! | `OTEL_EXPORTER_OTLP_ENDPOINT` | the collector (`http://localhost:4318`); without it, none |
//! | `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` | the same for traces alone, with the path |
//! | `OTEL_EXPORTER_OTLP_HEADERS` | headers of each export, such as `authorization=Bearer%20...` |
//! | `OTEL_EXPORTER_OTLP_TIMEOUT` | the time for one export, in milliseconds |
//! | `OTEL_SERVICE_NAME` | the name of the service; the program's name without it |
//! | `OTEL_RESOURCE_ATTRIBUTES` | attributes of every span, such as `deployment.environment=prod` |
//! | `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG` | the traces to record; all without it |
//! | `OTEL_BSP_*` | the queue between the program and the exporter |
//! | `OTEL_SDK_DISABLED` | `true` switches traces off |
//!
//! The transport is HTTP with protobuf, by default on port 4318. Another value than `http/protobuf`
//! of `OTEL_EXPORTER_OTLP_PROTOCOL` ends the start with an error.
//!
//! A collector that is away costs spans and nothing else: they wait in a queue of bounded length
//! (2,048 spans), a thread of its own exports them, and what does not fit is dropped. The counter
//! `tenantry_trace_spans_lost_total` has the spans that could not be exported; the log has a line
//! about them once a minute at most.

/// The target of spans and events that are in traces alone.
pub const ONLY: &str = policy::trace_parent::TRACE_TARGET;
/// The attribute that joins the span of a commit with that of its push: the number of the last
/// change of the commit in the change log.
pub use policy::trace_parent::CHANGE_SEQ;
/// The name of the span around a request that comes from outside. Its kind is SERVER.
pub const REQUEST_SPAN: &str = "request";

mod context;
mod exporter;
mod provider;

pub use context::{continue_from, current, link};
pub use exporter::describe as describe_metrics;
pub use provider::{TraceError, Traces};
