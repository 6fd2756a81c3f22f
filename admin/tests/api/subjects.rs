//! The names that tokens give to consumers.

use serde_json::json;

use crate::harness::with_api;
use crate::publishing::World;

#[tokio::test]
async fn a_subject_is_one_consumers() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let neighbour = World::site(api, &world.tenant, "acme-two").await;
        let settings = json!({"settings": {"subjects": [{"issuer": "https://login.example/",
            "value": "app-1"}]}});
        api.patch(&world.consumer, settings.clone()).await.expect(200);
        api.patch(&world.consumer, settings.clone()).await.expect(200);
        let consumers = format!("{}/consumers", world.site);
        let new = json!({"name": "second", "settings": settings["settings"]});
        let reply = api.post(&consumers, new.clone()).await.problem(409, "taken");
        assert!(reply.text().contains("app-1"), "{}", reply.text());
        let second = api.make(&consumers, json!({"name": "second"})).await;
        api.patch(&second, settings.clone()).await.problem(409, "taken");
        api.patch(&neighbour.consumer, settings.clone()).await.expect(200);
        // A name that was given up is free.
        api.patch(&world.consumer, json!({"settings": {}})).await.expect(200);
        api.patch(&second, settings.clone()).await.expect(200);
        api.delete(&second).await.expect(204);
        api.patch(&world.consumer, settings).await.expect(200);
    })
    .await;
}
