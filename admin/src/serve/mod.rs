//! The listener: connections with bounds and time limits, and an end that lets requests finish.
//!
//! Nobody is kept out by those that came before: a server that is full closes a connection to take
//! a new one ([`crowd`]), and a connection is closed when its time is over, whatever it has sent so
//! far ([`activity`]).

mod activity;
mod answer;
mod connection;
mod crowd;
mod watched;

use std::future::Future;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use policy::ip::IpSet;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use self::activity::Activity;
use self::connection::Connection;
use self::crowd::{Crowd, Entered};
use crate::bounds;
use crate::metrics;
use crate::rate_limit::network;

/// After a failed accept: the process is out of file descriptors or memory, and trying at once
/// would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The head of a request; RFC 9110 section 4.1 recommends 8,000 octets for the target alone.
const HEAD_BYTES: usize = 32 * 1024;

/// The bounds of connections.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections.
    pub connections: usize,
    /// Open connections of one address, or of one /64 network of IPv6.
    pub per_address: usize,
    /// From the start of a connection to the end of the head of its first request.
    pub head_time: Duration,
    /// From the end of an answer to the end of the head of the next request.
    pub idle_time: Duration,
    /// The longest pause in an answer: its client does not read.
    pub stall_time: Duration,
    /// Proxies: each brings the connections of many clients, so they have no bound of their own.
    pub proxies: IpSet,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: bounds::CONNECTIONS,
            per_address: bounds::CONNECTIONS_PER_ADDRESS,
            head_time: bounds::HEADER_TIME,
            idle_time: bounds::IDLE_TIME,
            stall_time: bounds::STALL_TIME,
            proxies: IpSet::default(),
        }
    }
}

/// Serves until `stop` is done, then lets open requests finish for [`bounds::DRAIN_TIME`] at most.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let server = Server {
        router,
        builder: builder(),
        crowd: Mutex::new(Crowd::new(limits.connections, limits.per_address)),
        limits,
    };
    let server = Arc::new(server);
    let (stopping, stopped) = watch::channel(false);
    // Each connection has a clone: there are none left when the channel is closed.
    let (open, mut all_closed) = mpsc::channel::<()>(1);
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                server.clone().take(stream, peer.ip(), stopped.clone(), open.clone());
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                // Its descriptor is free for the next one.
                server.crowd().make_room();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop((listener, open));
    let _ = stopping.send(true);
    if tokio::time::timeout(bounds::DRAIN_TIME, all_closed.recv()).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds::HEADER_TIME)
        .max_buf_size(HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(100)
        .max_header_list_size(HEAD_BYTES as u32)
        .keep_alive_interval(Some(Duration::from_secs(30)));
    builder
}

/// The parts that all connections share.
struct Server {
    router: Router,
    builder: Builder<TokioExecutor>,
    limits: Limits,
    crowd: Mutex<Crowd>,
}

impl Server {
    fn crowd(&self) -> std::sync::MutexGuard<'_, Crowd> {
        // A panic elsewhere leaves a whole table behind.
        self.crowd.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves a connection, unless those of its address leave no room for it.
    fn take(
        self: Arc<Self>,
        stream: TcpStream,
        peer: IpAddr,
        stopped: watch::Receiver<bool>,
        open: mpsc::Sender<()>,
    ) {
        let peer = peer.to_canonical();
        let activity = Arc::new(Activity::new(Instant::now()));
        let proxy = self.limits.proxies.contains(peer);
        let entered = self.crowd().enter(network(peer), proxy, Arc::clone(&activity));
        let Entered::At(place) = entered else {
            metrics::connection_closed("refused");
            return;
        };
        let _ = stream.set_nodelay(true);
        // No job: a connection ends by itself, and `serve` waits for it.
        tokio::spawn(async move {
            let connection = Connection::new(&self.builder, stream, peer, &self.router, &activity);
            connection.run(&activity, &self.limits, stopped).await;
            self.crowd().leave(place);
            drop(open);
        });
    }
}
