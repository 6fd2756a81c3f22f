//! The health of this replica as Envoys ask for it (`grpc.health.v1`): they go to one that serves.

use std::sync::Arc;

use service::stop::{Stop, stopped};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};

use crate::cells::Cells;

/// The service, for the server as a whole: it serves when it has a state to serve, until it is told
/// to stop. The future keeps its answer true; it ends after `stop`.
pub fn service(
    cells: Arc<Cells>,
    stop: Stop,
) -> (HealthServer<impl Health>, impl Future<Output = ()>) {
    let (mut reporter, service) = tonic_health::server::health_reporter();
    let reporting = async move {
        // The name of the server as a whole.
        reporter.set_service_status("", ServingStatus::NotServing).await;
        tokio::select! {
            () = stopped(stop.clone()) => return,
            () = cells.loaded() => reporter.set_service_status("", ServingStatus::Serving).await,
        }
        stopped(stop).await;
        reporter.set_service_status("", ServingStatus::NotServing).await;
    };
    (service, reporting)
}
