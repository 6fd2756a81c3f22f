//! A client that sends exactly what it is told.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::fixture::{route_id, site_id};

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Whether the body is a problem with the status of the answer.
    pub fn is_problem(&self) -> bool {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        self.header("content-type") == Some("application/problem+json") && body["status"] == self.status
    }
}

/// Sends bytes and reads the answer until the server closes.
pub async fn send(to: SocketAddr, request: &[u8]) -> Answer {
    let mut connection = TcpStream::connect(to).await.expect("the gateway accepts connections");
    connection.write_all(request).await.expect("the gateway reads requests");
    let mut answer = Vec::new();
    // A reset after the answer is as good as a close.
    let _ = connection.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// A GET as the filter would let it go.
pub async fn get(to: SocketAddr, site: u128, route: u128, path: &str) -> Answer {
    let (site, route) = (site_id(site), route_id(route));
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\nx-tenantry-site: {site}\r\nx-tenantry-route: {route}\r\n\r\n"
    );
    send(to, request.as_bytes()).await
}
