//! The dashboard and the alert rules that come with Envoy's bootstrap.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use reqwest::Method;
use serde_json::Value;
use stack::Stack;
use tenantry_tests::{THING, Things, eventually, finish};

fn folder() -> PathBuf {
    stack::workspace_root().join("envoy/monitoring")
}

fn read(file: &str) -> String {
    std::fs::read_to_string(folder().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn promtool(args: &[&str]) {
    let program = std::env::var_os("PROMTOOL").unwrap_or_else(|| "promtool".into());
    let output = Command::new(program)
        .args(args)
        .current_dir(folder())
        .output()
        .expect("`cargo xtask test` gets promtool");
    let said = [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    assert!(output.status.success(), "promtool {args:?}:\n{said}");
}

#[test]
fn the_alert_rules_are_valid_and_fire_when_they_should() {
    promtool(&["check", "rules", "alerts.yaml"]);
    promtool(&["test", "rules", "alerts.test.yaml"]);
}

#[test]
fn every_alert_has_a_test() {
    let tests = read("alerts.test.yaml");
    for alert in
        read("alerts.yaml").lines().filter_map(|line| line.trim().strip_prefix("- alert: "))
    {
        assert!(
            tests.contains(&format!("alertname=\"{alert}\"")),
            "{alert} does not fire in alerts.test.yaml"
        );
    }
}

/// The values of all fields of this name, wherever they are.
fn fields(value: &Value, name: &str) -> Vec<String> {
    match value {
        Value::Object(object) => {
            let own = object.get(name).and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(object.values().flat_map(|value| fields(value, name))).collect()
        }
        Value::Array(items) => items.iter().flat_map(|item| fields(item, name)).collect(),
        _ => Vec::new(),
    }
}

/// The metrics of Tenantry and of Envoy that an expression names. A pattern stands for all metrics
/// with its prefix.
fn metrics(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    let ours = |word: &&str| {
        (word.starts_with("tenantry_") || word.starts_with("envoy_")) && !LABELS.contains(word)
    };
    words.filter(ours).map(str::to_owned).collect()
}

/// Metrics that exist only if xds-server speaks TLS.
const WITH_TLS: [&str; 1] = ["tenantry_xds_tls_expiry_timestamp_seconds"];

/// Labels that begin like metrics.
const LABELS: [&str; 2] = ["tenantry_site", "envoy_response_code_class"];

#[tokio::test]
async fn every_metric_of_the_dashboard_and_the_alerts_is_there_in_a_running_system() {
    let things = Things::start(Stack::builder("metrics")).await;
    things.send(Method::GET, THING, &[]).await.assert_problem(403);
    let envoy = format!("http://{}/stats/prometheus", things.stack.envoys[0].settings.admin);
    let urls = [
        format!("http://{}/metrics", things.stack.xds_http),
        format!("{}/metrics", things.stack.api.base()),
        envoy,
    ];
    let dashboard: Value = serde_json::from_str(&read("dashboard.json")).expect("JSON");
    let rules = read("alerts.yaml");
    let expressions = fields(&dashboard, "expr").into_iter().chain([rules]);
    let named: BTreeSet<String> = expressions.flat_map(|expression| metrics(&expression)).collect();
    let named: BTreeSet<String> =
        named.into_iter().filter(|name| !WITH_TLS.contains(&name.as_str())).collect();
    assert!(named.len() > 30, "{named:?}");
    let missing = || async {
        let mut exposed = String::from("\n");
        for url in &urls {
            exposed
                .push_str(&reqwest::get(url).await.expect("metrics").text().await.expect("a text"));
        }
        let is_there = |name: &&String| {
            ["{", " ", "_"].iter().any(|end| exposed.contains(&format!("\n{name}{end}")))
        };
        named.iter().filter(|name| !is_there(name)).cloned().collect::<Vec<_>>()
    };
    // Some appear with the next tick of the filter, or of Envoy's stats.
    eventually("metrics that nothing exposes", missing, |missing: &Vec<String>| missing.is_empty())
        .await;
    finish(things.stack).await;
}
