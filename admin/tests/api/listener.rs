//! The listener on a real socket: real HTTP, slow clients, and the end.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::harness::with_api;

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
        let server = tokio::spawn(admin::serve::serve(listener, api.router.clone(), async {
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
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server =
            tokio::spawn(admin::serve::serve(listener, api.router.clone(), std::future::pending()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        let long =
            format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(64 * 1024));
        let answer = exchange(&mut stream, &long).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        server.abort();
    })
    .await;
}
