//! A configuration that Envoy refuses: its owner is told, and nothing else happens to anybody.

use serde_json::{Value, json};
use sqlx::Executor as _;
use stack::Stack;
use tenantry_tests::{THING, Things, eventually, finish, settled, tenant::Tenant};

/// What the admin API lets nobody write, and Envoy refuses: the site's RouteConfiguration then removes the header `host`.
const POISON: [&str; 2] = [
    r#"UPDATE sites SET settings = settings || jsonb_build_object('key_sources', jsonb_build_array(
           jsonb_build_object('in', 'bearer'), jsonb_build_object('in', 'header', 'name', 'x-api-key'),
           jsonb_build_object('in', 'header', 'name', 'host')))
       WHERE slug = 'acme'"#,
    "WITH written AS (
         INSERT INTO change_log (tenant_id, kind, site_id) SELECT tenant_id, 'site', id FROM sites WHERE slug = 'acme'
         RETURNING seq
     ) SELECT pg_notify('tenantry_changes', seq::text) FROM written",
];

async fn status(things: &Things) -> Value {
    things.stack.api.get(&format!("{}/status", things.site.path)).await.expect("a status")
}

async fn poison(things: &Things) {
    let mut superuser = things.stack.superuser().await.expect("a session");
    for statement in POISON {
        superuser.execute(statement).await.expect("the superuser may");
    }
}

/// What the owner does about it.
async fn mend(things: &Things) -> Value {
    let path = format!("{}?wait=20", things.site.path);
    things.stack.api.patch(&path, json!({"settings": {}})).await.expect("a change")
}

#[tokio::test]
async fn a_refused_site_keeps_what_was_good_on_old_and_new_envoys_and_over_restarts_until_it_is_mended() {
    let mut things = Things::start(Stack::builder("quarantine").envoys(2)).await;
    things.stack.allow_in_envoy_log("rejected");
    things.stack.allow_in_envoy_log("gRPC config");
    things.stack.allow_in_envoy_log("the stream to cluster xds ended");
    let neighbour = Tenant::create(&things.stack.api, "Globex").await.site("globex").await;
    neighbour.serve_things(things.upstream.addr).await;
    let neighbours_key = neighbour.key("app").await;
    settled(&things.gateways, &neighbour.hostname, THING, &neighbours_key.text, 200).await;

    poison(&things).await;
    let refused = eventually("the owner is told", || status(&things), |status| status["state"] == "refused").await;
    let reason = refused["refusal"]["reason"].as_str().unwrap_or_default();
    assert!(!reason.is_empty(), "{refused}");
    let by_an_envoy = |envoy: &Value| envoy["state"] == "refused" && envoy["reason"] == reason;
    assert!(refused["envoys"].as_array().is_some_and(|envoys| envoys.iter().any(by_an_envoy)), "{refused}");
    // A later edit of the same site does not get past what is bad in it.
    let routes = format!("{}/routes?wait=20", things.version.path);
    let answer =
        things.stack.api.post(&routes, json!({"methods": ["GET"], "path": "/{id}/more"})).await.expect("a route");
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

    let mended = mend(&things).await;
    assert_eq!(mended["receipt"]["acked"], 2, "{mended}");
    things.settled("/things/v1/1/more", &things.key, 200).await;
    let live = status(&things).await;
    assert_eq!((&live["state"], &live["refusal"]), (&json!("acked"), &Value::Null), "{live}");
    finish(things.stack).await;
}

/// Everything as before the bad edit, and nothing of what came with it or after it.
async fn still_serves(things: &Things) {
    for gateway in &things.gateways {
        assert_eq!(gateway.get(&things.site.hostname, THING, &things.key.text).await.status, 200);
    }
    // The filter has known the new route until it was taken back from it.
    things.settled("/things/v1/1/more", &things.key, 404).await;
}
