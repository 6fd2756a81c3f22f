//! Probes, metrics, documentation, and the frame of every request.

use axum::http::Method;
use serde_json::json;

use crate::harness::{id_of, with_api};
use crate::publishing::World;

#[tokio::test]
async fn probes_answer_without_a_token() {
    with_api(async |api| {
        for path in ["/healthz", "/readyz"] {
            api.anonymous(Method::GET, path).send().await.expect(200);
        }
    })
    .await;
}

#[tokio::test]
async fn metrics_name_routes_and_no_tenant() {
    with_api(async |api| {
        admin::metrics::install().unwrap();
        let world = World::make(api, "acme-metrics").await;
        api.get(&world.site).await.expect(200);
        api.call("BREW".parse().unwrap(), "/nothing").send().await.expect(404);
        let text = api.anonymous(Method::GET, "/metrics").send().await.expect(200).text();
        let route = "route=\"/v1/tenants/{tenant_id}/sites/{site_id}\",status=\"200\"";
        for name in
            ["tenantry_admin_requests_total", "tenantry_admin_request_duration_seconds_bucket"]
        {
            assert!(
                text.lines().any(|line| line.starts_with(name) && line.contains(route)),
                "{name}: {text}"
            );
        }
        assert!(
            !text.contains("acme-metrics")
                && !text.contains(id_of(&world.tenant))
                && !text.contains("BREW")
        );
    })
    .await;
}

#[tokio::test]
async fn the_documentation_works_offline() {
    with_api(async |api| {
        let get = async |path: &str| api.anonymous(Method::GET, path).send().await;
        assert_eq!(get("/docs").await.expect(308).location(), "/docs/");
        let page = get("/docs/").await.expect(200);
        assert!(
            page.header("content-security-policy")
                .starts_with("default-src 'none'; script-src 'self';")
        );
        assert!(!page.text().contains("://"), "nothing is loaded from elsewhere: {}", page.text());
        for file in [
            "swagger-ui.css",
            "swagger-ui-bundle.js",
            "swagger-ui-standalone-preset.js",
            "index.css",
        ] {
            let reply = get(&format!("/docs/{file}")).await.expect(200);
            assert_eq!(reply.header("x-content-type-options"), "nosniff");
        }
        assert!(
            get("/docs/swagger-initializer.js")
                .await
                .expect(200)
                .text()
                .contains("\"/openapi.json\"")
        );
        get("/docs/nothing").await.problem(404, "no-such-path");
    })
    .await;
}

#[tokio::test]
async fn the_request_id_goes_through() {
    with_api(async |api| {
        let call = |id: &str| {
            let body = json!({"name": "Acme"});
            api.call(Method::POST, "/v1/tenants").header("x-request-id", id).json(&body).send()
        };
        let reply = call("from-the-client").await.expect(201);
        assert_eq!(reply.header("x-request-id"), "from-the-client");
        let audited = "SELECT count(*) FROM audit_log WHERE request_id = 'from-the-client'";
        assert_eq!(api.count(audited).await, 1);
        let made = call("not {good}").await.expect(201);
        assert!(made.header("x-request-id").parse::<uuid::Uuid>().is_ok());
        assert_eq!(api.get("/v1/nothing").await.header("x-request-id").len(), 36);
    })
    .await;
}

#[tokio::test]
async fn without_the_database_requests_fail_and_say_so() {
    with_api(async |api| {
        api.get("/v1/tenants").await.expect(200);
        api.cut_off().await;
        let reply = api.get("/v1/tenants").await.problem(503, "unavailable");
        assert_eq!(reply.header("retry-after"), "2");
        api.anonymous(Method::GET, "/readyz").send().await.problem(503, "unavailable");
        api.anonymous(Method::GET, "/healthz").send().await.expect(200);
        api.reconnect().await;
        api.get("/v1/tenants").await.expect(200);
        api.anonymous(Method::GET, "/readyz").send().await.expect(200);
    })
    .await;
}
