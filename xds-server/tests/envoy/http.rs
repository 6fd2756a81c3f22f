//! A client that sends exactly the given bytes.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::fixture::chosen;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// True if the body is a problem with the status of the answer.
    pub(crate) fn is_problem(&self) -> bool {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        self.header("content-type") == Some("application/problem+json")
            && body["status"] == self.status
    }
}

/// Sends bytes and reads the answer until the server closes.
pub(crate) async fn send(to: SocketAddr, request: &[u8]) -> Answer {
    let mut connection = TcpStream::connect(to).await.expect("the gateway accepts connections");
    // The server may answer and close before it has read all of a bad request.
    let _ = connection.write_all(request).await;
    let mut answer = Vec::new();
    // A reset after the answer is as good as a close.
    let _ = connection.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    let mut answer = Answer { status, head: head.to_owned(), body: body.to_owned() };
    if answer.header("transfer-encoding") == Some("chunked") {
        answer.body = joined(&answer.body);
    }
    answer
}

/// The content of a chunked body.
fn joined(chunks: &str) -> String {
    let mut body = String::new();
    let mut rest = chunks;
    while let Some((length, chunk)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).expect("the length of a chunk");
        body.push_str(&chunk[..length]);
        rest = &chunk[length + 2..];
    }
    body
}

/// A GET in the form in which the filter lets it go.
pub(crate) async fn get(to: SocketAddr, site: u128, route: u128, path: &str) -> Answer {
    let chosen = chosen(site, route);
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{chosen}\r\n\r\n");
    send(to, request.as_bytes()).await
}
