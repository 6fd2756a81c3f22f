//! An Envoy lets go of a site that nobody uses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::fixture::site;
use crate::gateway::{Envoy, Server, until};
use crate::http;
use crate::upstream::{self, Manner};

#[tokio::test]
async fn an_idle_site_goes_and_comes_back_with_its_next_request() {
    let upstream = upstream::start("one", Manner::Answer).await;
    let server =
        Server::start(&[site(1, upstream.port(), [1]), site(2, upstream.port(), [1])]).await;
    let envoy = Envoy::start(&server).await;
    for number in [1, 2] {
        assert_eq!(envoy.get(number, 1, "/base/v1/x").await.status, 200);
    }
    until("the cluster of the idle site is gone", async || {
        server.used(&[2]);
        envoy.clusters().await.len() == 1
    })
    .await;
    let routes = envoy.admin("/config_dump?resource=dynamic_route_configs").await;
    assert!(
        !routes.contains(&site(1, 1, []).site.to_string())
            && routes.contains(&site(2, 1, []).site.to_string())
    );

    for number in [1, 2] {
        assert_eq!(envoy.get(number, 1, "/base/v1/x").await.status, 200, "{}", envoy.log());
    }
    assert_eq!(envoy.clusters().await.len(), 2);
    server.apply(&[site(1, upstream.port(), [1, 2])]);
    until("it changes as any other", async || envoy.get(1, 2, "/base/v1/x").await.status == 200)
        .await;
    envoy.refused_nothing().await;
}

#[tokio::test]
async fn no_request_is_lost_while_its_site_is_evicted() {
    let upstream = upstream::start("one", Manner::Answer).await;
    let server = Server::start(&[site(1, upstream.port(), [1])]).await;
    let envoy = Envoy::start(&server).await;
    assert_eq!(envoy.get(1, 1, "/base/v1/x").await.status, 200);
    let (over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients = [(); 4].map(|()| {
        let (over, answered, gateway) = (Arc::clone(&over), Arc::clone(&answered), envoy.http);
        tokio::spawn(async move {
            let mut answers = Vec::new();
            while !over.load(Ordering::Relaxed) {
                answers.push(http::get(gateway, 1, 1, "/base/v1/x").await.status);
                answered.fetch_add(1, Ordering::Relaxed);
            }
            answers
        })
    });
    let reloads = async || envoy.stat_ending("scoped_rds.sites.config_reload").await;
    let before = reloads().await;
    let look = async || {
        server.used(&[]);
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    for _ in 0..40 {
        look().await;
    }
    // Two scopes are taken in for each eviction. A slow machine needs more looks for that number.
    until("the site was evicted often, and asked for as often", async || {
        look().await;
        reloads().await - before >= 20 && answered.load(Ordering::Relaxed) > 200
    })
    .await;
    over.store(true, Ordering::Relaxed);
    let mut answers = Vec::new();
    for client in clients {
        answers.extend(client.await.expect("the client ends"));
    }
    let lost = answers.iter().filter(|status| **status != 200).count();
    assert_eq!(lost, 0, "of {}: {}", answers.len(), envoy.log());
    envoy.refused_nothing().await;
}
