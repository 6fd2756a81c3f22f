//! Listeners of single tenants.

use reqwest::Method;
use serde_json::json;
use stack::{Stack, ports};
use tenantry_tests::{
    THING, Things, eventually, finish, gateway::Gateway, settled, tenant::SHARED_HOST,
    tenant::Tenant,
};

#[tokio::test]
async fn a_tenants_own_listener_leads_to_its_sites_alone() {
    let things = Things::start(Stack::builder("own-listener")).await;
    let globex = Tenant::create(&things.stack.api, "Globex").await;
    let foreign = globex.site("globex").await;
    foreign.serve_things(things.upstream.addr).await;
    let foreign_key = foreign.key("app").await;
    settled(&things.gateways, &foreign.hostname, THING, &foreign_key.text, 200).await;

    let address = ports::free();
    let tenant = format!("/v1/tenants/{}", things.tenant.id);
    let listeners = json!({ "listeners": [{ "port": address.port() }] });
    things.stack.api.patch(&tenant, listeners).await.unwrap_or_else(|error| panic!("{error}"));
    let connect = || async { tokio::net::TcpStream::connect(address).await.is_ok() };
    eventually("a listener of its own", connect, |connected| *connected).await;
    let own = Gateway::new(address);
    settled(std::slice::from_ref(&own), &things.site.hostname, THING, &things.key.text, 200).await;
    assert_eq!(own.get(SHARED_HOST, THING, &things.key.text).await.status, 200);

    let unknown = own.get("nobody.gw.localhost", THING, &foreign_key.text).await;
    assert_eq!(unknown.status, 404);
    let refused = own.get(&foreign.hostname, THING, &foreign_key.text).await;
    assert_eq!(refused.fingerprint(), unknown.fingerprint(), "as if nobody had it");
    let forged =
        [("x-api-key", foreign_key.text.as_str()), ("x-tenantry-listener", globex.id.as_str())];
    assert_eq!(
        own.send(Method::GET, &foreign.hostname, THING, &forged).await.fingerprint(),
        unknown.fingerprint()
    );
    assert_eq!(
        own.get(SHARED_HOST, THING, &foreign_key.text).await.status,
        403,
        "a key that nobody has"
    );
    let told = own
        .send(Method::GET, &things.site.hostname, THING, &[("x-api-key", &things.key.text)])
        .await;
    assert_eq!(
        told.upstream_saw("x-tenantry-listener"),
        None,
        "it goes no further than the filter"
    );
    settled(&things.gateways, &foreign.hostname, THING, &foreign_key.text, 200).await;

    let none = json!({ "listeners": [] });
    things.stack.api.patch(&tenant, none).await.unwrap_or_else(|error| panic!("{error}"));
    eventually("the listener is closed", connect, |connected| !connected).await;
    assert_eq!(things.get(THING).await.status, 200);
    finish(things.stack).await;
}

#[tokio::test]
async fn an_eager_site_is_loaded_before_its_first_request() {
    let stack = tenantry_tests::start(Stack::builder("eager")).await;
    let upstream = tenantry_tests::echo("things");
    let tenant = Tenant::create(&stack.api, "Acme").await;
    let (lazy, eager) = (tenant.site("lazy").await, tenant.site("eager").await);
    for site in [&lazy, &eager] {
        site.serve_things(upstream.addr).await;
    }
    stack
        .api
        .patch(&eager.path, json!({ "eager": true }))
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let clusters = |id: String| {
        let stack = &stack;
        async move {
            stack.envoys[0].stats(&format!("cluster.site/{id}")).await.unwrap_or_default().len()
        }
    };
    eventually("the eager site's clusters", || clusters(eager.id.clone()), |count| *count > 0)
        .await;
    assert_eq!(clusters(lazy.id.clone()).await, 0, "nobody has asked for the lazy one");
    finish(stack).await;
}
