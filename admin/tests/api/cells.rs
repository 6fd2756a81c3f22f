//! Cells, the tenants that are placed on them, and listeners of single tenants.

use axum::http::Method;
use serde_json::json;

use crate::harness::with_api;
use crate::publishing::World;

#[tokio::test]
async fn a_cell_is_made_described_and_removed() {
    with_api(async |api| {
        let cell = api.make("/v1/cells", json!({"name": "eu-1", "description": "Frankfurt"})).await;
        assert_eq!(cell, "/v1/cells/eu-1");
        api.post("/v1/cells", json!({"name": "eu-1"})).await.problem(409, "taken");
        for name in ["", "-a", "A", "a.b", "a/b"] {
            api.post("/v1/cells", json!({"name": name}))
                .await
                .problem(422, "invalid")
                .fields(&["name"]);
        }
        let listed = api.get("/v1/cells").await.expect(200).json();
        let names: Vec<_> =
            listed["items"].as_array().unwrap().iter().map(|cell| cell["name"].clone()).collect();
        assert_eq!(names.len(), 2);
        assert!(names.contains(&json!("default")) && names.contains(&json!("eu-1")), "{names:?}");
        let changed =
            api.patch(&cell, json!({"description": "Frankfurt, shared"})).await.expect(200);
        assert_eq!(changed.json()["description"], "Frankfurt, shared");
        let stale = api.call(Method::DELETE, &cell).header("if-match", "\"1\"").send().await;
        stale.problem(412, "changed");
        api.delete(&cell).await.expect(204);
        api.get(&cell).await.problem(404, "not-found");
        api.delete("/v1/cells/default").await.problem(409, "in-use");
    })
    .await;
}

#[tokio::test]
async fn a_tenant_is_placed_on_cells_that_there_are() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        assert_eq!(api.get(&world.tenant).await.json()["cells"], json!(["default"]));
        let missing = api.patch(&world.tenant, json!({"cells": ["default", "eu-1"]})).await;
        assert!(missing.problem(422, "invalid").fields(&["cells"]).text().contains("eu-1"));
        let cell = api.make("/v1/cells", json!({"name": "eu-1"})).await;
        let head = api.count("SELECT coalesce(max(seq), 0) FROM change_log").await;
        let after = api
            .patch(&world.tenant, json!({"cells": ["eu-1", "default"]}))
            .await
            .expect(200)
            .json();
        assert_eq!(after["cells"], json!(["default", "eu-1"]));
        for kind in ["site", "keys", "consumers", "listeners"] {
            let rows =
                format!("SELECT count(*) FROM change_log WHERE seq > {head} AND kind = '{kind}'");
            assert!(
                api.count(&rows).await > 0,
                "everything of the tenant is to be read again: {kind}"
            );
        }
        assert_eq!(api.get(&cell).await.json()["tenants"], 1);
        api.delete(&cell).await.problem(409, "in-use");
        api.patch(&world.tenant, json!({"cells": ["default"]})).await.expect(200);
        api.delete(&cell).await.expect(204);
        for (cells, field) in [
            (json!([]), "cells"),
            (json!(["default", "default"]), "cells[1]"),
            (json!(["A"]), "cells[0]"),
        ] {
            api.patch(&world.tenant, json!({"cells": cells}))
                .await
                .problem(422, "invalid")
                .fields(&[field]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_port_is_one_tenants() {
    with_api(async |api| {
        let one = api.make("/v1/tenants", json!({"name": "One"})).await;
        let two = api.make("/v1/tenants", json!({"name": "Two"})).await;
        let given = json!([{"port": 20443}, {"port": 20080, "address": "10.0.0.1"}]);
        let after = api.patch(&one, json!({"listeners": given})).await.expect(200).json();
        let sorted =
            json!([{"port": 20080, "address": "10.0.0.1"}, {"port": 20443, "address": null}]);
        assert_eq!(after["listeners"], sorted);
        let taken =
            api.patch(&two, json!({"listeners": [{"port": 20443}]})).await.problem(409, "taken");
        assert!(taken.text().contains("20443"), "{}", taken.text());
        assert_eq!(api.get(&two).await.json()["listeners"], json!([]));
        for (listener, field) in [
            (json!({"port": 0}), "listeners[0].port"),
            (json!({"port": 65_536}), "listeners[0].port"),
            (json!({"port": 1, "address": "localhost"}), "listeners[0].address"),
            (json!({"port": 1, "adress": "10.0.0.1"}), "listeners[0].adress"),
        ] {
            api.patch(&two, json!({"listeners": [listener]}))
                .await
                .problem(422, "invalid")
                .fields(&[field]);
        }
        api.patch(&one, json!({"listeners": []})).await.expect(200);
        api.patch(&two, json!({"listeners": [{"port": 20443}]})).await.expect(200);
        let nine: Vec<_> = (1..=9).map(|port| json!({"port": port})).collect();
        api.patch(&two, json!({"listeners": nine})).await.problem(409, "limit");
    })
    .await;
}

#[tokio::test]
async fn a_site_may_be_eager() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        assert_eq!(api.get(&world.site).await.json()["eager"], false);
        assert_eq!(
            api.patch(&world.site, json!({"eager": true})).await.expect(200).json()["eager"],
            true
        );
        assert_eq!(
            api.patch(&world.site, json!({"name": "x"})).await.expect(200).json()["eager"],
            true
        );
    })
    .await;
}
