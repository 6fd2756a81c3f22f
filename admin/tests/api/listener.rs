//! The listener on a real socket: real HTTP, slow clients, and the end.

use std::net::SocketAddr;
use std::time::Duration;

use admin::serve::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::harness::{Api, with_api};

async fn exchange(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[tokio::test]
async fn a_stop_lets_open_connections_finish() {
    with_api(async |api| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let limits = Limits::default();
        let server =
            tokio::spawn(admin::serve::serve(listener, api.router.clone(), limits, async {
                let _ = stopped.await;
            }));
        let mut stream = TcpStream::connect(address).await.unwrap();
        let answer = exchange(&mut stream, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        let authorization = format!("authorization: Bearer {}\r\n", api.token.reveal());
        let head = format!(
            "POST /v1/tenants HTTP/1.1\r\nhost: x\r\n{authorization}content-type: \
            application/json\r\n"
        );
        let body = "{\"name\":\"Acme\"}";
        // The request is under way when the stop comes: the service has asked for its body.
        let head = format!("{head}expect: 100-continue\r\ncontent-length: {}\r\n\r\n", body.len());
        let answer = exchange(&mut stream, &head).await;
        assert!(answer.starts_with("HTTP/1.1 100 Continue"), "{answer}");
        stop.send(()).unwrap();
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let answer = exchange(&mut stream, body).await;
        assert!(answer.starts_with("HTTP/1.1 201 Created"), "{answer}");
        tokio::time::timeout(Duration::from_secs(60), server)
            .await
            .expect("the server ends")
            .unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_endless_head_is_refused() {
    with_api(async |api| {
        let (address, server) = serving(api, Limits::default()).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let long =
            format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(64 * 1024));
        let answer = exchange(&mut stream, &long).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        server.abort();
    })
    .await;
}

/// Serves with these limits until the test ends.
async fn serving(api: &Api, limits: Limits) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = admin::serve::serve(listener, api.router.clone(), limits, std::future::pending());
    (address, tokio::spawn(serve))
}

/// Waits until the server has closed the connection.
async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut rest).await;
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// An empty SETTINGS frame (RFC 9113 section 6.5).
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

#[tokio::test]
async fn a_connection_without_a_request_ends_whatever_it_has_sent() {
    with_api(async |api| {
        let limits = Limits { head_time: Duration::from_millis(50), ..Limits::default() };
        let (address, server) = serving(api, limits).await;
        let with_settings = [PREFACE, SETTINGS].concat();
        for beginning in [
            b"".as_slice(),
            b"P",
            b"PRI * HTTP/2.0\r\n\r\nS",
            b"GET / HTTP/1.1\r\nhost: x\r\n",
            PREFACE,
            &with_settings,
        ] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(beginning).await.unwrap();
            closed(&mut stream).await;
        }
        server.abort();
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_asks_no_more_ends() {
    with_api(async |api| {
        let limits = Limits { idle_time: Duration::from_millis(50), ..Limits::default() };
        let (address, server) = serving(api, limits).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let answer = exchange(&mut stream, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        closed(&mut stream).await;
        // The same in HTTP/2: GET / by the static table (RFC 7541 appendix A), as stream 1.
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = b"\0\0\x06\x01\x05\0\0\0\x01\x82\x84\x86\x41\x01x";
        stream.write_all(&[PREFACE, SETTINGS, request].concat()).await.unwrap();
        closed(&mut stream).await;
        server.abort();
    })
    .await;
}

#[tokio::test]
async fn a_full_server_takes_a_newcomer_and_keeps_requests() {
    with_api(async |api| {
        let limits = Limits { connections: 8, per_address: 8, ..Limits::default() };
        let (address, server) = serving(api, limits).await;
        // A request that is under way: the service has asked for its body.
        let mut busy = TcpStream::connect(address).await.unwrap();
        let authorization = format!("authorization: Bearer {}\r\n", api.token.reveal());
        let body = "{\"name\":\"Acme\"}";
        let head = format!(
            "POST /v1/tenants HTTP/1.1\r\nhost: x\r\n{authorization}content-type: \
            application/json\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let answer = exchange(&mut busy, &head).await;
        assert!(answer.starts_with("HTTP/1.1 100 Continue"), "{answer}");
        let mut silent = Vec::new();
        for _ in 0..40 {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let mut newcomer = TcpStream::connect(address).await.unwrap();
        let answer = exchange(&mut newcomer, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        for given_up in &mut silent[..33] {
            closed(given_up).await;
        }
        let answer = exchange(&mut busy, body).await;
        assert!(answer.starts_with("HTTP/1.1 201 Created"), "{answer}");
        server.abort();
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_nobody_reads_ends() {
    with_api(async |api| {
        let time = Duration::from_millis(50);
        // The last of an answer may be in a buffer, when the connection counts as idle.
        let limits = Limits { stall_time: time, idle_time: time, ..Limits::default() };
        let (address, server) = serving(api, limits).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        // Requests without end, of which no answer is read: the buffers of both sides fill.
        let request = "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1_000);
        while stream.write_all(request.as_bytes()).await.is_ok() {}
        server.abort();
    })
    .await;
}
