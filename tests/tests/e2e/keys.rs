//! The life of a key, as two Envoys see it.

use std::time::{Duration, SystemTime};

use serde_json::json;
use stack::Stack;
use tenantry_tests::{echo, finish, gateways, settled, start, tenant::Tenant};

const PATH: &str = "/things/v1/1";

#[tokio::test]
async fn a_revoked_key_is_refused_everywhere_and_the_others_are_not() {
    let stack = start(Stack::builder("revoke").envoys(2)).await;
    let upstream = echo("things");
    let site = Tenant::create(&stack.api, "Acme").await.site("acme").await;
    site.serve_things(upstream.addr).await;
    let (key, other) = (site.key("app").await, site.key("other").await);
    let gateways = gateways(&stack);
    for key in [&key, &other] {
        settled(&gateways, &site.hostname, PATH, &key.text, 200).await;
    }
    stack.api.delete(&key.path).await.expect("a revocation");
    settled(&gateways, &site.hostname, PATH, &key.text, 403).await;
    for gateway in &gateways {
        assert_eq!(gateway.get(&site.hostname, PATH, &other.text).await.status, 200);
    }
    finish(stack).await;
}

#[tokio::test]
async fn after_a_rotation_both_keys_work_until_the_grace_is_over() {
    let stack = start(Stack::builder("rotate").envoys(2)).await;
    let upstream = echo("things");
    let site = Tenant::create(&stack.api, "Acme").await.site("acme").await;
    site.serve_things(upstream.addr).await;
    let old = site.key("app").await;
    let gateways = gateways(&stack);
    settled(&gateways, &site.hostname, PATH, &old.text, 200).await;
    let rotated = SystemTime::now();
    let new = old.rotate(&stack.api, 4).await;
    settled(&gateways, &site.hostname, PATH, &new.text, 200).await;
    for gateway in &gateways {
        let status = gateway.get(&site.hostname, PATH, &old.text).await.status;
        let in_grace = rotated.elapsed().is_ok_and(|elapsed| elapsed < Duration::from_secs(4));
        assert!(status == 200 || !in_grace, "the old key was refused within its grace");
    }
    settled(&gateways, &site.hostname, PATH, &old.text, 403).await;
    assert!(
        rotated.elapsed().is_ok_and(|elapsed| elapsed >= Duration::from_secs(4)),
        "refused before the grace was over"
    );
    for gateway in &gateways {
        assert_eq!(gateway.get(&site.hostname, PATH, &new.text).await.status, 200);
    }
    finish(stack).await;
}

/// The filter knows the expiry: it needs no message, and no control plane, to refuse.
#[tokio::test]
async fn a_key_expires_by_itself_without_the_control_plane() {
    let mut stack = start(Stack::builder("expire")).await;
    let upstream = echo("things");
    let site = Tenant::create(&stack.api, "Acme").await.site("acme").await;
    site.serve_things(upstream.addr).await;
    let keeper = site.key("keeper").await;
    let gateways = gateways(&stack);
    settled(&gateways, &site.hostname, PATH, &keeper.text, 200).await;
    let expires_at = chrono::Utc::now() + chrono::TimeDelta::seconds(5);
    let key = site.key_with("app", json!({ "expires_at": expires_at })).await;
    settled(&gateways, &site.hostname, PATH, &key.text, 200).await;
    stack.xds.kill().await.expect("a kill");
    stack.allow_in_envoy_log("gRPC config stream");
    stack.allow_in_envoy_log("the stream to cluster xds ended");
    settled(&gateways, &site.hostname, PATH, &key.text, 403).await;
    assert_eq!(gateways[0].get(&site.hostname, PATH, &keeper.text).await.status, 200);
    finish(stack).await;
}

#[tokio::test]
async fn a_deleted_tenant_is_gone_from_every_envoy_and_its_neighbour_is_not() {
    let stack = start(Stack::builder("delete-tenant").envoys(2)).await;
    let upstream = echo("things");
    let gateways = gateways(&stack);
    let mut sites = Vec::new();
    for name in ["acme", "globex"] {
        let site = Tenant::create(&stack.api, name).await.site(name).await;
        site.serve_things(upstream.addr).await;
        let key = site.key("app").await;
        settled(&gateways, &site.hostname, PATH, &key.text, 200).await;
        sites.push((site, key));
    }
    let (gone, gone_key) = &sites[0];
    stack.api.delete(&format!("/v1/tenants/{}", gone.tenant_id)).await.expect("a deletion");
    settled(&gateways, &gone.hostname, PATH, &gone_key.text, 404).await;
    settled(&gateways, tenantry_tests::tenant::SHARED_HOST, PATH, &gone_key.text, 403).await;
    let (kept, kept_key) = &sites[1];
    for gateway in &gateways {
        assert_eq!(gateway.get(&kept.hostname, PATH, &kept_key.text).await.status, 200);
    }
    finish(stack).await;
}
