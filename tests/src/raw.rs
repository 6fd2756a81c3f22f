//! Requests byte by byte, for bytes that no HTTP client would send.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::PATIENCE;

/// Sends these bytes on a connection of their own, and returns everything that comes back until the
/// gateway closes it. The request has to ask for `Connection: close`, or to be one after which the
/// gateway closes anyway.
///
/// # Panics
/// Panics if the gateway cannot be reached, or does not close.
pub async fn send(address: SocketAddr, request: &[u8]) -> RawAnswer {
    let mut stream = TcpStream::connect(address).await.expect("a connection to the gateway");
    // The gateway may answer and close before it has read all of a bad request.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let mut chunk = [0; 16 * 1024];
    let read = async {
        // A reset after the answer is as good as an end.
        while let Ok(length @ 1..) = stream.read(&mut chunk).await {
            answer.extend_from_slice(&chunk[..length]);
        }
    };
    let ended = tokio::time::timeout(PATIENCE, read).await;
    assert!(ended.is_ok(), "the gateway does not close: {}", String::from_utf8_lossy(&answer));
    RawAnswer(String::from_utf8_lossy(&answer).into_owned())
}

/// An answer as it came.
#[derive(Debug)]
pub struct RawAnswer(pub String);

impl RawAnswer {
    /// The status code; 0 if the connection was closed without an answer.
    pub fn status(&self) -> u16 {
        self.0.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    /// The JSON that the echo upstream answered.
    ///
    /// # Panics
    /// Panics if there is none.
    pub fn echo(&self) -> serde_json::Value {
        let start = self.0.find("\r\n\r\n").map_or(0, |at| at + 4);
        let json = self.0[start..].find('{').map_or("", |at| &self.0[start + at..]);
        let mut values = serde_json::Deserializer::from_str(json).into_iter();
        values.next().and_then(Result::ok).unwrap_or_else(|| panic!("no JSON in {}", self.0))
    }
}
