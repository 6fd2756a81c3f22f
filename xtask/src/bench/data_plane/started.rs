//! The Envoys of the variants, while they run.

use anyhow::Result;
use serde_json::Value;
use stack::envoy::Envoy;

use super::envoys::{Measured, Sent};
use super::inputs::Inputs;
use super::measure::Target;
use super::traffic::Load;

/// Running Envoys, and how they are measured.
#[derive(Default)]
pub(super) struct Variants {
    pub(super) targets: Vec<Target>,
    measured: Vec<Measured>,
    pub(super) ours: Vec<Envoy>,
}

impl Variants {
    pub(super) async fn stop(mut self) -> Result<()> {
        for measured in &mut self.measured {
            measured.service.stop().await?;
        }
        for envoy in &mut self.ours {
            envoy.service.stop().await?;
        }
        Ok(())
    }

    /// An Envoy with these filters, and the targets that share it.
    pub(super) async fn add(
        &mut self,
        inputs: &Inputs<'_>,
        concurrency: u32,
        variant: Variant<'_>,
    ) -> Result<()> {
        let sent = variant.sent.unwrap_or(inputs.sent);
        let measured =
            inputs.place.start_static(sent, variant.id, &variant.filters, concurrency).await?;
        self.targets.push(Target {
            id: variant.id,
            title: variant.title.to_owned(),
            envoy: measured.pid()?,
            others: variant.others,
            direct: variant.direct.then(|| (measured.direct, variant.requests.clone())),
            upstream: Some((measured.routed, variant.requests)),
            remembers: false,
        });
        self.measured.push(measured);
        Ok(())
    }
}

/// A variant that needs no control plane.
pub(super) struct Variant<'a> {
    pub(super) id: &'static str,
    pub(super) title: &'a str,
    pub(super) filters: Vec<Value>,
    pub(super) requests: Load,
    pub(super) others: Vec<i32>,
    pub(super) direct: bool,
    /// Another listener than the usual one.
    pub(super) sent: Option<&'a Sent>,
}

impl Variant<'_> {
    pub(super) fn new<'a>(
        id: &'static str,
        title: &'a str,
        filters: Vec<Value>,
        requests: &Load,
    ) -> Variant<'a> {
        Variant {
            id,
            title,
            filters,
            requests: requests.clone(),
            others: Vec::new(),
            direct: true,
            sent: None,
        }
    }
}
