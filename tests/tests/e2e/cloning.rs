//! A copy of a site answers like the original, to its own callers.

use serde_json::json;
use stack::Stack;
use tenantry_tests::{THING, Things, finish, settled};

#[tokio::test]
async fn a_copy_answers_to_its_own_keys_and_goes_on_without_the_original() {
    let things = Things::start(Stack::builder("cloning").envoys(2)).await;
    let api = &things.stack.api;
    let body = json!({"name": "Staging", "slug": "acme-staging", "hostnames": ["acme-preview"]});
    let copy =
        api.post(&format!("{}/clone?wait=20", things.site.path), body).await.expect("a copy");
    let place =
        format!("/v1/tenants/{}/sites/{}", things.tenant.id, copy["id"].as_str().expect("an id"));
    let host = "acme-staging.gw.localhost";

    // A caller of the original is unknown here.
    settled(&things.gateways, host, THING, &things.key.text, 403).await;
    let consumer =
        api.post(&format!("{place}/consumers"), json!({"name": "app"})).await.expect("a consumer");
    let keys =
        format!("{place}/consumers/{}/keys?wait=20", consumer["id"].as_str().expect("an id"));
    let key = api.post(&keys, json!({"name": "first"})).await.expect("a key")["key"]
        .as_str()
        .expect("text")
        .to_owned();
    for name in [host, "acme-preview.gw.localhost"] {
        settled(&things.gateways, name, THING, &key, 200).await;
    }
    let (of_copy, of_original) =
        (things.gateways[0].get(host, THING, &key).await, things.get(THING).await);
    assert_eq!(of_copy.upstream(), of_original.upstream());
    assert_eq!(of_copy.json()["path"], of_original.json()["path"]);
    assert_ne!(of_copy.route(), of_original.route(), "its routes are its own");
    assert_eq!(
        things.get_with(&key).await.status,
        403,
        "a key of the copy is none of the original"
    );

    api.delete(&format!("{}?wait=20", things.site.path)).await.expect("it is removed");
    for gateway in &things.gateways {
        assert_eq!(gateway.get(&things.site.hostname, THING, &things.key.text).await.status, 404);
        assert_eq!(gateway.get(host, THING, &key).await.status, 200);
    }
    finish(things.stack).await;
}
