//! The metrics of a program, from the descriptions that it gives them.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};

use super::cell;

/// A metric and its description.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Its description.
    pub meaning: String,
}

/// The metrics that are described while `describe` runs, by their names.
pub fn described_metrics(describe: impl FnOnce()) -> Vec<Metric> {
    let listener = Listener::default();
    with_local_recorder(&listener, describe);
    let mut heard = listener.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    heard.sort();
    heard
}

/// A table of metrics, as Markdown.
pub fn metric_table(metrics: &[Metric]) -> String {
    let mut page = "| metric | kind | meaning |\n|---|---|---|\n".to_owned();
    for Metric { name, kind, meaning } in metrics {
        let stop = if meaning.ends_with('.') { "" } else { "." };
        let _ = writeln!(page, "| `{name}` | {kind} | {}{stop} |", cell(meaning));
    }
    page
}

/// Hears descriptions; values are nothing to it.
#[derive(Default)]
struct Listener(Mutex<Vec<Metric>>);

impl Listener {
    fn heard(&self, name: &KeyName, kind: &'static str, meaning: SharedString) {
        let metric = Metric { name: name.as_str().to_owned(), kind, meaning: meaning.into_owned() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(metric);
    }
}

impl Recorder for Listener {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, meaning: SharedString) {
        self.heard(&name, "counter", meaning);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, meaning: SharedString) {
        self.heard(&name, "gauge", meaning);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, meaning: SharedString) {
        self.heard(&name, "histogram", meaning);
    }

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_described_is_listed_by_name() {
        let heard = described_metrics(|| {
            metrics::describe_gauge!("b", "Sites that wait");
            metrics::describe_counter!("a_total", "Requests.");
            metrics::counter!("undescribed").increment(1);
        });
        let expected = "\
| metric | kind | meaning |
|---|---|---|
| `a_total` | counter | Requests. |
| `b` | gauge | Sites that wait. |
";
        assert_eq!(metric_table(&heard), expected);
    }
}
