//! Requests byte by byte, for what no HTTP client would send.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Sends these bytes on a connection of their own, and answers all that comes back until the gateway closes it or a second
/// passes in silence. The request should ask for `Connection: close`.
///
/// # Panics
/// When the gateway cannot be reached.
pub async fn send(address: SocketAddr, request: &[u8]) -> RawAnswer {
    let mut stream = TcpStream::connect(address).await.expect("a connection to the gateway");
    // The gateway may answer and close before it has read all of a bad request.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let mut chunk = [0; 16 * 1024];
    while let Ok(Ok(length)) = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut chunk)).await {
        if length == 0 {
            break;
        }
        answer.extend_from_slice(&chunk[..length]);
    }
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
    /// When there is none.
    pub fn echo(&self) -> serde_json::Value {
        let start = self.0.find("\r\n\r\n").map_or(0, |at| at + 4);
        let json = self.0[start..].find('{').map_or("", |at| &self.0[start + at..]);
        let mut values = serde_json::Deserializer::from_str(json).into_iter();
        values.next().and_then(Result::ok).unwrap_or_else(|| panic!("no JSON in {}", self.0))
    }
}
