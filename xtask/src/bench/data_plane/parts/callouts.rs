//! The service that `ext_authz` and the `ratelimit` filter call: it does the least that is an
//! answer.

use std::convert::Infallible;
use std::net::SocketAddr;

use anyhow::{Result, bail};
use envoy_types::pb::envoy::service::auth::v3::authorization_server::{
    Authorization, AuthorizationServer,
};
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse};
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::Code;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_server::{
    RateLimitService, RateLimitServiceServer,
};
use envoy_types::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use envoy_types::pb::google::rpc::Status as RpcStatus;
use tonic::{Request, Response, Status, async_trait};

pub(super) async fn serve(listen: SocketAddr) -> Result<Infallible> {
    tonic::transport::Server::builder()
        .tcp_nodelay(true)
        .add_service(AuthorizationServer::new(Yes))
        .add_service(RateLimitServiceServer::new(Yes))
        .serve(listen)
        .await?;
    bail!("the server has ended")
}

/// Lets everything pass.
struct Yes;

#[async_trait]
impl Authorization for Yes {
    async fn check(&self, _: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        // Code 0 is OK (google/rpc/code.proto).
        Ok(Response::new(CheckResponse {
            status: Some(RpcStatus::default()),
            ..Default::default()
        }))
    }
}

#[async_trait]
impl RateLimitService for Yes {
    async fn should_rate_limit(
        &self,
        _: Request<RateLimitRequest>,
    ) -> Result<Response<RateLimitResponse>, Status> {
        Ok(Response::new(RateLimitResponse { overall_code: Code::Ok.into(), ..Default::default() }))
    }
}
