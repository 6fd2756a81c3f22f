//! Many sites in one request.

use axum::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::accounts::audited;
use crate::harness::{Api, Reply, id_of, with_api};
use crate::publishing::World;

async fn bulk(api: &Api, tenant: &str, body: Value) -> Reply {
    api.post(&format!("{tenant}/sites/bulk"), body).await
}

fn create(slug: &str) -> Value {
    json!({"op": "create", "site": {"name": slug, "slug": slug}})
}

fn rename(site: &str, name: &str) -> Value {
    json!({"op": "update", "site_id": id_of(site), "changes": {"name": name}})
}

fn statuses(reply: &Reply) -> Vec<u64> {
    reply.json()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["status"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn each_item_is_done_or_refused_for_itself() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let other = World::make(api, "globex").await;
        let doomed = api
            .make(&format!("{}/sites", world.tenant), json!({"name": "x", "slug": "doomed"}))
            .await;
        let absent = Uuid::now_v7().to_string();
        let items = json!([
            create("one"),
            create("globex"),
            rename(&world.site, "Renamed"),
            {"op": "update", "site_id": id_of(&world.site), "if_match": "\"1\"",
                "changes": {"name": "Late"}},
            rename(&other.site, "Stolen"),
            rename(&absent, "Nothing"),
            {"op": "clone", "site_id": id_of(&world.site),
                "site": {"name": "Copy", "slug": "copy"}},
            {"op": "clone", "site_id": id_of(&other.site),
                "site": {"name": "Copy", "slug": "copy-of-globex"}},
            {"op": "delete", "site_id": id_of(&doomed)},
            {"op": "delete", "site_id": id_of(&other.site)},
            {"op": "delete", "site_id": id_of(&doomed)},
            {"op": "create", "site": {"name": "", "slug": "-"}},
            {"op": "create", "site": {"name": "x", "slug": "x", "colour": "red"}},
            {"op": "paint", "site_id": absent},
            {"op": "delete", "site_id": "no id"},
            {"op": "update", "site_id": id_of(&world.site), "if_match": "1", "changes": {}},
            7,
            create("two"),
        ]);
        let reply = bulk(api, &world.tenant, json!({"items": items})).await.expect(200);
        assert_eq!(
            statuses(&reply),
            [
                201, 409, 200, 412, 404, 404, 201, 404, 204, 404, 404, 422, 422, 422, 422, 422,
                422, 201
            ]
        );
        let results = reply.json()["items"].as_array().unwrap().clone();
        let fields = |index: usize| -> Vec<Value> {
            let errors = results[index]["problem"]["errors"].as_array().unwrap();
            errors.iter().map(|error| error["field"].clone()).collect()
        };
        assert_eq!(results[1]["problem"]["type"], "urn:tenantry:problem:taken");
        assert_eq!(fields(11), ["site.name", "site.slug"]);
        assert_eq!((fields(12), fields(13)), (vec![json!("site.colour")], vec![json!("op")]));
        assert_eq!((fields(14), fields(15)), (vec![json!("site_id")], vec![json!("if_match")]));
        // A foreign site is answered like an absent one.
        assert_eq!(results[4]["problem"], results[5]["problem"]);
        for (done, place) in [(0, "one"), (6, "copy"), (17, "two")] {
            let made = api
                .get(&format!(
                    "{}/sites/{}",
                    world.tenant,
                    results[done]["site_id"].as_str().unwrap()
                ))
                .await;
            assert_eq!(
                (&made.json()["slug"], &json!(made.etag())),
                (&json!(place), &results[done]["etag"])
            );
        }
        assert_eq!(api.get(&world.site).await.json()["name"], "Renamed");
        assert_eq!(api.get(&other.site).await.json()["name"], "globex");
        // A refused item has left nothing in the audit log, and a done one has left a row.
        let at_first = 3;
        assert_eq!(audited(api, "site.create").await, at_first + 3);
        assert_eq!((audited(api, "site.update").await, audited(api, "site.delete").await), (1, 1));
        assert_eq!(audited(api, "site.clone").await, 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_atomic_is_done_whole_or_not_at_all() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let items = json!([create("one"), rename(&world.site, "Renamed"),
            {"op": "create", "site": {"name": "x", "slug": "-"}}]);
        let reply = bulk(api, &world.tenant, json!({"items": items, "atomic": true}))
            .await
            .problem(422, "invalid");
        assert!(reply.text().contains("item 2"), "{}", reply.text());
        reply.fields(&["items[2].site.slug"]);
        let items = json!([create("one"), {"op": "delete", "site_id": Uuid::now_v7()}]);
        bulk(api, &world.tenant, json!({"items": items, "atomic": true}))
            .await
            .problem(404, "not-found");
        let late = json!({"op": "update", "site_id": id_of(&world.site), "if_match": "\"7\"",
            "changes": {"name": "Late"}});
        let reply = bulk(api, &world.tenant, json!({"items": [late], "atomic": true}))
            .await
            .problem(412, "changed");
        assert_eq!(reply.header("etag"), "\"1\"");
        assert_eq!(api.count("SELECT count(*) FROM sites").await, 1);
        assert_eq!(api.get(&world.site).await.json()["name"], "acme");
        let items = json!([create("one"), rename(&world.site, "Renamed")]);
        let reply =
            bulk(api, &world.tenant, json!({"items": items, "atomic": true})).await.expect(200);
        assert_eq!(statuses(&reply), [201, 200]);
    })
    .await;
}

