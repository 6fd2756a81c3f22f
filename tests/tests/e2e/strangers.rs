//! Callers whom nobody vouches for: what they say of themselves, and the time that they take.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use stack::Stack;
use tenantry_tests::{PATIENCE, THING, Things, caught_up, eventually, finish};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The bytes of an HTTP/2 frame of stream 1, or of none for settings.
fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    let stream = u8::from(kind != 4);
    [&len[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

/// A block of header fields, each a literal without indexing (RFC 7541 section 6.2.2).
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| {
        let len = u8::try_from(text.len()).ok().filter(|len| *len < 127).expect("a short text");
        [&[len][..], text.as_bytes()].concat()
    };
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

/// Sends a request by HTTP/2 with a body and trailers.
async fn send_with_trailers(things: &Things, headers: &[(&str, &str)], trailers: &[(&str, &str)]) {
    let address = things.gateways[0].address();
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let before = things.upstream.total();
    let all = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(4, 0, &[]),
        frame(1, 4, &block(headers)),
        frame(0, 0, b"body"),
        frame(1, 4 | 1, &block(trailers)),
    ];
    stream.write_all(&all.concat()).await.expect("it is sent");
    let came = || std::future::ready(things.upstream.total());
    eventually("the request", came, |total| *total > before).await;
}

#[tokio::test]
async fn the_edge_believes_no_client_and_waits_for_none() {
    let things = Things::start(Stack::builder("believed")).await;
    let address = things.gateways[0].address();
    let host = &things.site.hostname;
    let http2 = json!({ "name": "h2", "protocol": "http2", "endpoints":
        [{ "address": "127.0.0.1", "port": things.upstream.addr.port() }] });
    let upstream = things.site.upstream_with(http2).await;
    let version = things.site.version("/trailers", &upstream).await;
    version.route(&["POST"], "/all").await;
    let leads_back = things.site.upstream("gateway", address).await;
    let version = things.site.version("/loop", &leads_back).await;
    version.route_with(&["GET"], "/{*rest}", json!({ "auth": "none" })).await;
    caught_up(&things.stack).await;

    // Connections that send nothing, or one byte, while the rest goes on.
    let silent = |bytes: &'static [u8]| async move {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(bytes).await.expect("it is sent");
        let mut answer = Vec::new();
        let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(closed.is_ok(), "after {bytes:?} it stays open");
    };
    let silent = [tokio::spawn(silent(b"")), tokio::spawn(silent(b"G"))];

    let answer = things.get(THING).await;
    assert_eq!(answer.upstream_saw("cdn-loop").as_deref(), Some("tenantry"));
    // The path is taken off at each passage, unless it is doubled in advance.
    let path = "/loop/v1".repeat(20);
    let begun = || things.send(Method::GET, &path, &[]);
    let ended = |answer: &tenantry_tests::gateway::Answer| answer.status == 502;
    eventually("the end of the loop", begun, ended).await;

    let headers = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", host),
        (":path", "/trailers/v1/all"),
        ("x-api-key", &things.key.text),
    ];
    let trailers = [("x-tenantry-consumer", "forged"), ("x-other", "kept")];
    send_with_trailers(&things, &headers, &trailers).await;
    let received = things.upstream.received().pop().expect("a request");
    assert_eq!(received.header("x-other"), Some("kept"), "{received:?}");
    let consumer = received.header("x-tenantry-consumer");
    assert_eq!(consumer, Some(things.key.consumer_id.as_str()), "{received:?}");
    for connection in silent {
        tokio::time::timeout(PATIENCE + Duration::from_secs(5), connection)
            .await
            .expect("it is closed")
            .expect("it is closed");
    }
    finish(things.stack).await;
}
