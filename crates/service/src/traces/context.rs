//! The borders of a program: spans that continue a trace of elsewhere, and links to its spans.

use opentelemetry::KeyValue;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use policy::trace_parent::TraceParent;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Makes the span continue the trace of a caller. Call it before the span has children.
pub fn continue_from(span: &Span, parent: TraceParent) {
    let context = opentelemetry::Context::new().with_remote_span_context(remote(parent));
    span.set_parent(context);
}

/// Links the span to one of another trace that led to it, with an attribute that says how.
pub fn link(span: &Span, cause: TraceParent, attribute: &'static str, value: i64) {
    span.add_link_with_attributes(remote(cause), vec![KeyValue::new(attribute, value)]);
}

/// Returns the identity of the current span; `None` if nothing is traced, or not this trace.
pub fn current() -> Option<TraceParent> {
    let context = Span::current().context();
    let span = context.span();
    let span = span.span_context();
    (span.is_valid() && span.is_sampled()).then(|| TraceParent {
        trace_id: u128::from_be_bytes(span.trace_id().to_bytes()),
        span_id: u64::from_be_bytes(span.span_id().to_bytes()),
        sampled: true,
    })
}

fn remote(parent: TraceParent) -> SpanContext {
    let flags = if parent.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    SpanContext::new(
        TraceId::from_bytes(parent.trace_id.to_be_bytes()),
        SpanId::from_bytes(parent.span_id.to_be_bytes()),
        flags,
        true,
        TraceState::default(),
    )
}
