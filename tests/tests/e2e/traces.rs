//! Traces: one request to the admin API, its commit, and the push of its change to the gateways, as
//! a collector sees them.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use stack::Stack;
use tenantry_tests::collector::{Collected, Collector, attributes};
use tenantry_tests::{Things, caught_up, eventually, finish};

/// The export waits for this long, instead of 5 seconds.
const DELAY: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "100");
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// The trace of a caller: the example of the specification (W3C Trace Context, section 3.2).
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The spans of a program with this name.
fn named<'a>(spans: &'a [Collected], service: &str, name: &str) -> Vec<&'a Collected> {
    spans.iter().filter(|each| each.service() == service && each.span.name == name).collect()
}

/// The span of this name in the caller's trace.
fn of_caller(spans: &[Collected], name: &str) -> Option<Collected> {
    let mut found = named(spans, "tenantry-admin", name).into_iter();
    found.find(|each| hex(&each.span.trace_id) == TRACE).cloned()
}

/// The request continues the caller's trace, and says whose it is.
fn check_request(request: &Collected, things: &Things) {
    assert_eq!(hex(&request.span.parent_span_id), CALLER);
    assert_eq!(request.attribute("tenant").as_deref(), Some(things.tenant.id.as_str()));
    assert_eq!(request.attribute("request_id").as_deref(), Some("traced-by-a-test"));
    assert_eq!(request.span.kind, 2, "SPAN_KIND_SERVER");
    assert_eq!(
        request.resource.get("deployment.environment").map(String::as_str),
        Some("e2e"),
        "{:?}",
        request.resource
    );
}

/// The transaction that writes is in the request, says what it did, and has the commit in it.
fn check_transaction(spans: &[Collected], request: &Collected, commit: &Collected) {
    let transaction = named(spans, "tenantry-admin", "transaction")
        .into_iter()
        .find(|each| each.span.span_id == commit.span.parent_span_id)
        .expect("the transaction of the commit");
    assert_eq!(transaction.span.parent_span_id, request.span.span_id);
    let actions: Vec<_> =
        transaction.events().into_iter().filter_map(|(_, mut all)| all.remove("action")).collect();
    assert_eq!(actions, ["key.revoke"]);
}

#[tokio::test]
async fn a_request_its_commit_and_its_push_are_joined() {
    let collector = Collector::start();
    let mut builder = Stack::builder("traces");
    for (name, value) in [
        (ENDPOINT, collector.endpoint().as_str()),
        DELAY,
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=e2e"),
    ] {
        builder = builder.admin_env(name, value).xds_env(name, value);
    }
    let things = Things::start(builder).await;
    let answer = things
        .stack
        .api
        .request(Method::DELETE, &things.key.path)
        .header("traceparent", format!("00-{TRACE}-{CALLER}-01"))
        .header("x-request-id", "traced-by-a-test")
        .send()
        .await
        .expect("an answer");
    assert!(answer.status().is_success(), "{}", answer.status());
    caught_up(&things.stack).await;

    // A span is exported when it ends: that of the request is the last.
    let spans = || async { collector.spans() };
    let all = eventually("the request is exported", spans, |spans: &Vec<Collected>| {
        of_caller(spans, "request").is_some()
    })
    .await;
    let request = of_caller(&all, "request").expect("the request");
    let commit = of_caller(&all, "commit").expect("the commit");
    check_request(&request, &things);
    check_transaction(&all, &request, &commit);
    let seq = commit.attribute("tenantry.change_seq").expect("the number of the change");

    // The push is in a trace of its own, linked to the commit and with the same number.
    let commit_id = commit.span.span_id.clone();
    let is_push = |each: &Collected| {
        each.service() == "tenantry-xds"
            && each.span.name == "push_change"
            && each.span.links.iter().any(|link| link.span_id == commit_id)
    };
    let all = eventually("the push is exported", spans, |spans: &Vec<Collected>| {
        spans.iter().any(is_push)
    })
    .await;
    let push = all.iter().find(|each| is_push(each)).expect("the push");
    assert_eq!(push.attribute("tenantry.change_seq"), Some(seq.clone()));
    assert_eq!(push.attribute("tenantry.tenant").as_deref(), Some(things.tenant.id.as_str()));
    let link = push.span.links.iter().find(|link| link.span_id == commit_id).expect("the link");
    assert_eq!(hex(&link.trace_id), TRACE);
    assert_eq!(attributes(&link.attributes).remove("tenantry.change_seq"), Some(seq));
    finish(things.stack).await;
}

#[tokio::test]
async fn the_last_spans_are_exported_at_the_end() {
    let collector = Collector::start();
    let endpoint = collector.endpoint();
    // Without the flush at the end, nothing would be exported for an hour.
    let mut stack = Stack::builder("traces-flush")
        .envoys(0)
        .without_xds_and_envoys()
        .admin_env(ENDPOINT, &endpoint)
        .admin_env("OTEL_BSP_SCHEDULE_DELAY", "3600000")
        .start()
        .await
        .unwrap_or_else(|error| panic!("{error:?}"));
    stack.api.post("/v1/tenants", json!({ "name": "Acme" })).await.expect("a tenant");
    assert!(collector.spans().is_empty());
    stack.admin.stop().await.expect("an end");
    let spans = collector.spans();
    assert!(!named(&spans, "tenantry-admin", "commit").is_empty(), "{spans:?}");
    finish(stack).await;
}

#[tokio::test]
async fn a_collector_that_does_not_answer_neither_slows_nor_holds_a_program() {
    // It takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("http://{}", silent.local_addr().expect("its address"));
    let mut stack = Stack::builder("traces-silent")
        .envoys(0)
        .without_xds_and_envoys()
        .admin_env(ENDPOINT, &endpoint)
        .admin_env(DELAY.0, DELAY.1)
        .admin_env("OTEL_BSP_MAX_QUEUE_SIZE", "16")
        .admin_env("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8")
        .start()
        .await
        .unwrap_or_else(|error| panic!("{error:?}"));
    let begun = Instant::now();
    for _ in 0..100 {
        stack.api.get("/v1/tenants").await.expect("a list");
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let begun = Instant::now();
    stack.admin.stop().await.expect("an end");
    // The bound of the flush is 2 seconds; a process that does not end is killed after 15.
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    finish(stack).await;
}

#[tokio::test]
async fn a_collector_that_is_away_costs_a_line_a_minute() {
    // A port on which nothing listens.
    let endpoint = format!("http://{}", stack::ports::free());
    let mut stack = Stack::builder("traces-away")
        .envoys(0)
        .without_xds_and_envoys()
        .admin_env(ENDPOINT, &endpoint)
        .admin_env(DELAY.0, DELAY.1)
        .start()
        .await
        .unwrap_or_else(|error| panic!("{error:?}"));
    let lost = || async {
        stack.api.get("/v1/tenants").await.expect("a list");
        let text = reqwest::get(format!("{}/metrics", stack.api.base())).await.expect("metrics");
        let text = text.text().await.expect("a text");
        let line =
            text.lines().find_map(|line| line.strip_prefix("tenantry_trace_spans_lost_total "));
        line.and_then(|count| count.parse::<f64>().ok()).unwrap_or_default()
    };
    eventually("spans are lost and counted", lost, |lost: &f64| *lost > 20.0).await;
    let log = std::fs::read_to_string(&stack.admin.launch.log).expect("the log");
    let lines = log.lines().filter(|line| line.contains("the collector does not take spans"));
    assert_eq!(lines.count(), 1);
    stack.admin.stop().await.expect("an end");
    finish(stack).await;
}
