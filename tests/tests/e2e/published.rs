//! Public APIs of others, imported whole, with each of their operations called.

use std::collections::HashMap;

use reqwest::Method;
use serde_json::Value;
use stack::Stack;
use tenantry_tests::{
    echo, finish, gateways,
    openapi::{GITHUB, KUBERNETES, Operation, Published, TWILIO, operations},
    settled, start,
    tenant::{Site, Tenant, Version},
};

/// Imports a description, dry run first.
async fn import(
    stack: &Stack,
    site: &Site,
    base_path: &str,
    upstream_id: &str,
    published: Published,
) -> (Version, Vec<Operation>) {
    // It may have to be fetched first. The wait is outside of the async tasks, as it would keep the
    // clients' connections from noticing that they were closed.
    let description =
        tokio::task::spawn_blocking(move || published.read()).await.expect("a description");
    let operations = operations(&description);
    let version = site.version(base_path, upstream_id).await;
    let import = format!("{}/import", version.path);
    let call = |path: String| {
        let description = description.clone();
        async move {
            stack
                .api
                .post_text(&path, "application/json", description)
                .await
                .unwrap_or_else(|error| panic!("{error}"))
        }
    };
    let count = |outcome: &Value, list: &str| outcome[list].as_array().map_or(0, Vec::len);
    let dry = call(format!("{import}?dry_run=true")).await;
    assert_eq!((count(&dry, "added"), &dry["dry_run"]), (operations.len(), &Value::Bool(true)));
    assert_eq!(version.routes().await.len(), 0, "a dry run changes nothing");
    let done = call(import.clone()).await;
    assert_eq!((count(&done, "added"), count(&done, "removed")), (operations.len(), 0));
    let again = call(import).await;
    assert_eq!(
        (count(&again, "added"), &again["unchanged"]),
        (0, &Value::from(operations.len())),
        "nothing to do"
    );
    (version, operations)
}

/// Calls every operation; the upstream has to be told the route of that very operation.
async fn call_all(
    stack: &Stack,
    site: &Site,
    base_path: &str,
    version: &Version,
    operations: &[Operation],
) {
    let key = site.key(&format!("caller of {base_path}")).await;
    let gateway = &gateways(stack)[0];
    let routes: HashMap<String, (String, String)> = version
        .routes()
        .await
        .iter()
        .map(|route| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (text(&route["id"]), (text(&route["methods"][0]), text(&route["path"])))
        })
        .collect();
    assert_eq!(routes.len(), operations.len());
    let first = operations.iter().find(|operation| operation.method == "GET").expect("a GET");
    settled(
        std::slice::from_ref(gateway),
        &site.hostname,
        &format!("{base_path}/v1{}", first.example_path()),
        &key.text,
        200,
    )
    .await;
    for operation in operations {
        let path = format!("{base_path}/v1{}", operation.example_path());
        let method = Method::from_bytes(operation.method.as_bytes()).expect("a method");
        let headers = [("x-api-key", key.text.as_str())];
        let answer = gateway.send(method.clone(), &site.hostname, &path, &headers).await;
        assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
        if method == Method::HEAD {
            continue;
        }
        let route = answer.route().and_then(|id| routes.get(&id).cloned());
        assert_eq!(
            route,
            Some((operation.method.clone(), operation.path.clone())),
            "{method} {path}"
        );
        assert_eq!(answer.upstream_saw("x-tenantry-site").as_ref(), Some(&site.id));
    }
}

#[tokio::test]
async fn every_operation_of_github_reaches_its_own_route() {
    let stack = start(Stack::builder("github")).await;
    let upstream = echo("github");
    let site = Tenant::create(&stack.api, "Octo").await.site("octo").await;
    let upstream_id = site.upstream("github", upstream.addr).await;
    let (version, operations) = import(&stack, &site, "/github", &upstream_id, GITHUB).await;
    assert!(operations.len() > 1_000, "{} operations", operations.len());
    call_all(&stack, &site, "/github", &version, &operations).await;
    finish(stack).await;
}

#[tokio::test]
async fn every_operation_of_kubernetes_and_twilio_reaches_its_own_route_beside_another_tenants() {
    let stack = start(Stack::builder("kubernetes")).await;
    let upstream = echo("cluster");
    let neighbour = Tenant::create(&stack.api, "Octo").await.site("octo").await;
    let upstream_id = neighbour.upstream("github", upstream.addr).await;
    import(&stack, &neighbour, "/github", &upstream_id, GITHUB).await;
    let site = Tenant::create(&stack.api, "Helm").await.site("helm").await;
    let upstream_id = site.upstream("cluster", upstream.addr).await;
    for (base_path, published) in [("/k8s", KUBERNETES), ("/twilio", TWILIO)] {
        let (version, operations) = import(&stack, &site, base_path, &upstream_id, published).await;
        call_all(&stack, &site, base_path, &version, &operations).await;
    }
    finish(stack).await;
}
