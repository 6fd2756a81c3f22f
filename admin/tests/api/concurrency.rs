//! Entity tags: no change is lost.

use axum::http::Method;
use serde_json::json;

use crate::harness::with_api;
use crate::publishing::World;

#[tokio::test]
async fn a_change_of_an_old_revision_is_refused() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let patch = |tag: &str, name: &str| {
            api.call(Method::PATCH, &world.site)
                .header("if-match", tag)
                .json(&json!({"name": name}))
                .send()
        };
        patch("\"1\"", "first").await.expect(200);
        let reply = patch("\"1\"", "second").await.problem(412, "changed");
        assert_eq!(reply.header("etag"), "\"2\"");
        for tag in ["W/\"2\"", "\"x\"", "\"99999999999999999999\""] {
            patch(tag, "third").await.problem(412, "changed");
        }
        patch("2", "third").await.problem(400, "header");
        patch("\"2\", \"3\"", "third").await.problem(400, "header");
        patch("*", "fourth").await.expect(200);
        let delete =
            |tag: &str| api.call(Method::DELETE, &world.site).header("if-match", tag).send();
        delete("\"2\"").await.problem(412, "changed");
        delete("\"3\"").await.expect(204);
        delete("\"3\"").await.problem(404, "not-found");
    })
    .await;
}

#[tokio::test]
async fn of_parallel_changes_of_one_revision_one_is_made() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let changes = (0..10).map(|number| {
            let body = json!({"name": format!("name {number}")});
            tokio::spawn(
                api.call(Method::PATCH, &world.upstream)
                    .header("if-match", "\"1\"")
                    .json(&body)
                    .send(),
            )
        });
        let mut statuses = Vec::new();
        for change in changes.collect::<Vec<_>>() {
            statuses.push(change.await.unwrap().status);
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [[200].as_slice(), &[412; 9]].concat());
    })
    .await;
}

#[tokio::test]
async fn of_parallel_routes_that_collide_one_is_made() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let routes = (0..10).map(|number| {
            let body = json!({"path": format!("/parallel/{{p{number}}}"), "methods": ["GET"]});
            tokio::spawn(
                api.call(Method::POST, &format!("{}/routes", world.version)).json(&body).send(),
            )
        });
        let mut statuses = Vec::new();
        for route in routes.collect::<Vec<_>>() {
            statuses.push(route.await.unwrap().status);
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [[201].as_slice(), &[409; 9]].concat());
    })
    .await;
}

#[tokio::test]
async fn what_the_client_has_is_not_sent_again() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let get =
            |tag: &str| api.call(Method::GET, &world.site).header("if-none-match", tag).send();
        for tag in ["\"1\"", "W/\"1\"", "\"0\", \"1\"", "*"] {
            let reply = get(tag).await.expect(304);
            assert!(reply.body.is_empty());
            assert_eq!(reply.etag(), "\"1\"");
        }
        get("\"2\"").await.expect(200);
    })
    .await;
}
