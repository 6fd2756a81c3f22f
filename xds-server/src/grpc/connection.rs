//! Connections of clients: in clear, or by mutual TLS, which names the cells that they may be of.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use service::stop::{Stop, stopped};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;
use tracing::{debug, warn};

use super::peer::Peer;
use super::report;
use crate::tls::Tls;

/// The longest time for a handshake. It is three packets and some signatures.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The most handshakes that are under way, so that strangers that do not finish theirs cost no more
/// than this.
const HANDSHAKES: usize = 256;

/// The number of connections that wait to be served.
const ACCEPTED: usize = 16;

/// The pause after an accept failed, for want of descriptors most likely.
const ACCEPT_DELAY: Duration = Duration::from_millis(100);

/// A connection that gRPC can be spoken on.
pub struct Connection {
    peer: Peer,
    stream: Transport,
}

enum Transport {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// The connections of a listener, as they are ready to be served, until the server is told to stop;
/// and the task that accepts them, which ends then, and with it the listener.
pub fn incoming(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    stop: Stop,
) -> (ReceiverStream<io::Result<Connection>>, JoinHandle<()>) {
    let (ready, connections) = mpsc::channel(ACCEPTED);
    // Not a job of its own: the connections end with it, then the server, and so the server's job.
    let accepting = tokio::spawn(async move {
        tokio::select! {
            () = stopped(stop) => {}
            () = accept(&listener, tls, &ready) => {}
        }
    });
    (ReceiverStream::new(connections), accepting)
}

async fn accept(
    listener: &TcpListener,
    tls: Option<Arc<Tls>>,
    ready: &mpsc::Sender<io::Result<Connection>>,
) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_DELAY).await;
                continue;
            }
        };
        // A response is small, and the client answers it before the next: Nagle's algorithm would
        // hold it back for 40 ms.
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let Some(tls) = &tls else {
            if ready
                .send(Ok(Connection { peer: Peer::Anyone, stream: Transport::Clear(stream) }))
                .await
                .is_err()
            {
                return;
            }
            continue;
        };
        let Ok(permit) = Arc::clone(&handshakes).acquire_owned().await else { return };
        let (tls, ready) = (Arc::clone(tls), ready.clone());
        // Not a job: the task ends with its handshake, whose time is bounded.
        tokio::spawn(async move {
            let connection = shake_hands(&tls, stream).await;
            drop(permit);
            if let Some(connection) = connection {
                // An error says that the server has stopped.
                let _ = ready.send(Ok(connection)).await;
            }
        });
    }
}

async fn shake_hands(tls: &Tls, stream: TcpStream) -> Option<Connection> {
    let address = stream.peer_addr().ok();
    let reason = match tokio::time::timeout(HANDSHAKE, tls.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => {
            let cells = tls.cells(stream.get_ref().1.peer_certificates());
            debug!(?address, ?cells, "a client has shown its certificate");
            let peer = Peer::Certified(Arc::new(cells));
            return Some(Connection { peer, stream: Transport::Tls(Box::new(stream)) });
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("it was not over after {HANDSHAKE:?}"),
    };
    report::handshake_failed(address, &reason);
    None
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Transport::Clear(stream) => Pin::new(stream).poll_read(cx, buffer),
            Transport::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Transport::Clear(stream) => Pin::new(stream).poll_write(cx, bytes),
            Transport::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Transport::Clear(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Transport::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Transport::Clear(stream) => stream.is_write_vectored(),
            Transport::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Transport::Clear(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Transport::Clear(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
