//! An Envoy while the server is away, and after that.

use std::time::Duration;

use crate::fixture::site;
use crate::gateway::{Envoy, Server, until};
use crate::upstream::{self, Manner};

#[tokio::test]
async fn traffic_goes_on_without_the_server_and_changes_arrive_when_it_is_back() {
    let one = upstream::start("one", Manner::Answer).await;
    let two = upstream::start("two", Manner::Answer).await;
    let sites = [site(1, one.port(), [1]), site(2, one.port(), [1]), site(3, one.port(), [1])];
    let mut server = Server::start(&sites).await;
    let envoy = Envoy::start(&server).await;
    for number in [1, 2, 3] {
        assert_eq!(envoy.get(number, 1, "/base/v1/x").await.body, "one /x");
    }

    server.stop().await;
    for number in [1, 2, 3] {
        assert_eq!(envoy.get(number, 1, "/base/v1/x").await.body, "one /x");
    }
    server.apply(&[site(1, two.port(), [1, 2])]);
    server.remove(&sites[1]);
    server.resume().await;

    until("the changed site arrives", async || {
        envoy.get(1, 2, "/base/v1/x").await.body == "two /x"
    })
    .await;
    until("the removed site goes", async || envoy.get(2, 1, "/base/v1/x").await.status == 503)
        .await;
    until("its cluster goes", async || envoy.clusters().await.len() == 2).await;
    assert_eq!(envoy.get(3, 1, "/base/v1/x").await.body, "one /x");
    let removed = envoy.stat("cluster_manager.cluster_removed").await;
    assert_eq!(removed, 1, "only the cluster of the removed site was taken away");
    envoy.refused_nothing().await;
}

#[tokio::test]
async fn an_envoy_that_is_up_to_date_is_sent_nothing_again() {
    let upstream = upstream::start("one", Manner::Answer).await;
    let mut server = Server::start(&[site(1, upstream.port(), [1])]).await;
    let envoy = Envoy::start(&server).await;
    assert_eq!(envoy.get(1, 1, "/base/v1/x").await.status, 200);
    let before = envoy.stat("cluster.xds.upstream_cx_total").await;

    server.stop().await;
    server.resume().await;
    until("Envoy connects again", async || {
        envoy.stat("cluster.xds.upstream_cx_total").await > before
    })
    .await;
    until("the stream is up", async || envoy.stat("control_plane.connected_state").await == 1)
        .await;
    assert_eq!(envoy.get(1, 1, "/base/v1/x").await.status, 200);
    assert_eq!(envoy.stat("cluster_manager.cluster_modified").await, 0);
    assert_eq!(envoy.stat("listener_manager.listener_modified").await, 0);
    envoy.refused_nothing().await;
}

#[tokio::test]
async fn an_envoy_that_starts_first_serves_once_the_server_is_there() {
    let upstream = upstream::start("one", Manner::Answer).await;
    let mut server = Server::start(&[site(1, upstream.port(), [1])]).await;
    server.stop().await;
    let envoy = Envoy::spawn(&server, "DELTA_GRPC").await;
    until("Envoy tries to connect", async || {
        envoy.stat("cluster.xds.upstream_cx_connect_fail").await > 0
    })
    .await;
    server.resume().await;
    until("the listener opens", async || {
        envoy.stat("listener_manager.listener_create_success").await == 1
    })
    .await;
    assert_eq!(envoy.get(1, 1, "/base/v1/x").await.status, 200);
    envoy.refused_nothing().await;
}

#[tokio::test]
async fn a_request_for_a_site_that_is_not_loaded_waits_for_the_server_to_come_back() {
    let upstream = upstream::start("one", Manner::Answer).await;
    let mut server = Server::start(&[site(1, upstream.port(), [1])]).await;
    let envoy = Envoy::start(&server).await;
    server.stop().await;
    let request = envoy.get(1, 1, "/base/v1/x");
    let back = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        server.resume().await;
    };
    let (answer, ()) = tokio::join!(request, back);
    assert_eq!(answer.status, 200, "{answer:?}");
    envoy.refused_nothing().await;
}
