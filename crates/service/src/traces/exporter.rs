//! The exporter of spans, with a count of those that are lost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use metrics::{counter, describe_counter};
use opentelemetry::trace::SpanKind;
use opentelemetry_otlp::SpanExporter as OtlpExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use tracing::warn;

use super::REQUEST_SPAN;

const LOST: &str = "tenantry_trace_spans_lost_total";
/// Without a collector each export fails, by default every 5 seconds.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Describes the metrics of traces to the recorder of the process.
pub fn describe() {
    describe_counter!(LOST, "Spans that were given up because the collector did not take them.");
}

/// Exports by OTLP. A failure is counted, logged once a minute at most, and not handed on, because
/// the SDK would log each.
#[derive(Debug)]
pub(super) struct CountingExporter {
    inner: OtlpExporter,
    begun: Instant,
    /// The time of the next log line, in milliseconds after `begun`.
    log_again_ms: AtomicU64,
}

impl CountingExporter {
    pub(super) fn new(inner: OtlpExporter) -> Self {
        Self { inner, begun: Instant::now(), log_again_ms: AtomicU64::new(0) }
    }

    fn lost(&self, spans: usize, error: &dyn std::fmt::Display) {
        counter!(LOST).increment(spans as u64);
        let now_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        // The exporter is never called twice at once, so this is no race.
        if now_ms < self.log_again_ms.load(Ordering::Relaxed) {
            return;
        }
        let every_ms = LOG_EVERY.as_millis() as u64;
        self.log_again_ms.store(now_ms.saturating_add(every_ms), Ordering::Relaxed);
        warn!(spans, %error, "the collector does not take spans; they are lost");
    }
}

impl SpanExporter for CountingExporter {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        // A field of the span would do it too, and stand in every log line of a request.
        for span in batch.iter_mut().filter(|span| span.name == REQUEST_SPAN) {
            span.span_kind = SpanKind::Server;
        }
        let spans = batch.len();
        if let Err(error) = self.inner.export(batch).await {
            self.lost(spans, &error);
        }
        Ok(())
    }

    fn shutdown(&mut self) -> OTelSdkResult {
        self.inner.shutdown()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
