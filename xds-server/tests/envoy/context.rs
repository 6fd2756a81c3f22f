//! Additions to requests and answers that Envoy makes, so that the filter does not have to.

use policy::settings::KeySource;
use serde_json::{Value, json};

use crate::fixture::{chosen, route_id, site, site_id};
use crate::gateway::{Envoy, SAYING_FILTER, Server};
use crate::http::send;
use crate::upstream::{self, Manner};

/// A request for a route of the first site, with keys in all places for keys.
fn with_keys(path: &str) -> String {
    let chosen = chosen(1, 1);
    format!(
        "GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{chosen}\r\nx-api-key: \
        k\r\nX-Shop-Key: k\r\nx-other: o\r\n\r\n"
    )
}

#[tokio::test]
async fn the_upstream_sees_whose_request_it_is_and_no_key() {
    let upstream = upstream::start("one", Manner::Echo).await;
    let mut keyed = site(1, upstream.port(), [1]);
    let header = |name: &str| KeySource::Header { name: name.to_owned() };
    keyed.settings.key_sources = vec![header("X-Shop-Key"), header("X-API-Key"), KeySource::Bearer];
    let server = Server::start(&[keyed.clone()]).await;
    let envoy = Envoy::start(&server).await;
    // The first request is cold, the second one warm.
    for _ in 0..2 {
        let seen = send(envoy.http, with_keys("/base/v1/x").as_bytes()).await.body;
        for line in [
            format!("x-tenantry-tenant: {}", keyed.tenant),
            format!("x-tenantry-site: {}", site_id(1)),
            format!("x-tenantry-route: {}", route_id(1)),
            "x-other: o".to_owned(),
        ] {
            assert_eq!(seen.lines().filter(|seen| **seen == line).count(), 1, "{line}: {seen}");
        }
        assert_eq!(seen.matches("x-tenantry-").count(), 3, "{seen}");
        assert!(!seen.contains("-key"), "{seen}");
    }
    envoy.refused_nothing().await;
}

#[tokio::test]
async fn a_site_that_wants_its_callers_credentials_gets_them() {
    let upstream = upstream::start("one", Manner::Echo).await;
    let mut keyed = site(1, upstream.port(), [1]);
    keyed.settings.key_sources = vec![KeySource::Header { name: "X-Shop-Key".to_owned() }];
    keyed.forward_credentials = true;
    let server = Server::start(&[keyed]).await;
    let envoy = Envoy::start(&server).await;
    let seen = send(envoy.http, with_keys("/base/v1/x").as_bytes()).await.body;
    assert!(seen.contains("x-api-key: k") && seen.contains("x-shop-key: k"), "{seen}");
    envoy.refused_nothing().await;
}

#[tokio::test]
async fn the_access_log_says_whose_request_it_was_and_why_it_was_refused() {
    let upstream = upstream::start("one", Manner::Answer).await;
    let server = Server::start(&[site(1, upstream.port(), [1])]).await;
    let envoy = Envoy::start_with(&server, SAYING_FILTER, json!({})).await;
    assert_eq!(envoy.get(1, 1, "/base/v1/x").await.status, 200);
    let entry = envoy.logged("/base/v1/x").await;
    assert_eq!(entry["refusal"], "rate_limited");
    assert_eq!(entry["tenant"], site(1, 1, []).tenant.to_string());
    assert_eq!(
        (&entry["site"], &entry["route"]),
        (&json!(site_id(1).to_string()), &json!(route_id(1).to_string()))
    );

    assert_eq!(envoy.get(1, 9, "/base/v1/no-route").await.status, 503);
    let entry = envoy.logged("/base/v1/no-route").await;
    assert_eq!(entry["route"], format!("{},{}", site_id(1), route_id(9)), "{entry}");
    envoy.refused_nothing().await;
    drop(envoy);

    let silent = Envoy::start(&server).await;
    assert_eq!(silent.get(1, 1, "/base/v1/x").await.status, 200);
    assert_eq!(silent.logged("/base/v1/x").await["refusal"], Value::Null);
}

#[tokio::test]
async fn the_client_is_the_peer_or_what_trusted_proxies_say() {
    let upstream = upstream::start("one", Manner::Answer).await;
    let server = Server::start(&[site(1, upstream.port(), [1])]).await;
    for (hops, client) in [(0, "127.0.0.1"), (1, "192.0.2.2"), (2, "192.0.2.1")] {
        let envoy = Envoy::start_with(&server, SAYING_FILTER, json!({"trusted_hops": hops})).await;
        let chosen = chosen(1, 1);
        let request = format!(
            "GET /base/v1/x HTTP/1.1\r\nhost: h\r\nconnection: \
            close\r\n{chosen}\r\nx-forwarded-for: 192.0.2.9, 192.0.2.1, 192.0.2.2\r\n\r\n"
        );
        assert_eq!(send(envoy.http, request.as_bytes()).await.status, 200);
        assert_eq!(envoy.logged("/base/v1/x").await["client"], client, "{hops} hops");
        envoy.refused_nothing().await;
    }
}
