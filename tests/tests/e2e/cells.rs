//! Cells: an Envoy has the tenants that are placed on its cell, and a tenant moves without a gap.

use serde_json::json;
use stack::Stack;
use tenantry_tests::{
    THING, echo, eventually, finish, gateways, load::Load, settled, start, tenant::Tenant,
};

/// Makes a cell, as an operator would.
async fn make_cell(stack: &Stack, name: &str) {
    stack
        .api
        .post("/v1/cells", json!({ "name": name }))
        .await
        .unwrap_or_else(|error| panic!("{error}"));
}

/// Places a tenant on these cells.
async fn place(stack: &Stack, tenant: &Tenant, cells: &[&str]) {
    let tenant = format!("/v1/tenants/{}", tenant.id);
    stack
        .api
        .patch(&tenant, json!({ "cells": cells }))
        .await
        .unwrap_or_else(|error| panic!("{error}"));
}

/// The whole configuration that an Envoy's admin interface shows.
async fn dump(stack: &Stack, envoy: usize) -> String {
    stack.envoys[envoy].config_dump().await.expect("a config dump").to_string()
}

#[tokio::test]
async fn an_envoy_has_the_tenants_of_its_cell_and_no_others() {
    let stack = start(Stack::builder("cells").cells(&["default", "eu-1", "nowhere"])).await;
    make_cell(&stack, "eu-1").await;
    let upstream = echo("things");
    let (acme, globex) =
        (Tenant::create(&stack.api, "Acme").await, Tenant::create(&stack.api, "Globex").await);
    place(&stack, &globex, &["eu-1"]).await;
    let mut sites = Vec::new();
    for (tenant, slug) in [(&acme, "acme"), (&globex, "globex")] {
        let site = tenant.site(slug).await;
        site.serve_things(upstream.addr).await;
        let key = site.key("app").await;
        sites.push((site, key));
    }
    let all = gateways(&stack);
    for (own, foreign) in [(0, 1), (1, 0)] {
        let (site, key) = &sites[own];
        settled(&all[own..=own], &site.hostname, THING, &key.text, 200).await;
        // The resources that came last to the cell of the tenant are in no other cell.
        let elsewhere = [foreign, 2];
        for envoy in elsewhere {
            let answer = all[envoy].get(&site.hostname, THING, &key.text).await;
            assert_eq!(answer.status, 404, "no site has this name here: {answer:?}");
            let shared =
                all[envoy].get(tenantry_tests::tenant::SHARED_HOST, THING, &key.text).await;
            assert_eq!(shared.status, 403, "nobody has this key here: {shared:?}");
            assert!(
                !dump(&stack, envoy).await.contains(&site.id),
                "Envoy {envoy} knows of {}",
                site.hostname
            );
        }
        assert!(dump(&stack, own).await.contains(&site.id));
    }
    finish(stack).await;
}

#[tokio::test]
async fn an_envoy_that_was_there_before_its_cell_gets_its_tenants() {
    let stack = start(Stack::builder("cell-late").cells(&["late"])).await;
    let upstream = echo("things");
    let tenant = Tenant::create(&stack.api, "Acme").await;
    let site = tenant.site("acme").await;
    site.serve_things(upstream.addr).await;
    let key = site.key("app").await;
    make_cell(&stack, "late").await;
    place(&stack, &tenant, &["default", "late"]).await;
    settled(&gateways(&stack), &site.hostname, THING, &key.text, 200).await;
    finish(stack).await;
}

#[tokio::test]
async fn a_tenant_that_moves_under_load_loses_no_request() {
    let stack = start(Stack::builder("cell-move").cells(&["default", "eu-1"])).await;
    make_cell(&stack, "eu-1").await;
    let upstream = echo("things");
    let tenant = Tenant::create(&stack.api, "Acme").await;
    let site = tenant.site("acme").await;
    site.serve_things(upstream.addr).await;
    let key = site.key("app").await;
    let all = gateways(&stack);
    let cells = ["default", "eu-1"];
    let status = async |envoy: usize, status: u16| {
        settled(&all[envoy..=envoy], &site.hostname, THING, &key.text, status).await;
    };
    let load = |envoy: usize| Load::start(all[envoy].address(), &site.hostname, THING, &key.text);
    status(0, 200).await;
    // Some hundred requests, however long they take.
    let under_load = async || {
        let before = upstream.total();
        eventually(
            "the load",
            || std::future::ready(upstream.total() - before),
            |more| *more > 200,
        )
        .await;
    };
    let mut running = load(0);
    let mut answered = 0;
    for (from, to) in [(0, 1), (1, 0), (0, 1)] {
        under_load().await;
        place(&stack, &tenant, &cells).await;
        status(to, 200).await;
        let next = load(to);
        under_load().await;
        answered += running.stop_without_a_loss().await;
        place(&stack, &tenant, &cells[to..=to]).await;
        status(from, 404).await;
        running = next;
    }
    answered += running.stop_without_a_loss().await;
    assert!(answered > 1_000, "{answered}");
    finish(stack).await;
}