#[tokio::test]
async fn a_request_has_a_hundred_items_at_most_and_is_done_once() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let many: Vec<Value> = (0..101).map(|number| create(&format!("site-{number}"))).collect();
        bulk(api, &world.tenant, json!({"items": many}))
            .await
            .problem(422, "invalid")
            .fields(&["items"]);
        bulk(api, &world.tenant, json!({"items": []}))
            .await
            .problem(422, "invalid")
            .fields(&["items"]);
        bulk(api, &world.tenant, json!({"items": {}}))
            .await
            .problem(422, "invalid")
            .fields(&["items"]);
        bulk(api, &world.tenant, json!({"items": [create("x")], "force": true}))
            .await
            .expect(422)
            .fields(&["force"]);
        bulk(api, &format!("/v1/tenants/{}", Uuid::now_v7()), json!({"items": [create("x")]}))
            .await
            .expect(404);
        assert_eq!(api.count("SELECT count(*) FROM sites").await, 1);
        let once = || {
            let call = api
                .call(Method::POST, &format!("{}/sites/bulk", world.tenant))
                .header("idempotency-key", "all");
            call.json(&json!({"items": &many[..100]})).send()
        };
        let first = once().await.expect(200);
        assert_eq!(statuses(&first), [201; 100]);
        let again = once().await.expect(200);
        assert_eq!((again.header("idempotency-replayed"), again.text()), ("true", first.text()));
        assert_eq!(api.count("SELECT count(*) FROM sites").await, 101);
    })
    .await;
}

#[tokio::test]
async fn each_item_is_allowed_like_the_request_for_one_site() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let second = World::site(api, &world.tenant, "acme-two").await;
        let tenant = id_of(&world.tenant);
        let sites = json!([{"site_id": id_of(&world.site), "role": "developer"},
            {"site_id": id_of(&second.site), "role": "viewer"}]);
        let of_sites = api.colleague(tenant, json!({"role": null, "sites": sites})).await;
        let viewer = api.colleague(tenant, json!({"role": "viewer"})).await;
        let stranger = api.person().await;
        let third = api
            .make(&format!("{}/sites", world.tenant), json!({"name": "x", "slug": "third"}))
            .await;
        let items = json!({"items": [
            rename(&world.site, "Mine"), rename(&second.site, "Not mine"), rename(&third, "Unseen"),
            create("new"),
            {"op": "clone", "site_id": id_of(&world.site),
                "site": {"name": "Copy", "slug": "copy"}},
            {"op": "delete", "site_id": id_of(&second.site)},
        ]});
        let ask = |token: &str| {
            api.call_as(token, Method::POST, &format!("{}/sites/bulk", world.tenant))
                .json(&items)
                .send()
        };
        let reply = ask(&of_sites.token).await.expect(200);
        assert_eq!(statuses(&reply), [200, 403, 404, 403, 403, 403]);
        assert_eq!(statuses(&ask(&viewer.token).await.expect(200)), [403; 6]);
        ask(&stranger.token).await.problem(404, "not-found");
        let made = json!({"name": "reader", "role": "admin", "scopes": ["sites:read"]});
        let token = api
            .post(&format!("{}/service-tokens", world.tenant), made)
            .await
            .expect(201)
            .json()["token"]
            .clone();
        ask(token.as_str().unwrap()).await.problem(403, "scope");
        assert_eq!(api.get(&second.site).await.json()["name"], "acme-two");
    })
    .await;
}

#[tokio::test]
async fn requests_at_the_same_time_wait_for_each_other_and_none_is_lost() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let second = World::site(api, &world.tenant, "acme-two").await;
        let place = format!("{}/sites/bulk", world.tenant);
        let requests: Vec<_> = (0..12)
            .map(|number| {
                let (first, last) =
                    if number % 2 == 0 { (&world, &second) } else { (&second, &world) };
                let name = format!("name {number}");
                let items = json!([
                    rename(&first.site, &name),
                    create(&format!("new-{number}")),
                    rename(&last.site, &name)
                ]);
                let body = json!({"items": items, "atomic": number % 3 == 0});
                tokio::spawn(api.call(Method::POST, &place).json(&body).send())
            })
            .collect();
        for request in requests {
            assert_eq!(statuses(&request.await.unwrap().expect(200)), [200, 201, 200]);
        }
        let name = async |site: &str| api.get(site).await.json()["name"].clone();
        assert_eq!(name(&world.site).await, name(&second.site).await, "each was done as one");
        assert_eq!(api.get(&world.site).await.etag(), "\"13\"");
        assert_eq!(api.count("SELECT count(*) FROM sites").await, 14);
    })
    .await;
}
