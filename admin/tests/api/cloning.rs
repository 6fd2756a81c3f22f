//! Copies of sites, as their makers see them.

use axum::http::Method;
use serde_json::{Value, json};

use crate::accounts::audited;
use crate::harness::{Api, Options, id_of, with_api};
use crate::publishing::World;

/// The items of a list, without the fields that differ between all objects.
async fn items(api: &Api, list: &str) -> Vec<Value> {
    let mut items = api.get(&format!("{list}?limit=200")).await.expect(200).json()["items"]
        .as_array()
        .unwrap()
        .clone();
    for item in &mut items {
        let fields = item.as_object_mut().unwrap();
        for own in ["id", "created_at", "updated_at", "upstream_id"] {
            fields.remove(own);
        }
    }
    items
}

/// Makes an issuer with a shared secret.
async fn shared_secret(api: &Api, site: &str) {
    let secret = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=";
    let issuer = json!({"issuer": "https://shared.example/", "algorithms": ["HS256"],
        "shared_secret": secret});
    api.make(&format!("{site}/issuers"), issuer).await;
}

#[tokio::test]
async fn a_copy_has_what_the_original_publishes_and_nobody_who_calls_it() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        shared_secret(api, &world.site).await;
        let body = json!({"name": "Staging", "slug": "acme-staging", "environment": "test",
                "hostnames": ["acme-preview"]});
        let reply = api.post(&format!("{}/clone", world.site), body).await.expect(201);
        let copy = reply.location();
        assert_eq!(
            copy,
            format!("{}/sites/{}", world.tenant, reply.json()["id"].as_str().unwrap())
        );
        let (made, original) = (reply.json(), api.get(&world.site).await.json());
        assert_eq!(
            (&made["name"], &made["slug"], &made["environment"]),
            (&json!("Staging"), &json!("acme-staging"), &json!("test"))
        );
        assert_eq!(
            (&made["settings"], &made["eager"]),
            (&original["settings"], &original["eager"])
        );
        assert_eq!(api.get(&copy).await.expect(200).etag(), reply.etag());
        for list in ["upstreams", "apis", "plans", "issuers"] {
            assert_eq!(
                items(api, &format!("{copy}/{list}")).await,
                items(api, &format!("{}/{list}", world.site)).await,
                "{list}"
            );
        }
        assert_eq!(items(api, &format!("{copy}/consumers")).await, Vec::<Value>::new());
        let names: Vec<Value> = items(api, &format!("{copy}/hostnames"))
            .await
            .iter()
            .map(|item| item["name"].clone())
            .collect();
        assert_eq!(names, ["acme-staging.gw.test", "acme-preview.gw.test"]);
        assert_eq!(audited(api, "site.clone").await, 1);
        // The copy is a site like any other: it changes by itself.
        api.delete(&world.site).await.expect(204);
        api.get(&copy).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn a_copy_is_made_once_and_by_who_may_make_sites() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let other = World::make(api, "globex").await;
        let place = format!("{}/clone", world.site);
        let body = |slug: &str| json!({"name": "Copy", "slug": slug});
        let once =
            || api.call(Method::POST, &place).header("idempotency-key", "k").json(&body("copy"));
        let first = once().send().await.expect(201);
        let again = once().send().await.expect(201);
        assert_eq!(
            (first.location(), again.header("idempotency-replayed")),
            (again.location(), "true")
        );
        api.post(&place, body("copy")).await.problem(409, "taken").fields(&["slug"]);
        let names = json!({"name": "Copy", "slug": "two", "hostnames": ["globex-alt"]});
        api.post(&place, names).await.problem(409, "taken").fields(&["hostnames"]);
        let wrong = json!({"name": "", "slug": "-", "hostnames": ["ok", "api"]});
        api.post(&place, wrong).await.problem(422, "invalid").fields(&[
            "name",
            "slug",
            "hostnames[1]",
        ]);
        api.post(&place, json!({"name": "x", "slug": "x", "settings": {}}))
            .await
            .expect(422)
            .fields(&["settings"]);

        let sites = json!([{"site_id": id_of(&world.site), "role": "admin"}]);
        let of_site =
            api.colleague(id_of(&world.tenant), json!({"role": null, "sites": sites})).await;
        let developer = api.colleague(id_of(&world.tenant), json!({"role": "developer"})).await;
        let ask = |token: &str, site: &str, slug: &str| {
            api.call_as(token, Method::POST, &format!("{site}/clone")).json(&body(slug)).send()
        };
        ask(&of_site.token, &world.site, "three").await.problem(403, "forbidden");
        ask(&developer.token, &other.site, "three").await.problem(404, "not-found");
        let mixed = format!("{}/sites/{}", world.tenant, id_of(&other.site));
        ask(&developer.token, &mixed, "three").await.problem(404, "not-found");
        ask(&developer.token, &world.site, "three").await.expect(201);
    })
    .await;
}

#[tokio::test]
async fn a_secret_is_copied_with_the_key_that_it_is_sealed_with_alone() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        shared_secret(api, &world.site).await;
        let keyless = api.with(Options { secrets: None, ..Options::default() });
        let body = json!({"name": "Copy", "slug": "copy"});
        keyless
            .post(&format!("{}/clone", world.site), body.clone())
            .await
            .problem(503, "no-secrets-key");
        assert_eq!(
            api.count("SELECT count(*) FROM sites").await,
            1,
            "a copy is whole, or it is not made"
        );
        api.post(&format!("{}/clone", world.site), body).await.expect(201);
        let sealed =
            "SELECT count(DISTINCT secret_sealed) FROM issuers WHERE secret_sealed IS NOT NULL";
        assert_eq!(api.count(sealed).await, 2, "each for its place");
    })
    .await;
}
