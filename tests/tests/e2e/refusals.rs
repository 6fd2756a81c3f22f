//! Refused requests, and the answers that they get.

use reqwest::Method;
use stack::Stack;
use tenantry_tests::{
    THING, Things, echo, finish, gateways, settled, start,
    tenant::{SHARED_HOST, Tenant},
};

#[tokio::test]
async fn every_failed_authentication_is_the_same_403() {
    let stack = start(Stack::builder("same-403")).await;
    let upstream = echo("things");
    let acme = Tenant::create(&stack.api, "Acme").await;
    let (site, sibling) = (acme.site("acme").await, acme.site("acme-staging").await);
    let foreign = Tenant::create(&stack.api, "Globex").await.site("globex").await;
    for site in [&site, &sibling, &foreign] {
        site.serve_things(upstream.addr).await;
    }
    let good = site.key("app").await;
    let revoked = site.key("revoked").await;
    let short_lived = site.key("expired").await;
    let expired = short_lived.rotate(&stack.api, 0).await;
    stack.api.delete(&revoked.path).await.expect("a revocation");
    let siblings = sibling.key("app").await;
    let foreigners = foreign.key("app").await;
    let gateways = gateways(&stack);
    let path = THING;
    for (site, key) in
        [(&site, &good), (&site, &expired), (&sibling, &siblings), (&foreign, &foreigners)]
    {
        settled(&gateways, &site.hostname, path, &key.text, 200).await;
    }

    let mut mistyped = good.text.clone();
    mistyped.replace_range(12..13, if &mistyped[12..13] == "a" { "b" } else { "a" });
    let never_made =
        policy::key::ApiKey::from_random(policy::key::Environment::Live, &[5; 64]).expect("a key");
    let bearers: Vec<String> =
        [&mistyped, &foreigners.text].iter().map(|key| format!("Bearer {key}")).collect();
    let refused: Vec<(&str, Vec<(&str, &str)>)> = vec![
        ("no key", vec![]),
        ("an empty key", vec![("x-api-key", "")]),
        ("a malformed key", vec![("x-api-key", "junk")]),
        ("a mistyped key", vec![("x-api-key", &mistyped)]),
        ("a mistyped bearer key", vec![("authorization", &bearers[0])]),
        ("an unknown key", vec![("x-api-key", never_made.reveal())]),
        ("a revoked key", vec![("x-api-key", &revoked.text)]),
        ("an expired key", vec![("x-api-key", &short_lived.text)]),
        ("another tenant's key", vec![("x-api-key", &foreigners.text)]),
        ("another tenant's key as a bearer", vec![("authorization", &bearers[1])]),
        ("a key of another site of the tenant", vec![("x-api-key", &siblings.text)]),
        ("two keys", vec![("x-api-key", &good.text), ("x-api-key", &siblings.text)]),
        ("another scheme", vec![("authorization", "Basic dXNlcjpwYXNz")]),
    ];
    let before = upstream.total();
    let reference = gateways[0].send(Method::GET, &site.hostname, path, &[]).await;
    reference.assert_problem(403);
    for (what, headers) in &refused {
        for path in [THING, "/none", "/things/v1/1?x=y"] {
            let answer = gateways[0].send(Method::GET, &site.hostname, path, headers).await;
            assert_eq!(answer.fingerprint(), reference.fingerprint(), "{what} at {path}");
        }
    }
    for (what, headers) in refused
        .iter()
        .filter(|(what, _)| !what.contains("another tenant") && !what.contains("site"))
    {
        let answer = gateways[0].send(Method::GET, SHARED_HOST, path, headers).await;
        assert_eq!(answer.fingerprint(), reference.fingerprint(), "{what} on the shared host");
    }
    assert_eq!(upstream.total(), before, "a refused request reached the upstream");
    finish(stack).await;
}

#[tokio::test]
async fn a_host_that_no_site_owns_is_404_whatever_the_credentials() {
    let things = Things::start(Stack::builder("unknown-host")).await;
    let gateway = &things.gateways[0];
    let reference = gateway.get("nobody.gw.localhost", THING, "").await;
    reference.assert_problem(404);
    for host in [
        "nobody.gw.localhost",
        "gw.localhost",
        "acme.other.example",
        "xacme.gw.localhost",
        "127.0.0.1",
    ] {
        for key in ["", "junk", &things.key.text] {
            let answer = gateway.get(host, THING, key).await;
            assert_eq!(answer.fingerprint(), reference.fingerprint(), "{host} with {key:.8}");
        }
    }
    finish(things.stack).await;
}

#[tokio::test]
async fn paths_and_methods_are_learnt_after_authentication() {
    let things = Things::start(Stack::builder("after-authentication")).await;
    let key = [("x-api-key", things.key.text.as_str())];
    things.send(Method::GET, "/things/v1/1/more", &key).await.assert_problem(404);
    things.send(Method::GET, "/things/v1/1/more", &[]).await.assert_problem(403);
    let answer = things.send(Method::DELETE, THING, &key).await;
    answer.assert_problem(405);
    assert_eq!(answer.header("allow"), Some("GET"));
    things.send(Method::DELETE, THING, &[]).await.assert_problem(403);
    finish(things.stack).await;
}

#[tokio::test]
async fn on_the_shared_host_the_key_alone_tells_the_tenant() {
    let stack = start(Stack::builder("shared-host")).await;
    let gateways = gateways(&stack);
    let mut owners = Vec::new();
    for name in ["acme", "globex"] {
        let upstream = echo(name);
        let site = Tenant::create(&stack.api, name).await.site(name).await;
        site.serve_things(upstream.addr).await;
        owners.push((upstream, site.key("app").await, site));
    }
    for (upstream, key, site) in &owners {
        settled(&gateways, SHARED_HOST, THING, &key.text, 200).await;
        let answer = gateways[0].get(SHARED_HOST, THING, &key.text).await;
        assert_eq!(answer.upstream(), upstream.name);
        assert_eq!(answer.upstream_saw("x-tenantry-tenant").as_ref(), Some(&site.tenant_id));
        assert_eq!(answer.upstream_saw("x-tenantry-site").as_ref(), Some(&site.id));
    }
    finish(stack).await;
}
