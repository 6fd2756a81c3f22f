//! The upstream: reads requests only so far as to know where they end.

use std::convert::Infallible;
use std::net::SocketAddr;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\nok\n";

/// The end of a request's headers. Bench requests have no bodies.
const END: &[u8] = b"\r\n\r\n";

/// The largest request, headers and all; far more than the bench sends.
const MAX_REQUEST_BYTES: usize = 16 << 10;

pub(super) async fn serve(listen: SocketAddr) -> Result<Infallible> {
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(answer_all(stream));
    }
}

/// Ends with the connection, or with a request that is too large.
async fn answer_all(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut buffer = vec![0; MAX_REQUEST_BYTES];
    let mut filled = 0;
    loop {
        let Some(free) = buffer.get_mut(filled..).filter(|free| !free.is_empty()) else { return };
        match stream.read(free).await {
            Ok(read) if read > 0 => filled += read,
            _ => return,
        }
        let seen = buffer.get(..filled).unwrap_or_default();
        let (requests, consumed) = complete(seen);
        for _ in 0..requests {
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
        }
        buffer.copy_within(consumed..filled, 0);
        filled -= consumed;
    }
}

/// Returns the number of requests that end in these bytes, and the place where the last of them
/// ends.
fn complete(bytes: &[u8]) -> (usize, usize) {
    let ends = bytes.windows(END.len()).enumerate().filter(|(_, window)| *window == END);
    ends.fold((0, 0), |(count, _), (position, _)| (count + 1, position + END.len()))
}

#[cfg(test)]
mod tests {
    use super::complete;

    #[test]
    fn requests_are_counted_by_their_ends() {
        assert_eq!(complete(b"GET / HTTP/1.1\r\na: b\r\n"), (0, 0));
        assert_eq!(complete(b"GET / HTTP/1.1\r\n\r\n"), (1, 18));
        assert_eq!(complete(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\nGET"), (2, 36));
    }
}
