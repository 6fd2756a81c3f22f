//! Which client addresses are let in.

use serde_json::json;
use stack::Stack;
use tenantry_tests::{THING, Things, finish};

#[tokio::test]
async fn addresses_are_let_in_by_site_consumer_and_key() {
    let things = Things::start(Stack::builder("addresses")).await;
    let there = json!({ "ip": { "allow": ["127.0.0.0/8"] } });
    let elsewhere = json!({ "ip": { "allow": ["192.0.2.0/24", "2001:db8::/32"] } });
    let refused = json!({ "ip": { "allow": ["127.0.0.0/8"], "deny": ["127.0.0.1"] } });
    let key = things.site.key_with("by key", json!({ "settings": elsewhere })).await;
    let by_consumer = things.site.consumer(json!({ "name": "by consumer", "settings": refused })).await;
    let by_consumer = things.site.key_of(&by_consumer, json!({})).await;
    let allowed = things.site.key_with("allowed", json!({ "settings": there })).await;
    things.settled(THING, &allowed, 200).await;
    things.settled(THING, &key, 403).await;
    things.settled(THING, &by_consumer, 403).await;

    let many: Vec<_> = (0..10_000).map(|n| format!("10.{}.{}.0/25", n / 200, n % 200)).collect();
    things.site.set(json!({ "ip": { "deny": many } })).await;
    things.settled(THING, &things.key, 200).await;
    things.site.set(elsewhere).await;
    things.settled(THING, &things.key, 403).await;
    things.settled(THING, &allowed, 403).await;
    things.site.set(json!({})).await;
    things.settled(THING, &things.key, 200).await;
    finish(things.stack).await;
}
