//! A configuration that Envoy refuses: its owner is told, and nobody else notices.

use serde_json::{Value, json};
use stack::Stack;
use tenantry_tests::{THING, Things, eventually, finish, settled, tenant::Tenant};

async fn status(things: &Things) -> Value {
    things.stack.api.get(&format!("{}/status", things.site.path)).await.expect("a status")
}

/// Makes the Envoys refuse all regular expressions until they start again: the routes of an API
/// take off its base path by one.
async fn refuse_expressions(things: &Things) {
    for envoy in &things.stack.envoys {
        let url =
            format!("{}/runtime_modify?re2.max_program_size.error_level=1", envoy.admin_url());
        let answer = reqwest::Client::new().post(url).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{}", answer.status());
    }
}

async fn add_route(things: &Things, path: &str) -> Value {
    let routes = format!("{}/routes?wait=20", things.version.path);
    things
        .stack
        .api
        .post(&routes, json!({"methods": ["GET"], "path": path}))
        .await
        .expect("a route")
}

#[tokio::test]
async fn a_refused_site_keeps_its_good_state_on_all_envoys_and_over_restarts_until_it_is_mended() {
    let mut things = Things::start(Stack::builder("quarantine").envoys(2)).await;
    things.stack.allow_in_envoy_log("rejected");
    things.stack.allow_in_envoy_log("gRPC config");
    things.stack.allow_in_envoy_log("the stream to cluster xds ended");
    let neighbour = Tenant::create(&things.stack.api, "Globex").await.site("globex").await;
    neighbour.serve_things(things.upstream.addr).await;
    let neighbours_key = neighbour.key("app").await;
    settled(&things.gateways, &neighbour.hostname, THING, &neighbours_key.text, 200).await;

    refuse_expressions(&things).await;
    let answer = add_route(&things, "/{id}/more").await;
    assert_eq!(answer["receipt"]["acked"], 0, "{answer}");
    let refused =
        eventually("the owner is told", || status(&things), |status| status["state"] == "refused")
            .await;
    let reason = refused["refusal"]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("max program size"), "{refused}");
    let by_an_envoy = |envoy: &Value| envoy["state"] == "refused" && envoy["reason"] == reason;
    assert!(
        refused["envoys"].as_array().is_some_and(|envoys| envoys.iter().any(by_an_envoy)),
        "{refused}"
    );
    // A later edit of the same site does not get past its bad part.
    let answer = add_route(&things, "/{id}/even-more").await;
    assert_eq!(answer["receipt"]["acked"], 0, "{answer}");
    assert_ne!(answer["receipt"]["refused"], json!([]), "{answer}");
    still_serves(&things).await;

    things.stack.envoys[1].service.stop().await.expect("an end");
    things.stack.envoys[1].service.start().await.expect("a start");
    settled(&things.gateways, &things.site.hostname, THING, &things.key.text, 200).await;
    things.stack.xds.stop().await.expect("an end");
    things.stack.xds.start().await.expect("a start");
    things.stack.envoys[0].service.stop().await.expect("an end");
    things.stack.envoys[0].service.start().await.expect("a start");
    settled(&things.gateways, &things.site.hostname, THING, &things.key.text, 200).await;
    still_serves(&things).await;
    assert_eq!(status(&things).await["state"], "refused");
    settled(&things.gateways, &neighbour.hostname, THING, &neighbours_key.text, 200).await;

    let mended = add_route(&things, "/{id}/still-more").await;
    assert_eq!(mended["receipt"]["acked"], 2, "{mended}");
    for path in ["/things/v1/1/more", "/things/v1/1/still-more"] {
        things.settled(path, &things.key, 200).await;
    }
    let live = status(&things).await;
    assert_eq!((&live["state"], &live["refusal"]), (&json!("acked"), &Value::Null), "{live}");
    finish(things.stack).await;
}

/// Asserts that everything is as before the bad edit, with nothing that came with it or after it.
async fn still_serves(things: &Things) {
    for gateway in &things.gateways {
        assert_eq!(gateway.get(&things.site.hostname, THING, &things.key.text).await.status, 200);
    }
    // The filter knew the new route until it was taken back.
    things.settled("/things/v1/1/more", &things.key, 404).await;
}
