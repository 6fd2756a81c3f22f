//! Envoy's own replies are problem documents, and those of upstreams are left alone.

use crate::fixture::{chosen, site};
use crate::gateway::{Envoy, Server};
use crate::http::send;
use crate::upstream::{self, Manner};

#[tokio::test]
async fn an_upstream_that_fails_is_a_problem_for_its_own_site() {
    let good = upstream::start("good", Manner::Answer).await;
    let late = upstream::start("late", Manner::Late).await;
    let closing = upstream::start("closing", Manner::Close).await;
    let none = site(4, 1, [1]);
    let mut empty = site(5, 1, [1]);
    empty.upstreams[0].endpoints.clear();
    let mut impatient = site(2, late.port(), [1]);
    impatient.upstreams[0].request_timeout_ms = 1_000;
    let sites = [site(1, good.port(), [1]), impatient, site(3, closing.port(), [1]), none, empty];
    let server = Server::start(&sites).await;
    let envoy = Envoy::start(&server).await;
    for (number, status) in [(2, 504), (3, 503), (4, 503), (5, 503)] {
        let answer = envoy.get(number, 1, "/base/v1/x").await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.is_problem(), "{answer:?}");
        assert_eq!(envoy.get(1, 1, "/base/v1/x").await.status, 200);
    }
    envoy.refused_nothing().await;
}

#[tokio::test]
async fn a_request_that_envoy_refuses_is_answered_with_a_problem() {
    let upstream = upstream::start("one", Manner::Answer).await;
    let server = Server::start(&[site(1, upstream.port(), [1])]).await;
    let envoy = Envoy::start(&server).await;
    let context = format!("{}\r\n", chosen(1, 1));
    let large = "x".repeat(64 * 1024);
    for (request, status) in [
        (
            format!("GET /base/v1/a%2Fb HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{context}\r\n"),
            400,
        ),
        (
            format!("GET /base/v1/a%5Cb HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{context}\r\n"),
            400,
        ),
        (format!("GET /base/v1/x HTTP/1.1\r\nconnection: close\r\n{context}\r\n"), 400),
        (
            format!(
                "GET /base/v1/x HTTP/1.1\r\nhost: h\r\nx_a: 1\r\nconnection: close\r\n{context}\r\n"
            ),
            400,
        ),
        (
            format!(
                "GET /base/v1/x HTTP/1.1\r\nhost: h\r\nx-l: {large}\r\nconnection: \
                close\r\n{context}\r\n"
            ),
            431,
        ),
        ("GET /base/v1/x HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n".to_owned(), 404),
    ] {
        let answer = send(envoy.http, request.as_bytes()).await;
        let head = request.lines().next().unwrap_or_default();
        assert_eq!(answer.status, status, "{head}: {answer:?}");
        assert!(answer.is_problem(), "{head}: {answer:?}");
    }
    envoy.refused_nothing().await;
}

#[tokio::test]
async fn an_upgrade_is_not_passed_on_neither_by_the_first_request_nor_later() {
    let upstream = upstream::start("one", Manner::Answer).await;
    let server = Server::start(&[site(1, upstream.port(), [1])]).await;
    let envoy = Envoy::start(&server).await;
    let request = format!(
        "GET /base/v1/x HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: \
        websocket\r\n{}\r\n\r\n",
        chosen(1, 1)
    );
    let first = send(envoy.http, request.as_bytes()).await;
    assert_eq!(
        (first.status, first.body.as_str()),
        (200, "one /x"),
        "an upgrade would have no body: {first:?}"
    );
    let second = send(envoy.http, request.as_bytes()).await;
    assert_eq!(second.status, 403);
    assert!(second.is_problem(), "{second:?}");
    envoy.refused_nothing().await;
}
