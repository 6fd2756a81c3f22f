//! Routes that come, change and go while traffic runs.

use serde_json::json;
use stack::Stack;
use tenantry_tests::{
    echo, eventually, finish, gateways, load::Load, settled, start, tenant::Tenant,
};

/// A site is edited over and over under load, and its neighbour is under load too: neither loses a
/// request.
#[tokio::test]
async fn changes_are_live_and_lose_no_request() {
    let stack = start(Stack::builder("live-routes")).await;
    let (first, second) = (echo("first"), echo("second"));
    let gateways = gateways(&stack);
    let gateway = &gateways[0];
    let mut sites = Vec::new();
    for name in ["acme", "globex"] {
        let site = Tenant::create(&stack.api, name).await.site(name).await;
        let version = site.serve_things(first.addr).await;
        let key = site.key("app").await;
        settled(&gateways, &site.hostname, "/things/v1/1", &key.text, 200).await;
        sites.push((site, version, key));
    }
    let loads: Vec<_> = sites
        .iter()
        .map(|(site, _, key)| {
            Load::start(gateway.address(), &site.hostname, "/things/v1/1", &key.text)
        })
        .collect();
    loads[0].warm_up().await;

    let (site, version, key) = &sites[0];
    let other_upstream = site.upstream("second", second.addr).await;
    for round in 0..5 {
        let path = format!("/things/v1/1/round-{round}");
        let moved = format!("/things/v1/1/moved-{round}");
        let route = version.route(&["GET"], &format!("/{{id}}/round-{round}")).await;
        settled(&gateways, &site.hostname, &path, &key.text, 200).await;
        let route_path = format!("{}/routes/{route}", version.path);
        let to_other = json!({ "upstream_id": other_upstream });
        stack.api.patch(&route_path, to_other).await.expect("another upstream");
        let upstream = || async { gateway.get(&site.hostname, &path, &key.text).await.upstream() };
        eventually("the other upstream", upstream, |name| name == "second").await;
        let to_moved = json!({ "path": format!("/{{id}}/moved-{round}") });
        stack.api.patch(&route_path, to_moved).await.expect("another path");
        settled(&gateways, &site.hostname, &moved, &key.text, 200).await;
        settled(&gateways, &site.hostname, &path, &key.text, 404).await;
        stack.api.delete(&route_path).await.expect("a deletion");
        settled(&gateways, &site.hostname, &moved, &key.text, 404).await;
    }
    // The route under load itself is sent elsewhere and back, and the upstream that it leaves is
    // deleted.
    let loaded = version
        .routes()
        .await
        .iter()
        .find(|route| route["path"] == "/{id}")
        .map(tenantry_tests::tenant::id);
    let loaded_path = format!("{}/routes/{}", version.path, loaded.expect("the loaded route"));
    for (upstream_id, name) in [(json!(other_upstream), "second"), (json!(null), "first")] {
        stack
            .api
            .patch(&loaded_path, json!({ "upstream_id": upstream_id }))
            .await
            .expect("an upstream");
        let upstream =
            || async { gateway.get(&site.hostname, "/things/v1/1", &key.text).await.upstream() };
        eventually("the loaded route's upstream", upstream, |upstream| upstream == name).await;
    }
    stack
        .api
        .delete(&format!("{}/upstreams/{other_upstream}", site.path))
        .await
        .expect("a deletion");
    let fresh = site.key("late").await;
    settled(&gateways, &site.hostname, "/things/v1/1", &fresh.text, 200).await;
    for load in loads {
        load.stop_without_a_loss().await;
    }
    finish(stack).await;
}

/// One tenant's change sends that tenant's resources alone.
#[tokio::test]
async fn a_change_touches_its_own_site_alone() {
    let stack = start(Stack::builder("own-site")).await;
    let upstream = echo("things");
    let gateways = gateways(&stack);
    let mut sites = Vec::new();
    for name in ["acme", "globex"] {
        let site = Tenant::create(&stack.api, name).await.site(name).await;
        let version = site.serve_things(upstream.addr).await;
        let key = site.key("app").await;
        settled(&gateways, &site.hostname, "/things/v1/1", &key.text, 200).await;
        sites.push((site, version, key));
    }
    let updates = |site: String| {
        let envoy = &stack.envoys[0];
        async move {
            let loads =
                envoy.stats(&format!("rds.site/{site}.config_reload:")).await.expect("stats");
            loads.iter().map(|(_, count)| count).sum::<u64>()
        }
    };
    let before = (updates(sites[0].0.id.clone()).await, updates(sites[1].0.id.clone()).await);
    assert!(before.0 > 0 && before.1 > 0, "Envoy counts the updates of each site: {before:?}");
    sites[0].1.route(&["GET"], "/{id}/more").await;
    settled(&gateways, &sites[0].0.hostname, "/things/v1/1/more", &sites[0].2.text, 200).await;
    assert!(updates(sites[0].0.id.clone()).await > before.0, "the changed site was updated");
    assert_eq!(updates(sites[1].0.id.clone()).await, before.1, "its neighbour was not");
    finish(stack).await;
}

/// A site's clusters are on an Envoy only after a request for the site there.
#[tokio::test]
async fn a_site_is_loaded_by_its_first_request() {
    let stack = start(Stack::builder("lazy")).await;
    let upstream = echo("things");
    let gateways = gateways(&stack);
    let tenant = Tenant::create(&stack.api, "Acme").await;
    let (asked, idle) = (tenant.site("asked").await, tenant.site("idle").await);
    asked.serve_things(upstream.addr).await;
    idle.serve_things(upstream.addr).await;
    let (asked_key, idle_key) = (asked.key("app").await, idle.key("app").await);
    settled(&gateways, &asked.hostname, "/things/v1/1", &asked_key.text, 200).await;
    let clusters = |site: String| {
        let envoy = &stack.envoys[0];
        async move {
            envoy
                .config_dump()
                .await
                .expect("a config dump")
                .to_string()
                .contains(&format!("site/{site}/"))
        }
    };
    assert!(clusters(asked.id.clone()).await);
    assert!(!clusters(idle.id.clone()).await, "a site that nobody asked for is on the Envoy");
    settled(&gateways, &idle.hostname, "/things/v1/1", &idle_key.text, 200).await;
    assert!(clusters(idle.id.clone()).await);
    finish(stack).await;
}
