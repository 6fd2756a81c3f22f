//! A consumer that takes more bytes than there is room for: its own credentials are refused, its
//! owner is told, and nobody else notices.

use serde_json::{Value, json};
use stack::Stack;
use tenantry_tests::{THING, Things, eventually, finish, settled, tenant::Tenant};

/// More ranges than a consumer can have, around the admin API, as from a time without a bound.
const ENLARGE: &str = "
    UPDATE api_keys SET settings = jsonb_build_object('ip', jsonb_build_object('deny', (
        SELECT jsonb_agg(format('2001:db8:%s:%s::1', to_hex(n / 4096), to_hex(n % 4096)))
        FROM generate_series(1, 40000) AS n)))
    WHERE id = $1::uuid";

async fn left_out(things: &Things) -> Value {
    let status = format!("{}/status", things.site.path);
    things.stack.api.get(&status).await.expect("a status")["left_out"].clone()
}

#[tokio::test]
async fn a_consumer_that_is_too_large_is_refused_alone_and_its_owner_is_told() {
    let things = Things::start(Stack::builder("sizes")).await;
    let neighbour = Tenant::create(&things.stack.api, "Globex").await.site("globex").await;
    neighbour.serve_things(things.upstream.addr).await;
    let neighbours_key = neighbour.key("app").await;
    settled(&things.gateways, &neighbour.hostname, THING, &neighbours_key.text, 200).await;

    let consumer = things.site.consumer(json!({ "name": "large" })).await;
    let with_settings = json!({ "settings": { "scopes": ["read"] } });
    let large = things.site.key_of(&consumer, with_settings.clone()).await;
    let other = things.site.key_of(&consumer, with_settings).await;
    things.settled(THING, &large, 200).await;
    let mut database = things.stack.superuser().await.expect("a session");
    for statement in [
        "ALTER TABLE api_keys DISABLE TRIGGER bound_changed",
        ENLARGE,
        "ALTER TABLE api_keys ENABLE TRIGGER bound_changed",
    ] {
        let mut query = sqlx::query(statement);
        if statement == ENLARGE {
            query = query.bind(&large.id);
        }
        query.execute(&mut database).await.expect("a statement");
    }
    things.stack.api.delete(&format!("{}?wait=20", other.path)).await.expect("a revocation");
    things.settled(THING, &large, 403).await;
    let told = eventually("the owner is told", || left_out(&things), |told| told[0].is_object());
    let told = told.await;
    assert_eq!(told[0]["consumer_id"], json!(consumer), "{told}");
    let reason = told[0]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("524288 are allowed"), "{told}");

    // Others of the site and of other tenants go on, and end when they are to end.
    things.settled(THING, &things.key, 200).await;
    let answer = things.stack.api.delete(&format!("{}?wait=20", neighbours_key.path)).await;
    let answer = answer.expect("a revocation");
    assert_eq!(answer["receipt"]["acked"], 1, "{answer}");
    settled(&things.gateways, &neighbour.hostname, THING, &neighbours_key.text, 403).await;

    let smaller = json!({ "settings": { "scopes": ["read"] } });
    things.stack.api.patch(&format!("{}?wait=20", large.path), smaller).await.expect("a change");
    things.settled(THING, &large, 200).await;
    eventually("it is served", || left_out(&things), |told| *told == json!([])).await;
    finish(things.stack).await;
}
