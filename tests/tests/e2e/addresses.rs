//! Client addresses that are let in, and those that are not.

use reqwest::Method;
use serde_json::json;
use stack::{Stack, envoy::Edge};
use tenantry_tests::{
    THING, Things, eventually, finish,
    gateway::{Answer, Gateway},
};

#[tokio::test]
async fn addresses_are_let_in_by_site_consumer_and_key() {
    let things = Things::start(Stack::builder("addresses")).await;
    let there = json!({ "ip": { "allow": ["127.0.0.0/8"] } });
    let elsewhere = json!({ "ip": { "allow": ["192.0.2.0/24", "2001:db8::/32"] } });
    let refused = json!({ "ip": { "allow": ["127.0.0.0/8"], "deny": ["127.0.0.1"] } });
    let key = things.site.key_with("by key", json!({ "settings": elsewhere })).await;
    let by_consumer =
        things.site.consumer(json!({ "name": "by consumer", "settings": refused })).await;
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

/// With one trusted proxy in front, the client is the caller that the proxy names: the last address
/// of `X-Forwarded-For`. Everything before that is the client's own word. Without a trusted proxy,
/// the peer is the client.
#[tokio::test]
async fn a_client_is_who_the_trusted_proxy_says_and_nobody_else() {
    let proxied = Edge { trusted_hops: 1, ..Edge::default() };
    let things =
        Things::start(Stack::builder("hops").envoys(2).edges(&[proxied, Edge::default()])).await;
    let [behind_proxy, direct] = things.gateways.as_slice() else { panic!("two Envoys") };
    let forwarded = async |gateway: &Gateway, addresses: &str| {
        let mut headers = vec![("x-api-key", things.key.text.as_str())];
        if !addresses.is_empty() {
            headers.push(("x-forwarded-for", addresses));
        }
        gateway.send(Method::GET, &things.site.hostname, THING, &headers).await
    };
    things.site.set(json!({ "ip": { "allow": ["203.0.113.0/24", "2001:db8::/32"] } })).await;
    let refused = |answer: &Answer| answer.status == 403;
    eventually("the addresses", || forwarded(behind_proxy, "192.0.2.1"), refused).await;
    eventually("the addresses", || forwarded(direct, ""), refused).await;
    for (addresses, status) in [
        ("203.0.113.9", 200),
        ("2001:db8::9", 200),
        ("198.51.100.7, 203.0.113.9", 200),
        ("203.0.113.9, 198.51.100.7", 403),
        ("203.0.113.9,198.51.100.7, 192.0.2.1", 403),
        ("", 403),
    ] {
        let answer = forwarded(behind_proxy, addresses).await;
        assert_eq!(answer.status, status, "{addresses}");
        if status == 200 {
            let seen = answer.upstream_saw("x-forwarded-for").unwrap_or_default();
            // Envoy appends its own address for a peer on the same machine.
            assert!(
                seen.replace(", ", ",").starts_with(&format!("{},", addresses.replace(", ", ","))),
                "{seen}"
            );
        }
        forwarded(direct, addresses).await.assert_problem(403);
    }

    // A limit for each address is one for each client too, whatever the client writes in front of
    // it.
    let limit = json!({ "name": "each", "requests": 2, "per": "hour", "by": ["client_ip"] });
    things.site.set(json!({ "limits": [limit] })).await;
    eventually(
        "the limit",
        || forwarded(behind_proxy, "203.0.113.200"),
        |answer| answer.status == 429,
    )
    .await;
    for client in ["203.0.113.1", "203.0.113.2"] {
        let mut statuses = Vec::new();
        for forged in 1..=3 {
            statuses
                .push(forwarded(behind_proxy, &format!("10.0.0.{forged}, {client}")).await.status);
        }
        assert_eq!(statuses, [200, 200, 429], "{client}");
    }
    finish(things.stack).await;
}
