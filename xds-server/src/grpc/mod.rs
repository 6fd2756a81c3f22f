//! The gRPC service: tonic moves the messages, [`crate::ads`] says what they mean.

pub mod connection;
pub mod health;
mod mirrors;
pub mod peer;
pub(crate) mod report;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::BoxStream;
use service::stop::{Stop, stopped};
use tokio::net::TcpListener;
use tokio::sync::{broadcast::error::RecvError, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use xds_api::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
    aggregated_discovery_service_server::{
        AggregatedDiscoveryService, AggregatedDiscoveryServiceServer,
    },
};

use crate::ads::{Event, Stream, StreamError};
use crate::cells::Cells;
use crate::hub::{Hub, Notice};
use crate::quarantine::{Quarantine, Refused};
use crate::receipts::{Roster, Seat};
use crate::resource::ResourceType;
use crate::tls::Tls;
use crate::usage::UsageServer;

use self::mirrors::Mirrors;
use self::peer::Peer;

/// The responses that wait for a client that does not read. Further changes are not queued
/// meanwhile: see [`crate::ads`].
const QUEUED_RESPONSES: usize = 2;

/// The largest request. A client that connects again lists the version of all that it has: about
/// 100 bytes for each, so this is some 600,000 resources.
const MAX_REQUEST_BYTES: usize = 64 * 1024 * 1024;

/// The time after which a silent connection is asked for a sign of life, and the time for its
/// answer: a client that vanished does not hold its stream.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves delta ADS, and takes reports of usage, until it is told to stop; streams then end with
/// UNAVAILABLE, so that clients connect again. With `tls`, to clients with certificates alone.
///
/// # Errors
/// Those of the listening socket.
pub async fn serve(
    listener: TcpListener,
    cells: Arc<Cells>,
    observers: Observers,
    usage: UsageServer,
    tls: Option<Arc<Tls>>,
    stop: Stop,
) -> Result<(), tonic::transport::Error> {
    let (health, reporting) = health::service(Arc::clone(&cells), stop.clone());
    let ads = Ads { cells, observers, mirrors: Arc::default(), stop: stop.clone() };
    let service = AggregatedDiscoveryServiceServer::new(ads)
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(usize::MAX);
    let (connections, accepting) = connection::incoming(listener, tls, stop.clone());
    let serving = tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .add_service(service)
        .add_service(usage)
        .add_service(health)
        .serve_with_incoming_shutdown(connections, stopped(stop));
    let mut serving = pin!(serving);
    tokio::select! {
        served = &mut serving => served?,
        () = reporting => serving.await?,
    }
    // The port is free when this returns. An error says that the task has panicked, and the log
    // says where.
    let _ = accepting.await;
    Ok(())
}

/// The parts of the program that learn what clients do. By default nothing is written down.
#[derive(Clone, Debug, Default)]
pub struct Observers {
    /// Learns how far they are.
    pub roster: Arc<Roster>,
    /// Learns which resources they accept and refuse.
    pub quarantine: Arc<Quarantine>,
}

struct Ads {
    cells: Arc<Cells>,
    observers: Observers,
    mirrors: Arc<Mirrors>,
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
            "this server speaks delta xDS only: set `api_type: DELTA_GRPC` in the bootstrap's \
             `dynamic_resources.ads_config`",
        ))
    }

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        let (responses, outbound) = mpsc::channel(QUEUED_RESPONSES);
        let peer = request.extensions().get::<Peer>().cloned().unwrap_or_else(Peer::nobody);
        let pump = Pump {
            peer,
            observers: self.observers.clone(),
            seat: None,
            stream: Stream::new(),
            responses,
        };
        let (cells, mirrors) = (Arc::clone(&self.cells), Arc::clone(&self.mirrors));
        // Not a job: the task ends with its stream, or when the server stops.
        tokio::spawn(pump.run(cells, mirrors, request.into_inner(), self.stop.clone()));
        Ok(Response::new(ReceiverStream::new(outbound)))
    }
}

fn invalid(error: StreamError) -> Status {
    Status::invalid_argument(error.to_string())
}

/// The task of one stream.
struct Pump {
    peer: Peer,
    observers: Observers,
    /// Known from the first request on.
    seat: Option<Seat>,
    stream: Stream,
    responses: mpsc::Sender<Result<DeltaDiscoveryResponse, Status>>,
}

impl Pump {
    async fn run(
        mut self,
        cells: Arc<Cells>,
        mirrors: Arc<Mirrors>,
        inbound: Streaming<DeltaDiscoveryRequest>,
        stop: Stop,
    ) {
        let _open = report::StreamOpen::new();
        let ended = tokio::select! {
            () = stopped(stop) => Some(Status::unavailable("this server is stopping; connect \
                again")),
            ended = self.pump(&cells, &mirrors, inbound) => ended.err(),
        };
        let status = ended.as_ref().map_or("closed by the client", Status::message);
        report::stream_ended(self.stream.client(), status);
        if let Some(status) = ended {
            // The client may be gone already.
            let _ = self.responses.send(Err(status)).await;
        }
    }

