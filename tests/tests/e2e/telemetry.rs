//! The filter's metrics and traces, as operators see them.

use reqwest::Method;
use stack::Stack;
use tenantry_tests::{THING, Things, eventually, finish};

#[tokio::test]
async fn the_filter_counts_decisions_in_envoys_stats_and_names_no_tenant_there() {
    let things = Things::start(Stack::builder("stats")).await;
    things.send(Method::GET, THING, &[]).await.assert_problem(403);
    let admin = format!("http://{}/stats?filter=tenantry", things.stack.envoys[0].settings.admin);
    let stats =
        || async { reqwest::get(&admin).await.expect("stats").text().await.expect("a text") };
    let counted = |stats: &String, name: &str| {
        let line = stats.lines().find_map(|line| {
            line.strip_prefix("wasmcustom.").unwrap_or(line).strip_prefix(name).map(str::to_owned)
        });
        line.and_then(|rest| rest.strip_prefix(": ")?.parse::<u64>().ok()).unwrap_or(0)
    };
    let all_there = |stats: &String| {
        counted(stats, "tenantry.requests.let_go") > 0
            && counted(stats, "tenantry.requests.refused.forbidden") > 0
    };
    let stats = eventually("the stats", stats, all_there).await;
    for secret in [&things.site.id, &things.site.tenant_id, &things.key.consumer_id] {
        assert!(!stats.contains(secret.as_str()), "{stats}");
    }
    finish(things.stack).await;
}

#[tokio::test]
async fn the_trace_of_a_request_goes_on_to_the_upstream() {
    let things = Things::start(Stack::builder("trace")).await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [
        ("x-api-key", things.key.text.as_str()),
        ("traceparent", parent),
        ("tracestate", "a=1,b=2"),
    ];
    let answer = things.send(Method::GET, THING, &headers).await;
    assert_eq!(answer.upstream_saw("traceparent").as_deref(), Some(parent));
    assert_eq!(answer.upstream_saw("tracestate").as_deref(), Some("a=1,b=2"));
    finish(things.stack).await;
}
