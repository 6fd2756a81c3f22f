//! The life of a key, as two Envoys see it.

use std::time::{Duration, SystemTime};

use chrono::{TimeDelta, Utc};
use serde_json::json;
use stack::Stack;
use tenantry_tests::{
    THING, Things, finish, settled,
    tenant::{Key, SHARED_HOST, Tenant},
};

#[tokio::test]
async fn a_revoked_key_is_refused_everywhere_and_the_others_are_not() {
    let things = Things::start(Stack::builder("revoke").envoys(2)).await;
    let revoked = things.site.key("other").await;
    things.settled(THING, &revoked, 200).await;
    things.stack.api.delete(&revoked.path).await.expect("a revocation");
    things.settled(THING, &revoked, 403).await;
    for gateway in &things.gateways {
        assert_eq!(gateway.get(&things.site.hostname, THING, &things.key.text).await.status, 200);
    }
    finish(things.stack).await;
}

#[tokio::test]
async fn after_a_rotation_both_keys_work_until_the_grace_is_over() {
    const GRACE: Duration = Duration::from_secs(4);
    let things = Things::start(Stack::builder("rotate").envoys(2)).await;
    let old = &things.key;
    let rotated = SystemTime::now();
    let new = old.rotate(&things.stack.api, GRACE.as_secs()).await;
    things.settled(THING, &new, 200).await;
    for gateway in &things.gateways {
        let status = gateway.get(&things.site.hostname, THING, &old.text).await.status;
        let in_grace = rotated.elapsed().is_ok_and(|elapsed| elapsed < GRACE);
        assert!(status == 200 || !in_grace, "the old key was refused within its grace");
    }
    things.settled(THING, old, 403).await;
    assert!(
        rotated.elapsed().is_ok_and(|elapsed| elapsed >= GRACE),
        "refused before the grace was over"
    );
    for gateway in &things.gateways {
        assert_eq!(gateway.get(&things.site.hostname, THING, &new.text).await.status, 200);
    }
    finish(things.stack).await;
}

/// The filter knows the expiry: it needs no message, and no control plane, to refuse.
#[tokio::test]
async fn a_key_expires_by_itself_without_the_control_plane() {
    let mut things = Things::start(Stack::builder("expire")).await;
    let key = short_lived(&things).await;
    things.stack.xds.kill().await.expect("a kill");
    things.stack.allow_in_envoy_log("gRPC config stream");
    things.stack.allow_in_envoy_log("the stream to cluster xds ended");
    things.settled(THING, &key, 403).await;
    assert_eq!(things.get(THING).await.status, 200, "the other key goes on");
    finish(things.stack).await;
}

/// Makes a key that works now, and expires soon. On a slow machine a key may expire before it is
/// seen to work; the next one has more time.
async fn short_lived(things: &Things) -> Key {
    for seconds in [10, 30] {
        let expires_at = Utc::now() + TimeDelta::seconds(seconds);
        let name = format!("{seconds} seconds");
        let key = things.site.key_with(&name, json!({ "expires_at": expires_at })).await;
        while Utc::now() < expires_at {
            if things.get_with(&key.text).await.status == 200 {
                return key;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    panic!("no key was known before it had expired");
}

#[tokio::test]
async fn a_deleted_tenant_is_gone_from_every_envoy_and_its_neighbour_is_not() {
    let things = Things::start(Stack::builder("delete-tenant").envoys(2)).await;
    let neighbour = Tenant::create(&things.stack.api, "Globex").await.site("globex").await;
    neighbour.serve_things(things.upstream.addr).await;
    let neighbours_key = neighbour.key("app").await;
    settled(&things.gateways, &neighbour.hostname, THING, &neighbours_key.text, 200).await;
    things
        .stack
        .api
        .delete(&format!("/v1/tenants/{}", things.tenant.id))
        .await
        .expect("a deletion");
    things.settled(THING, &things.key, 404).await;
    settled(&things.gateways, SHARED_HOST, THING, &things.key.text, 403).await;
    for gateway in &things.gateways {
        assert_eq!(gateway.get(&neighbour.hostname, THING, &neighbours_key.text).await.status, 200);
    }
    finish(things.stack).await;
}