    async fn pump(
        &mut self,
        cells: &Cells,
        mirrors: &Arc<Mirrors>,
        mut inbound: Streaming<DeltaDiscoveryRequest>,
    ) -> Result<(), Status> {
        cells.loaded().await;
        // The first request names the cell of the client, and so its hub.
        let Some(first) = inbound.message().await? else { return Ok(()) };
        let cell = first.node.as_ref().map_or("", |node| node.cluster.as_str());
        if !self.peer.may_be_of(cell) {
            report::cell_refused(first.node.as_ref(), &self.peer);
            return Err(Status::permission_denied(format!(
                "the client certificate is not one of cell `{cell}`, which `node.cluster` says"
            )));
        }
        let joined = cells.join(cell);
        let hub = joined.hub;
        // The client may come from a replica that knew more.
        let question = cells.freshness().ask();
        let mut certain = cells.freshness().answered_soon(question).await;
        if !certain {
            self.stream.doubt();
        }
        self.stream.hold_listeners();
        let node = first.node.as_ref().map_or("", |node| &node.id).to_owned();
        let envoy = ResourceType::from_type_url(&first.type_url)
            .is_some_and(|kind| !kind.is_for_the_filter());
        let _envoy = envoy.then(|| mirrors.enter_envoy(&node));
        let mut mirror = pin!(mirrors.in_sync(&node));
        let (mut holds, mut in_sync) = (true, None);
        let mut notices = hub.follow();
        self.receive(&hub, &first).map_err(invalid)?;
        report::stream_started(self.stream.client());
        self.seat = self.stream.client().map(|client| self.observers.roster.enter(client));
        if !joined.known {
            report::unknown_cell(self.stream.client());
        }
        let responses = self.responses.clone();
        loop {
            if in_sync.is_none() && self.stream.is_mirror_in_sync() {
                in_sync = Some(mirrors.enter_mirror(&node));
            }
            let blocked = !self.send_what_fits(&hub);
            if let Some(seat) = &mut self.seat {
                seat.acked(self.stream.acked_seq());
            }
            tokio::select! {
                request = inbound.message() => match request? {
                    Some(request) => self.receive(&hub, &request).map_err(invalid)?,
                    None => return Ok(()),
                },
                notice = notices.recv() => match notice {
                    Ok(Notice::Changed(changed)) => self.stream.changed(&changed),
                    Ok(Notice::Reached(seq)) => self.stream.reached(seq),
                    Ok(Notice::Used(used)) => {
                        let evicted = self.stream.evict_idle(&hub.snapshot(), &used);
                        report::evicted(self.stream.client(), evicted);
                    }
                    Err(RecvError::Lagged(_)) => self.stream.resync(&hub.snapshot()),
                    Err(RecvError::Closed) => return Ok(()),
                },
                () = &mut mirror, if holds => {
                    holds = false;
                    self.stream.release_listeners();
                }
                () = cells.freshness().answered(question), if !certain => {
                    certain = true;
                    self.stream.trust(&hub.snapshot());
                }
                room = responses.reserve(), if blocked => if room.is_err() {
                    return Ok(());
                },
            }
        }
    }

    /// Sends until there is nothing to say, or no room; returns true if there is nothing to say.
    fn send_what_fits(&mut self, hub: &Hub) -> bool {
        while let Ok(permit) = self.responses.try_reserve() {
            let Some(response) = self.stream.poll(&hub.snapshot()) else { return true };
            report::pushed(self.stream.client(), &response);
            permit.send(Ok(response));
        }
        false
    }

    fn receive(&mut self, hub: &Hub, request: &DeltaDiscoveryRequest) -> Result<(), StreamError> {
        let events = self.stream.receive(&hub.snapshot(), request)?;
        for event in &events {
            report::event(self.stream.client(), event);
            self.vet(hub, event);
        }
        Ok(())
    }

    /// Reports the resources that the client has accepted or refused, before its progress is.
    fn vet(&self, hub: &Hub, event: &Event) {
        match event {
            Event::Ack { sites, .. } => {
                for site in
                    sites.iter().filter(|site| self.observers.quarantine.is_on_trial(**site))
                {
                    let snapshot = hub.snapshot();
                    if self.stream.has_site(&snapshot, *site) {
                        self.observers.quarantine.accepted(*site);
                    }
                }
            }
            Event::Nack { kind, resources, message } => {
                // Of several that were refused together, each is tried by itself.
                let ([(name, Some(version))], Some(client)) =
                    (resources.as_slice(), self.stream.client())
                else {
                    return;
                };
                let refused =
                    Refused { node_id: &client.id, kind: *kind, name, version, reason: message };
                self.observers.quarantine.refused(&hub.snapshot(), refused);
            }
            Event::StaleNonce { .. } | Event::UnknownType { .. } => {}
        }
    }
}
