//! A site comes to an Envoy, changes there, and goes.

use crate::fixture::site;
use crate::gateway::{Envoy, Server, until};
use crate::upstream::{self, Manner};

#[tokio::test]
async fn a_site_is_loaded_by_its_first_request() {
    let upstream = upstream::start("one", Manner::Answer).await;
    let server =
        Server::start(&[site(1, upstream.port(), [1]), site(2, upstream.port(), [1])]).await;
    let envoy = Envoy::start(&server).await;
    assert!(envoy.clusters().await.is_empty());

    let answer = envoy.get(1, 1, "/base/v1/orders?q=1").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "one /orders?q=1"), "{}", envoy.log());
    assert_eq!(envoy.clusters().await.len(), 1);
    envoy.refused_nothing().await;
}

#[tokio::test]
async fn the_prefix_is_stripped_however_it_is_written() {
    let upstream = upstream::start("one", Manner::Answer).await;
    let server = Server::start(&[site(1, upstream.port(), [1])]).await;
    let envoy = Envoy::start(&server).await;
    for (sent, seen) in [
        ("/base/v1", "/"),
        ("/base/v1/", "/"),
        ("/base/v1/x", "/x"),
        ("/base/v1/x/", "/x/"),
        ("/base/v1?a=/b/c", "/?a=/b/c"),
        ("/%62ase/v1/x%20y", "/x%20y"),
        ("/base//v1/./a/../x", "/x"),
        ("/base/v1/base/v1/x", "/base/v1/x"),
    ] {
        let answer = envoy.get(1, 1, sent).await;
        assert_eq!((answer.status, answer.body), (200, format!("one {seen}")), "{sent}");
    }
    envoy.refused_nothing().await;
}

#[tokio::test]
async fn endpoints_settings_and_routes_change_in_a_warm_envoy() {
    let one = upstream::start("one", Manner::Answer).await;
    let two = upstream::start("two", Manner::Answer).await;
    let server = Server::start(&[site(1, one.port(), [1])]).await;
    let envoy = Envoy::start(&server).await;
    assert_eq!(envoy.get(1, 1, "/base/v1/x").await.body, "one /x");

    server.apply(&[site(1, two.port(), [1])]);
    until("the new endpoint answers", async || {
        envoy.get(1, 1, "/base/v1/x").await.body == "two /x"
    })
    .await;

    let mut changed = site(1, two.port(), [1, 2]);
    changed.upstreams[0].connect_timeout_ms = 7_000;
    server.apply(&[changed]);
    until("the new route answers", async || envoy.get(1, 2, "/base/v1/x").await.status == 200)
        .await;
    let warming = envoy.admin("/config_dump?resource=dynamic_warming_clusters").await;
    assert!(
        !warming.contains("site/"),
        "a changed cluster still waits for its endpoints: {warming}"
    );

    server.apply(&[site(1, two.port(), [2])]);
    until("the old route is gone", async || envoy.get(1, 1, "/base/v1/x").await.status == 503)
        .await;
    let gone = envoy.get(1, 1, "/base/v1/x").await;
    assert!(gone.is_problem() && gone.header("retry-after") == Some("1"), "{gone:?}");
    envoy.refused_nothing().await;
}

#[tokio::test]
async fn a_removed_site_is_not_served_and_its_clusters_go() {
    let upstream = upstream::start("one", Manner::Answer).await;
    let sites = [site(1, upstream.port(), [1]), site(2, upstream.port(), [1])];
    let server = Server::start(&sites).await;
    let envoy = Envoy::start(&server).await;
    for number in [1, 2] {
        assert_eq!(envoy.get(number, 1, "/base/v1/x").await.status, 200);
    }
    server.remove(&sites[0]);
    until("the site is gone", async || envoy.get(1, 1, "/base/v1/x").await.status == 503).await;
    until("its cluster is gone", async || envoy.clusters().await.len() == 1).await;
    assert!(envoy.get(1, 1, "/base/v1/x").await.is_problem());
    assert_eq!(envoy.get(2, 1, "/base/v1/x").await.status, 200);

    server.apply(&sites);
    until("the site is back", async || envoy.get(1, 1, "/base/v1/x").await.status == 200).await;
    envoy.refused_nothing().await;
}

#[tokio::test]
async fn a_route_of_a_site_that_is_not_there_yet_is_503() {
    let upstream = upstream::start("one", Manner::Answer).await;
    let server = Server::start(&[]).await;
    let envoy = Envoy::start(&server).await;
    let answer = envoy.get(7, 1, "/base/v1/x").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert!(answer.is_problem(), "{answer:?}");
    server.apply(&[site(7, upstream.port(), [1])]);
    until("the site is there", async || envoy.get(7, 1, "/base/v1/x").await.status == 200).await;
    envoy.refused_nothing().await;
}

#[tokio::test]
async fn a_state_of_the_world_stream_is_told_to_use_delta() {
    let server = Server::start(&[]).await;
    let envoy = Envoy::spawn(&server, "GRPC").await;
    until("Envoy logs the reason", async || envoy.log().contains("DELTA_GRPC")).await;
}
