//! Pages of `docs/` that are made from this program.

use clap::CommandFactory as _;
use policy::stats;
use stack::reference::{Metric, described_metrics, flag_tables, hold, metric_table};
use xds_server::config::Cli;
use xds_server::report;

#[test]
fn the_page_of_flags_has_those_of_the_program() {
    hold("docs/operate/flags.md", "tenantry-xds", &flag_tables(&Cli::command()));
}

#[test]
fn the_page_of_metrics_has_those_of_the_program() {
    let metrics = described_metrics(report::describe);
    hold("docs/operate/metrics.md", "tenantry-xds", &metric_table(&metrics));
}

#[test]
fn the_page_of_metrics_has_those_of_both_programs() {
    let metrics = described_metrics(|| {
        service::jobs::describe_metrics();
        service::traces::describe_metrics();
    });
    hold("docs/operate/metrics.md", "both programs", &metric_table(&metrics));
}

/// The stats of the filter stand in `policy`, which both programs and the filter have.
#[test]
fn the_page_of_metrics_has_those_of_the_filter() {
    let of = |kind| move |(name, meaning)| Metric { name, kind, meaning };
    let gauges = stats::GAUGES.map(|(name, meaning)| (name.to_owned(), meaning.to_owned()));
    let counters = stats::counters().into_iter().map(of("counter"));
    let metrics: Vec<_> = counters.chain(gauges.into_iter().map(of("gauge"))).collect();
    hold("docs/operate/metrics.md", "filter", &metric_table(&metrics));
}
