//! The gateways hold a tenant to the requests that its platform plan allows.

use serde_json::json;
use stack::Stack;
use tenantry_tests::{THING, Things, echo, finish, settled, tenant::Tenant, tenant::id};

#[tokio::test]
async fn a_tenant_gets_the_requests_of_its_platform_plan_and_its_neighbour_all_it_wants() {
    const MONTHLY: usize = 5;
    let things = Things::start(Stack::builder("platform-plan").concurrency(2)).await;
    let api = &things.stack.api;
    let neighbour = Tenant::create(api, "Globex").await;
    let site = neighbour.site("globex").await;
    let upstream = echo("globex");
    site.serve_things(upstream.addr).await;
    let neighbours_key = site.key("app").await;
    settled(&things.gateways, &site.hostname, THING, &neighbours_key.text, 200).await;
    // The requests of both sites of the tenant count together.
    let second = things.tenant.site("second").await;
    second.serve_things(things.upstream.addr).await;
    let second_key = second.key("app").await;
    settled(&things.gateways, &second.hostname, THING, &second_key.text, 200).await;

    let plan = json!({ "name": "Tiny", "limits": { "requests_per_month": MONTHLY } });
    let plan = id(&api.post("/v1/platform-plans", plan).await.expect("a plan"));
    let tenant = format!("/v1/tenants/{}", things.tenant.id);
    api.patch(&format!("{tenant}?wait=20"), json!({ "platform_plan_id": plan }))
        .await
        .expect("another plan");
    let gateway = &things.gateways[0];
    let mut let_through = 0;
    for _ in 0..MONTHLY {
        for (host, key) in
            [(&things.site.hostname, &things.key.text), (&second.hostname, &second_key.text)]
        {
            let_through += usize::from(gateway.get(host, THING, key).await.status == 200);
        }
    }
    assert_eq!(let_through, MONTHLY);
    let refused = things.get(THING).await;
    refused.assert_problem(429);
    assert_eq!(refused.json()["violated-policies"], json!(["platform-plan"]));
    assert!(
        refused
            .header("ratelimit")
            .is_some_and(|field| field.starts_with(r#""platform-plan";r=0;t="#)),
        "{refused:?}"
    );
    for _ in 0..2 * MONTHLY {
        assert_eq!(
            gateway.get(&site.hostname, THING, &neighbours_key.text).await.status,
            200,
            "the neighbour"
        );
    }

    // It is not a setting of the tenant, and nothing that the tenant sets ends it, not even another
    // calendar.
    let seen = api.get(&tenant).await.expect("the tenant");
    assert_eq!(
        (&seen["settings"]["quotas"], &seen["settings"]["limits"]),
        (&json!([]), &json!([]))
    );
    for zone in ["Pacific/Kiritimati", "Pacific/Pago_Pago"] {
        let profile = format!("{tenant}/profile?wait=20");
        api.patch(&profile, json!({ "time_zone": zone })).await.expect("another calendar");
        assert_eq!(things.get(THING).await.status, 429, "{zone}");
    }

    let more = json!({ "limits": { "requests_per_month": 1_000 } });
    api.patch(&format!("/v1/platform-plans/{plan}?wait=20"), more).await.expect("a larger plan");
    things.settled(THING, &things.key, 200).await;
    settled(&things.gateways, &second.hostname, THING, &second_key.text, 200).await;
    finish(things.stack).await;
}
