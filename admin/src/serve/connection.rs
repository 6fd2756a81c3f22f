//! One connection, from its start to its end.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use futures::future::BoxFuture;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tower::ServiceExt as _;

use super::Limits;
use super::activity::{Activity, Over};
use super::answer::Answer;
use super::watched::Watched;
use crate::http::caller::Peer;
use crate::metrics;

/// The time in which an idle client takes leave: HTTP/2 announces the end (RFC 9113 section 6.8).
const LEAVE_TIME: Duration = Duration::from_secs(1);

/// The requests of one connection.
struct Requests {
    router: Router,
    peer: IpAddr,
    activity: Arc<Activity>,
}

impl hyper::service::Service<Request<Incoming>> for Requests {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Answer>, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let under_way = self.activity.request();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(self.peer));
        let response = self.router.clone().oneshot(request);
        Box::pin(async move {
            let response = response.await?;
            Ok(response.map(|body| Answer::new(body, under_way.answer())))
        })
    }
}

/// A connection that is served.
pub(super) struct Connection<'a> {
    http: Pin<Box<Http<'a>>>,
}

type Http<'a> =
    hyper_util::server::conn::auto::Connection<'a, TokioIo<Watched>, Requests, TokioExecutor>;

impl<'a> Connection<'a> {
    pub(super) fn new(
        builder: &'a Builder<TokioExecutor>,
        stream: TcpStream,
        peer: IpAddr,
        router: &Router,
        activity: &Arc<Activity>,
    ) -> Self {
        let requests = Requests { router: router.clone(), peer, activity: Arc::clone(activity) };
        let io = TokioIo::new(Watched { stream, activity: Arc::clone(activity) });
        Self { http: Box::pin(builder.serve_connection(io, requests)) }
    }

    /// Serves it until it ends by itself, its time is over, or its place is needed. When the server
    /// stops, requests that are under way are finished.
    pub(super) async fn run(
        mut self,
        activity: &Activity,
        limits: &Limits,
        mut stopped: watch::Receiver<bool>,
    ) {
        // While a request is handled the connection has no end: look again after a while.
        let look = limits.head_time.min(limits.idle_time).min(limits.stall_time);
        let mut leave: Option<Instant> = None;
        loop {
            let end = activity.end(limits);
            let next = match (leave, end) {
                (Some(leave), _) => leave,
                (None, Some((end, _))) => end,
                (None, None) => Instant::now() + look,
            };
            tokio::select! {
                ended = self.http.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection ended early");
                    }
                    return;
                }
                () = activity.given_up() => return metrics::connection_closed("crowded"),
                Ok(()) = stopped.changed() => self.http.as_mut().graceful_shutdown(),
                () = sleep_until(next) => match (leave, activity.end(limits)) {
                    (Some(_), _) => return,
                    (None, Some((end, over))) if end <= Instant::now() => {
                        metrics::connection_closed(over.as_str());
                        if over != Over::Idle {
                            return;
                        }
                        self.http.as_mut().graceful_shutdown();
                        leave = Some(Instant::now() + LEAVE_TIME);
                    }
                    _ => {}
                },
            }
        }
    }
}
