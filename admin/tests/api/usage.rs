//! Usage: the questions of a tenant, and the answers that it gets.

use serde_json::{Value, json};
use sqlx::Row as _;

use crate::harness::{Api, id_of, with_api};
use crate::publishing::World;

const SPAN: &str = "from=2026-03-31T22:00:00Z&to=2026-04-01T02:00:00Z";

/// Adds sums of one hour as xds-server would: all requests took 11 to 20 ms.
async fn used(
    api: &Api,
    world: &World,
    hour: &str,
    status_class: i16,
    consumer: bool,
    requests: i64,
) {
    let consumer = consumer.then(|| (id_of(&world.consumer), id_of(&world.key)));
    sqlx::query(
        "INSERT INTO usage_hours VALUES ($1::uuid, $2::timestamptz, $3::uuid, $4::uuid, $5::uuid, \
        $6::uuid, $7, $8,
             10 * $8, 20 * $8, 15500 * $8, ARRAY[0,0,0,0,$8,0,0,0,0,0,0,0,0,0,0,0])",
    )
    .bind(id_of(&world.tenant))
    .bind(hour)
    .bind(id_of(&world.site))
    .bind(consumer.map(|(consumer, _)| consumer))
    .bind(consumer.map(|(_, key)| key))
    .bind(id_of(&world.route))
    .bind(status_class)
    .bind(requests)
    .execute(&api.superuser)
    .await
    .unwrap();
}

/// Two sites of a tenant, and a neighbour whose usage the tenant must not see.
async fn some_usage(api: &Api) -> (World, World, World) {
    let own = World::make(api, "acme").await;
    let second = World::site(api, &own.tenant, "acme-two").await;
    let other = World::make(api, "globex").await;
    for (world, times) in [(&own, 1), (&second, 10), (&other, 1_000)] {
        for hour in
            ["2026-03-31T21:00Z", "2026-03-31T22:00Z", "2026-04-01T01:00Z", "2026-04-01T02:00Z"]
        {
            used(api, world, hour, 2, true, 3 * times).await;
            used(api, world, hour, 4, false, times).await;
        }
    }
    (own, second, other)
}

#[tokio::test]
async fn a_tenant_is_told_its_own_sums() {
    with_api(async |api| {
        let (own, second, other) = some_usage(api).await;
        let usage = api.get(&format!("{}/usage?{SPAN}", own.tenant)).await.expect(200).json();
        let latency = json!({"mean_ms": 15.5, "p50_ms": 20, "p95_ms": 20, "p99_ms": 20});
        let item = json!({
            "start": "2026-03-31T22:00:00Z",
            "requests": 88, "request_bytes": 880, "response_bytes": 1760, "latency": latency,
        });
        assert_eq!(
            usage,
            json!({
                "from": "2026-03-31T22:00:00Z", "to": "2026-04-01T02:00:00Z", "step": "total",
                "items": [item], "next_cursor": null,
            })
        );
        for (world, requests) in [(&own, 8), (&second, 80), (&other, 8_000)] {
            let usage = api.get(&format!("{}/usage?{SPAN}", world.site)).await.expect(200).json();
            assert_eq!(usage["items"][0]["requests"], requests);
        }
        let foreign = format!("{}/sites/{}/usage?{SPAN}", own.tenant, id_of(&other.site));
        api.get(&foreign).await.problem(404, "not-found");
        let empty = api.get(&format!("{}/usage", own.tenant)).await.expect(200).json();
        assert_eq!(empty["items"], json!([]), "there is none of the last day");
    })
    .await;
}

#[tokio::test]
async fn usage_is_divided_by_time_and_told_apart() {
    with_api(async |api| {
        let (own, second, _) = some_usage(api).await;
        let ask = async |query: &str| {
            let usage =
                api.get(&format!("{}/usage?{SPAN}&{query}", own.tenant)).await.expect(200).json();
            usage["items"].as_array().unwrap().clone()
        };
        let starts =
            |items: &[Value]| items.iter().map(|item| item["start"].clone()).collect::<Vec<_>>();
        for (step, second_start) in [
            ("hour", "2026-04-01T01:00:00Z"),
            ("day", "2026-04-01T00:00:00Z"),
            ("month", "2026-04-01T00:00:00Z"),
        ] {
            assert_eq!(
                starts(&ask(&format!("step={step}")).await),
                ["2026-03-31T22:00:00Z", second_start],
                "{step}"
            );
        }
        let items = ask("group_by=consumer,key,status_class&step=day").await;
        let parts: Vec<_> = items
            .iter()
            .filter(|item| item["start"] == "2026-04-01T00:00:00Z")
            .map(|item| {
                (
                    item["consumer_id"].clone(),
                    item["key_id"].clone(),
                    item["status_class"].clone(),
                    item["requests"].clone(),
                )
            })
            .collect();
        assert_eq!(
            parts,
            [
                (Value::Null, Value::Null, json!("4xx"), json!(11)),
                (json!(id_of(&own.consumer)), json!(id_of(&own.key)), json!("2xx"), json!(3)),
                (
                    json!(id_of(&second.consumer)),
                    json!(id_of(&second.key)),
                    json!("2xx"),
                    json!(30)
                ),
            ]
        );
        let items = ask("group_by=site,route").await;
        let parts: Vec<_> =
            items.iter().map(|item| (item["site_id"].clone(), item["route_id"].clone())).collect();
        let of = |world: &World| (json!(id_of(&world.site)), json!(id_of(&world.route)));
        assert_eq!(parts, [of(&own), of(&second)]);
    })
    .await;
}

#[tokio::test]
async fn pages_of_usage_are_of_one_span() {
    with_api(async |api| {
        let (own, ..) = some_usage(api).await;
        // The sums are in the current hour, for pages of a span that ends now.
        let now: String = sqlx::query(
            "SELECT to_char(date_trunc('hour', now(), 'UTC') AT TIME ZONE 'UTC', \
            'YYYY-MM-DD\"T\"HH24:MI\"Z\"')",
        )
        .fetch_one(&api.superuser)
        .await
        .unwrap()
        .get(0);
        used(api, &own, &now, 2, true, 1).await;
        used(api, &own, &now, 5, true, 2).await;
        for (query, count) in [(SPAN, 8), ("limit=200", 2)] {
            let list = format!("{}/usage?{query}&step=hour&group_by=site,status_class", own.tenant);
            let whole = api.get(&list).await.expect(200).json();
            let items = whole["items"].as_array().unwrap();
            assert_eq!(items.len(), count);
            let list = list.replace("limit=200&", "");
            let (mut pieces, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = api.get(&format!("{list}&limit=1{cursor}")).await.expect(200).json();
                pieces.extend(page["items"].as_array().unwrap().clone());
                let Value::String(next) = &page["next_cursor"] else { break };
                cursor = format!("&cursor={next}");
            }
            assert_eq!(&pieces, items);
        }
    })
    .await;
}

#[tokio::test]
async fn what_usage_cannot_answer_is_refused() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        for (query, fields) in [
            ("from=now&to=2026-01-01", &["from", "to"][..]),
            ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", &["from"]),
            ("from=2024-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", &["from"]),
            ("step=week&group_by=sites", &["step", "group_by"]),
            ("limit=0&cursor=AQ", &["limit", "cursor"]),
            ("groupby=site", &["groupby"]),
        ] {
            for place in [&world.tenant, &world.site] {
                api.get(&format!("{place}/usage?{query}"))
                    .await
                    .problem(422, "invalid")
                    .fields(fields);
            }
        }
    })
    .await;
}
