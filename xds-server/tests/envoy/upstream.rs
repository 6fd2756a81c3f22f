//! An upstream that answers each request with its own name and the request's path.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The treatment of requests by an upstream.
#[derive(Clone, Copy)]
pub(crate) enum Manner {
    /// Answers with its name and the path.
    Answer,
    /// Answers with the head of the request, in lower case.
    Echo,
    /// Answers after a minute.
    Late,
    /// Closes the connection after it has read the request.
    Close,
}

/// Starts an upstream; it lives as long as the test's runtime.
pub(crate) async fn start(name: &'static str, manner: Manner) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(serve(connection, name, manner));
        }
    });
    address
}

async fn serve(mut connection: TcpStream, name: &str, manner: Manner) {
    let mut read = Vec::new();
    loop {
        while !read.ends_with(b"\r\n\r\n") {
            if !matches!(connection.read_buf(&mut read).await, Ok(1..)) {
                return;
            }
        }
        match manner {
            Manner::Answer | Manner::Echo => {}
            Manner::Late => tokio::time::sleep(Duration::from_secs(60)).await,
            Manner::Close => return,
        }
        let path = String::from_utf8_lossy(&read).split(' ').nth(1).unwrap_or_default().to_owned();
        let body = match manner {
            Manner::Echo => String::from_utf8_lossy(&read).to_ascii_lowercase(),
            _ => format!("{name} {path}"),
        };
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if connection.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        read.clear();
    }
}
