//! Every Envoy refuses a suspended tenant, and no other tenant.

use reqwest::Method;
use serde_json::json;
use stack::Stack;
use tenantry_tests::{THING, Things, echo, finish, settled, tenant::Tenant};

#[tokio::test]
async fn a_suspended_tenant_is_refused_until_it_is_served_again_and_its_neighbour_notices_nothing()
{
    let things = Things::start(Stack::builder("suspension").envoys(2)).await;
    let api = &things.stack.api;
    let neighbour = Tenant::create(api, "Globex").await;
    let site = neighbour.site("globex").await;
    let upstream = echo("globex");
    site.serve_things(upstream.addr).await;
    let key = site.key("app").await;
    settled(&things.gateways, &site.hostname, THING, &key.text, 200).await;

    let status = format!("/v1/tenants/{}/status", things.tenant.id);
    let reason = "The invoice of May is open.";
    api.patch(&status, json!({ "status": "suspended", "reason": reason }))
        .await
        .expect("a suspension");
    things.settled(THING, &things.key, 403).await;
    let refused = things.get(THING).await;
    assert_eq!(refused.headers.get("content-type").expect("a type"), "application/problem+json");
    // The answer does not tell if the credential is good.
    let (wrong, none) =
        (things.get_with("wrong").await, things.send(Method::GET, THING, &[]).await);
    assert_eq!((wrong.status, &wrong.body), (403, &refused.body));
    assert_eq!((none.status, &none.body), (403, &refused.body));
    assert!(!refused.body.contains(reason), "what members are told is not for callers");
    for gateway in &things.gateways {
        assert_eq!(
            gateway.get(&site.hostname, THING, &key.text).await.status,
            200,
            "the neighbour"
        );
    }

    api.patch(&status, json!({ "status": "active" })).await.expect("an end of it");
    things.settled(THING, &things.key, 200).await;
    finish(things.stack).await;
}
