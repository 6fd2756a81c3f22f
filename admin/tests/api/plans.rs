//! Plans, and the consumers that have them.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{id_of, with_api};
use crate::publishing::World;

#[tokio::test]
async fn a_consumer_has_a_plan_of_its_site_or_none() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let neighbour = World::site(api, &world.tenant, "acme-two").await;
        let other = World::make(api, "globex").await;
        let consumers = format!("{}/consumers", world.site);
        let new = json!({"name": "with", "plan_id": id_of(&world.plan)});
        let consumer = api.post(&consumers, new).await.expect(201);
        assert_eq!(consumer.json()["plan_id"], id_of(&world.plan));
        let place = consumer.location();
        api.patch(&place, json!({"name": "renamed"})).await.expect(200);
        assert_eq!(
            api.get(&place).await.json()["plan_id"],
            id_of(&world.plan),
            "it stays when nobody speaks of it"
        );
        let after = api.patch(&place, json!({"plan_id": null})).await.expect(200).json();
        assert_eq!(after["plan_id"], Value::Null);
        api.patch(&place, json!({"plan_id": id_of(&world.plan)})).await.expect(200);

        let absent = Uuid::now_v7().to_string();
        for foreign in [id_of(&neighbour.plan), id_of(&other.plan), &absent] {
            let new = json!({"name": "foreign", "plan_id": foreign});
            api.post(&consumers, new).await.problem(422, "invalid").fields(&["plan_id"]);
            api.patch(&place, json!({"plan_id": foreign}))
                .await
                .problem(422, "invalid")
                .fields(&["plan_id"]);
        }
        api.patch(&place, json!({"plan_id": "x"}))
            .await
            .problem(422, "invalid")
            .fields(&["plan_id"]);
    })
    .await;
}

#[tokio::test]
async fn a_plan_in_use_stays() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        api.patch(&world.consumer, json!({"plan_id": id_of(&world.plan)})).await.expect(200);
        let reply = api.delete(&world.plan).await.problem(409, "in-use");
        assert!(
            reply.text().contains(id_of(&world.consumer)),
            "it names the consumer: {}",
            reply.text()
        );
        api.get(&world.plan).await.expect(200);
        api.patch(&world.consumer, json!({"plan_id": null})).await.expect(200);
        api.delete(&world.plan).await.expect(204);
    })
    .await;
}

#[tokio::test]
async fn the_audit_log_tells_of_plans() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        api.patch(
            &world.plan,
            json!({"settings": {"limits": [{"name": "a", "requests": 7, "per": "hour"}]}}),
        )
        .await
        .expect(200);
        let told = "SELECT count(*) FROM audit_log WHERE action = 'plan.update'
                    AND after #>> '{settings,limits,0,requests}' = '7'";
        assert_eq!(api.count(told).await, 1);
    })
    .await;
}
