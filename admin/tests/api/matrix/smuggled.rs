//! Ids of others outside of paths: in bodies, queries and headers.

use axum::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{id_of, with_api};
use crate::isolation::visible;
use crate::publishing::World;
use crate::state::state;

/// Bodies with an id of another object in them: that of a neighbour, and one that does not exist.
fn bodies(neighbour: &World, absent: &str) -> Vec<(&'static str, &'static str, Value, Value)> {
    let site = |id: &str| json!([{"site_id": id, "role": "viewer"}]);
    let pair = |of: &dyn Fn(&str) -> Value, foreign: &str| (of(id_of(foreign)), of(absent));
    let mut all = Vec::new();
    let mut add = |id, method, pair: (Value, Value)| all.push((id, method, pair.0, pair.1));
    let (upstream, plan) = (&neighbour.upstream, &neighbour.plan);
    add(
        "{site}/apis/{api}/versions",
        "POST",
        pair(&|id| json!({"name": "v7", "upstream_id": id}), upstream),
    );
    add("{version}", "PATCH", pair(&|id| json!({"upstream_id": id}), upstream));
    add("{version}/routes", "POST", pair(&|id| json!({"path": "/x", "upstream_id": id}), upstream));
    add("{route}", "PATCH", pair(&|id| json!({"upstream_id": id}), upstream));
    add("{site}/consumers", "POST", pair(&|id| json!({"name": "x", "plan_id": id}), plan));
    add("{consumer}", "PATCH", pair(&|id| json!({"plan_id": id}), plan));
    add(
        "{tenant}/service-tokens",
        "POST",
        pair(&|id| json!({"name": "x", "sites": site(id)}), &neighbour.site),
    );
    add(
        "{tenant}/invitations",
        "POST",
        pair(&|id| json!({"email": "a@b.test", "sites": site(id)}), &neighbour.site),
    );
    add("{member}", "PATCH", pair(&|id| json!({"sites": site(id)}), &neighbour.site));
    all
}

#[tokio::test]
async fn ids_of_others_in_bodies_queries_and_headers_are_like_absent_ones() {
    with_api(async |api| {
        let own = World::make(api, "acme").await;
        let victim = World::make(api, "globex").await;
        let admin = api.colleague(id_of(&own.tenant), json!({"role": "admin"})).await;
        let untouched = state(api, id_of(&victim.tenant)).await;
        let absent = Uuid::now_v7().to_string();
        for (place, method, foreign, absent) in bodies(&victim, &absent) {
            let path = place
                .replace("{site}/apis/{api}", &own.api)
                .replace("{site}", &own.site)
                .replace("{tenant}", &own.tenant)
                .replace("{version}", &own.version)
                .replace("{route}", &own.route)
                .replace("{consumer}", &own.consumer)
                .replace("{member}", &own.member);
            for token in [api.token.reveal(), &admin.token] {
                let send = async |body: &Value| {
                    api.call_as(token, method.parse().unwrap(), &path).json(body).send().await
                };
                let absent = send(&absent).await.problem(422, "invalid");
                assert_eq!(visible(&send(&foreign).await), visible(&absent), "{method} {place}");
            }
        }
        // A cursor is a position in the caller's own list, whoever owns the id in it.
        let page = |tenant: &str| format!("{tenant}/sites?limit=1");
        World::site(api, &victim.tenant, "globex-two").await;
        let untouched_after = state(api, id_of(&victim.tenant)).await;
        let cursor =
            api.get(&page(&victim.tenant)).await.json()["next_cursor"].as_str().unwrap().to_owned();
        let listed = api.call_as(
            &admin.token,
            Method::GET,
            &format!("{}&cursor={cursor}", page(&own.tenant)),
        );
        assert!(!listed.send().await.expect(200).text().contains(id_of(&victim.site)));
        // A key that another caller has used is new.
        let theirs = api.colleague(id_of(&victim.tenant), json!({"role": "admin"})).await;
        let mut texts = Vec::new();
        for (token, world) in [(&theirs.token, &victim), (&admin.token, &own)] {
            let call =
                api.call_as(token, Method::POST, &format!("{}/service-tokens", world.tenant));
            let call = call
                .header("idempotency-key", "shared")
                .json(&json!({"name": "x", "role": "viewer"}));
            let reply = call.send().await.expect(201);
            assert!(!reply.headers.contains_key("idempotency-replayed"));
            texts.push(reply.text());
        }
        assert_ne!(texts[0], texts[1]);
        assert_ne!(untouched, untouched_after, "the hash sees what was made");
    })
    .await;
}
