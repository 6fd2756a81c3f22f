//! `tenantry.filter.v1.UsageService` over gRPC: the code that a generator would write for its one
//! method.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use policy::usage::{HOUR_MS, MAX_REPORT_BYTES, METHOD, SERVICE, UsageAck, UsageReport};
use tokio::sync::{mpsc, oneshot};
use tonic::body::{BoxBody, empty_body};
use tonic::codec::ProstCodec;
use tonic::codegen::{Body, BoxFuture, Context, Poll, Service, StdError, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Code, Request, Response, Status};

use super::parse::parse;
use super::report;
use super::writer::Queued;

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct UsageServer {
    reports: mpsc::Sender<Queued>,
    path: Arc<str>,
}

impl UsageServer {
    pub(super) fn new(reports: mpsc::Sender<Queued>) -> Self {
        Self { reports, path: format!("/{SERVICE}/{METHOD}").into() }
    }

    /// Takes a report in, and answers when it is in the sums.
    async fn report(self, message: UsageReport) -> Result<UsageAck, Status> {
        let seq = message.seq;
        let parsed = parse(message, now_hour()).map_err(|error| {
            report::refused(&error);
            Status::invalid_argument(error.to_string())
        })?;
        let (done, outcome) = oneshot::channel();
        self.reports.try_send(Queued { parsed, done }).map_err(|_| {
            report::turned_away();
            Status::unavailable("too many reports wait; send it again")
        })?;
        match outcome.await {
            Ok(Ok(())) => Ok(UsageAck { seq }),
            Ok(Err(_)) => Err(Status::unavailable("the database cannot be used; send it again")),
            Err(_) => Err(Status::unavailable("this server is stopping; send it again")),
        }
    }
}

fn now_hour() -> u32 {
    let now = service::ambient::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(now.as_millis() / u128::from(HOUR_MS)).unwrap_or(u32::MAX)
}

/// The one method, as tonic wants it.
struct Report(UsageServer);

impl UnaryService<UsageReport> for Report {
    type Response = UsageAck;
    type Future = BoxFuture<Response<UsageAck>, Status>;

    fn call(&mut self, request: Request<UsageReport>) -> Self::Future {
        let server = self.0.clone();
        Box::pin(async move { server.report(request.into_inner()).await.map(Response::new) })
    }
}

impl<B> Service<http::Request<B>> for UsageServer
where
    B: Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<BoxBody>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        if request.uri().path() != &*self.path {
            return Box::pin(async { Ok(unimplemented()) });
        }
        let method = Report(self.clone());
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::<UsageAck, UsageReport>::default())
                .apply_max_message_size_config(Some(MAX_REPORT_BYTES), None);
            Ok(grpc.unary(method, request).await)
        })
    }
}

impl NamedService for UsageServer {
    const NAME: &'static str = SERVICE;
}

/// The service has no such method.
fn unimplemented() -> http::Response<BoxBody> {
    let mut response = http::Response::new(empty_body());
    let headers = response.headers_mut();
    headers.insert("grpc-status", (Code::Unimplemented as i32).into());
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/grpc"));
    response
}
