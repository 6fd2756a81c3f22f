//! The entries of Envoy's access log, and the secrets that no log may contain.

use std::{fs, path::Path};

use reqwest::Method;
use serde_json::{Value, json};
use stack::Stack;
use tenantry_tests::{THING, Things, eventually, finish};

/// The entry of the access log for a request with this id.
fn entry(log: &Path, request_id: &str) -> Option<Value> {
    let log = fs::read_to_string(log).ok()?;
    let entries = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    entries.into_iter().find(|entry| entry["request_id"] == request_id)
}

/// The text of the last entry with this status. A line that is not written to its end does not
/// count.
fn last_with(log: &Path, status: u16) -> Option<String> {
    let log = fs::read_to_string(log).ok()?;
    let is_it = |line: &&str| {
        serde_json::from_str::<Value>(line).is_ok_and(|entry| entry["status"] == status)
    };
    log.lines().rfind(is_it).map(str::to_owned)
}

#[tokio::test]
async fn the_access_log_names_the_tenant_and_holds_no_secret() {
    let things = Things::start(Stack::builder("access-log")).await;
    let log = things.stack.envoys[0].service.launch.log.clone();
    let bearer = format!("Bearer {}", things.key.text);
    let headers = [("authorization", bearer.as_str()), ("x-tenantry-tenant", "forged")];
    let path = format!("/things/v1/7?token={}", things.key.text);
    let answer = things.send(Method::GET, &path, &headers).await;
    let request_id = answer.upstream_saw("x-request-id").expect("a request id");
    let entry =
        eventually("the entry", || async { entry(&log, &request_id) }, Option::is_some).await;
    let entry = entry.expect("an entry");
    assert_eq!(entry["tenant"], things.site.tenant_id);
    assert_eq!(entry["site"], things.site.id);
    assert_eq!(entry["consumer"], things.key.consumer_id);
    assert_eq!(entry["route"].as_str(), answer.route().as_deref());
    assert_eq!((&entry["method"], &entry["status"]), (&Value::from("GET"), &Value::from(200)));
    assert_eq!(entry["refusal"], Value::Null);
    assert_eq!(entry["path"], "/things/v1/7", "the path as the client sent it, without its query");

    let refused = things
        .send(Method::GET, THING, &[("x-tenantry-tenant", "forged"), ("x-tenantry-site", "forged")])
        .await;
    refused.assert_problem(403);
    let line =
        eventually("the entry of the refusal", || async { last_with(&log, 403) }, Option::is_some)
            .await
            .expect("a line");
    let entry: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(
        (&entry["tenant"], &entry["site"]),
        (&json!(things.site.tenant_id), &json!(things.site.id))
    );
    assert_eq!((&entry["refusal"], &entry["consumer"]), (&json!("forbidden"), &Value::Null));

    // Envoy refuses this request before it asks the filter.
    let forged = [("x-tenantry-tenant", "forged"), ("x-request-id", "of-the-refused")];
    things.send(Method::GET, "/things/v1/a%2Fb", &forged).await.assert_problem(400);
    let line = eventually(
        "the entry of Envoy's refusal",
        || async { last_with(&log, 400) },
        Option::is_some,
    )
    .await
    .expect("a line");
    assert!(!line.contains("forged"), "what a client made up was logged: {line}");

    let token = things.stack.dir().join("operator-token");
    let token = fs::read_to_string(token).expect("the operator token");
    for file in fs::read_dir(things.stack.dir()).expect("the stack's folder").flatten() {
        let path = file.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let text = String::from_utf8_lossy(&fs::read(&path).expect("a log")).into_owned();
            assert!(!text.contains(&things.key.text), "{} holds an API key", path.display());
            assert!(!text.contains(token.trim()), "{} holds the operator token", path.display());
        }
    }
    finish(things.stack).await;
}
