//! Lists come in pages.

use serde_json::{Value, json};

use crate::harness::with_api;
use crate::publishing::World;

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let list = format!("{}/consumers", world.site);
        for number in 0..6 {
            api.make(&list, json!({"name": format!("consumer {number}")})).await;
        }
        for limit in [1, 2, 3, 7, 8] {
            let (mut ids, mut pages, mut cursor) = (Vec::new(), 0, String::new());
            loop {
                let page =
                    api.get(&format!("{list}?limit={limit}{cursor}")).await.expect(200).json();
                ids.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].clone()));
                pages += 1;
                let Value::String(next) = &page["next_cursor"] else { break };
                cursor = format!("&cursor={next}");
            }
            assert_eq!(ids.len(), 7);
            assert!(
                ids.is_sorted_by_key(|id| id.as_str().map(str::to_owned)),
                "in the order of creation: {ids:?}"
            );
            ids.dedup();
            assert_eq!((ids.len(), pages), (7, 7_usize.div_ceil(limit)));
        }
    })
    .await;
}

#[tokio::test]
async fn limits_and_cursors_are_checked() {
    with_api(async |api| {
        for (query, fields) in [
            ("limit=0", &["limit"][..]),
            ("limit=201", &["limit"]),
            ("limit=many", &["limit"]),
            ("cursor=x", &["cursor"]),
            ("limit=-1&cursor=", &["limit", "cursor"]),
        ] {
            api.get(&format!("/v1/tenants?{query}")).await.problem(422, "invalid").fields(fields);
        }
        assert_eq!(
            api.get("/v1/tenants").await.expect(200).json(),
            json!({"items": [], "next_cursor": null})
        );
    })
    .await;
}
