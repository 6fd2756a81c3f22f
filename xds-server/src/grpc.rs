//! The gRPC service: tonic moves the messages, [`crate::ads`] says what they mean.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{BoxStream, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast::error::RecvError, mpsc, watch};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};
use xds_api::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
    aggregated_discovery_service_server::{AggregatedDiscoveryService, AggregatedDiscoveryServiceServer},
};

use crate::ads::{Event, Stream, StreamError};
use crate::hub::{Hub, Notice};
use crate::quarantine::{Quarantine, Refused};
use crate::receipts::{Roster, Seat};
use crate::report;
use crate::usage::UsageServer;

/// How many responses wait for a client that does not read. What else changes meanwhile is not queued: see [`crate::ads`].
const QUEUED_RESPONSES: usize = 2;

/// The largest request. A client that connects again lists the version of all that it has: about 100 bytes for each, so
/// this is some 600,000 resources.
const MAX_REQUEST_BYTES: usize = 64 * 1024 * 1024;

/// A connection on which nothing comes is asked after this time whether it is alive, and is closed if it does not say so in
/// time: a client that vanished does not hold its stream.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// How a server is told to stop: it stops when this becomes true, or when its sender is gone.
pub type Stop = watch::Receiver<bool>;

/// Serves delta ADS, and takes reports of usage, until it is told to stop; streams then end with UNAVAILABLE, so that clients connect again.
///
/// # Errors
/// Those of the listening socket.
pub async fn serve(
    listener: TcpListener,
    hub: Arc<Hub>,
    told: Told,
    usage: UsageServer,
    stop: Stop,
) -> Result<(), tonic::transport::Error> {
    let service = AggregatedDiscoveryServiceServer::new(Ads { hub, told, stop: stop.clone() })
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(usize::MAX);
    tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .add_service(service)
        .add_service(usage)
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener).map(without_delay), stopped(stop))
        .await
}

/// A response is small, and the client answers it before the next: Nagle's algorithm would hold it back for 40 ms.
fn without_delay(connection: std::io::Result<TcpStream>) -> std::io::Result<TcpStream> {
    let connection = connection?;
    connection.set_nodelay(true)?;
    Ok(connection)
}

/// Waits until a server is told to stop.
pub async fn stopped(mut stop: Stop) {
    // An error says that nobody can tell it any more.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Who is told of what clients do. By default it is not written down.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// How far they are.
    pub roster: Arc<Roster>,
    /// What they accept and refuse.
    pub quarantine: Arc<Quarantine>,
}

struct Ads {
    hub: Arc<Hub>,
    told: Told,
    stop: Stop,
}

#[tonic::async_trait]
impl AggregatedDiscoveryService for Ads {
    type StreamAggregatedResourcesStream = BoxStream<'static, Result<DiscoveryResponse, Status>>;
    type DeltaAggregatedResourcesStream = ReceiverStream<Result<DeltaDiscoveryResponse, Status>>;

    async fn stream_aggregated_resources(
        &self,
        _: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        report::state_of_the_world_refused();
        Err(Status::unimplemented(
            "this server speaks delta xDS only: set `api_type: DELTA_GRPC` in the bootstrap's `dynamic_resources.ads_config`",
        ))
    }

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        let (responses, outbound) = mpsc::channel(QUEUED_RESPONSES);
        let (hub, told) = (Arc::clone(&self.hub), self.told.clone());
        let pump = Pump { hub, told, seat: None, stream: Stream::new(), responses };
        tokio::spawn(pump.run(request.into_inner(), self.stop.clone()));
        Ok(Response::new(ReceiverStream::new(outbound)))
    }
}

/// The task of one stream.
struct Pump {
    hub: Arc<Hub>,
    told: Told,
    /// Known from the first request on.
    seat: Option<Seat>,
    stream: Stream,
    responses: mpsc::Sender<Result<DeltaDiscoveryResponse, Status>>,
}

impl Pump {
    async fn run(mut self, inbound: Streaming<DeltaDiscoveryRequest>, stop: Stop) {
        let _open = report::StreamOpen::new();
        let ended = tokio::select! {
            () = stopped(stop) => Some(Status::unavailable("this server is stopping; connect again")),
            ended = self.pump(inbound) => ended.err(),
        };
        let status = ended.as_ref().map_or("closed by the client", Status::message);
        report::stream_ended(self.stream.client(), status);
        if let Some(status) = ended {
            // The client may be gone already.
            let _ = self.responses.send(Err(status)).await;
        }
    }

    async fn pump(&mut self, mut inbound: Streaming<DeltaDiscoveryRequest>) -> Result<(), Status> {
        self.hub.loaded().await;
        let mut notices = self.hub.follow();
        let responses = self.responses.clone();
        loop {
            let blocked = !self.send_what_fits();
            if let Some(seat) = &mut self.seat {
                seat.acked(self.stream.acked_seq());
            }
            tokio::select! {
                request = inbound.message() => match request? {
                    Some(request) => self.receive(&request).map_err(|error| {
                        Status::invalid_argument(error.to_string())
                    })?,
                    None => return Ok(()),
                },
                notice = notices.recv() => match notice {
                    Ok(Notice::Changed(changed)) => self.stream.changed(&changed),
                    Ok(Notice::Reached(seq)) => self.stream.reached(seq),
                    Err(RecvError::Lagged(_)) => self.stream.resync(&self.hub.snapshot()),
                    Err(RecvError::Closed) => return Ok(()),
                },
                room = responses.reserve(), if blocked => if room.is_err() {
                    return Ok(());
                },
            }
        }
    }

    /// Sends until there is nothing to say, or no room; says whether it was the former.
    fn send_what_fits(&mut self) -> bool {
        while let Ok(permit) = self.responses.try_reserve() {
            let Some(response) = self.stream.poll(&self.hub.snapshot()) else { return true };
            report::pushed(self.stream.client(), &response);
            permit.send(Ok(response));
        }
        false
    }

    fn receive(&mut self, request: &DeltaDiscoveryRequest) -> Result<(), StreamError> {
        let known = self.stream.client().is_some();
        let events = self.stream.receive(&self.hub.snapshot(), request)?;
        if !known {
            report::stream_started(self.stream.client());
            self.seat = self.stream.client().map(|client| self.told.roster.enter(client));
        }
        for event in &events {
            report::event(self.stream.client(), event);
            self.vet(event);
        }
        Ok(())
    }

    /// Tells what the client has accepted or refused, before it is told how far it is.
    fn vet(&self, event: &Event) {
        match event {
            Event::Ack { sites, .. } => {
                for site in sites.iter().filter(|site| self.told.quarantine.is_on_trial(**site)) {
                    let snapshot = self.hub.snapshot();
                    if self.stream.has_site(&snapshot, *site) {
                        self.told.quarantine.accepted(&snapshot, *site);
                    }
                }
            }
            Event::Nack { kind, resources, message } => {
                // Of several that were refused together, each is tried by itself.
                let ([(name, Some(version))], Some(client)) = (resources.as_slice(), self.stream.client()) else {
                    return;
                };
                let refused = Refused { node_id: &client.id, kind: *kind, name, version, reason: message };
                self.told.quarantine.refused(&self.hub.snapshot(), refused);
            }
            Event::StaleNonce { .. } | Event::UnknownType { .. } => {}
        }
    }
}
