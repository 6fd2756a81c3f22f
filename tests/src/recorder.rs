//! The state of Envoys, resource by resource, in their own words: a client that opens a delta xDS
//! stream again lists the version of every resource that it has. A [`Recorder`] takes the place of
//! xds-server and writes these lists down. An xds-server that has read everything anew and is asked
//! the same must have nothing to say ([`differences`]).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::stream::BoxStream;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};
use xds_api::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
    aggregated_discovery_service_client::AggregatedDiscoveryServiceClient,
    aggregated_discovery_service_server::{
        AggregatedDiscoveryService, AggregatedDiscoveryServiceServer,
    },
};

/// The time that an xds-server may need to find out what it has to say.
const SILENCE: Duration = Duration::from_secs(2);

/// The types that an Envoy of a stack asks for at once when it connects, and those of its mirror.
const TYPES_OF_ENVOY: usize = 6;
const TYPES_OF_MIRROR: usize = 5;

/// The first requests of one stream, by type: the client, its subscriptions and its versions.
pub type Opening = BTreeMap<String, DeltaDiscoveryRequest>;

/// Records the state that clients report.
pub struct Recorder {
    seen: Arc<Mutex<Vec<Opening>>>,
    end: oneshot::Sender<()>,
    server: tokio::task::JoinHandle<()>,
}

struct Ads(Arc<Mutex<Vec<Opening>>>);

impl Recorder {
    /// Listens where the xds-server did.
    ///
    /// # Panics
    /// Panics if something else listens there.
    pub async fn start(addr: SocketAddr) -> Self {
        let listener =
            TcpListener::bind(addr).await.expect("the address of the xds-server that was ended");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let service = AggregatedDiscoveryServiceServer::new(Ads(Arc::clone(&seen)))
            .max_decoding_message_size(usize::MAX);
        let (_, health) = tonic_health::server::health_reporter();
        let (end, ended) = oneshot::channel::<()>();
        let served = tonic::transport::Server::builder().add_service(service).add_service(health);
        let server = tokio::spawn(async move {
            let end = async { ended.await.unwrap_or_default() };
            // Streams of clients that stay are cut.
            tokio::select! {
                served = served.serve_with_incoming(TcpListenerStream::new(listener)) => {
                    served.expect("the recorder serves");
                }
                () = end => {}
            }
        });
        Self { seen, end, server }
    }

    /// Waits until this number of Envoys, and their mirrors, have reported, and stops listening.
    pub async fn finish(self, envoys: usize) -> Vec<Opening> {
        let complete = || async {
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let mut openings: BTreeMap<(String, bool), Opening> = BTreeMap::new();
            for opening in seen {
                let of_envoy = opening.keys().all(|kind| kind.contains("/envoy."));
                let types = if of_envoy { TYPES_OF_ENVOY } else { TYPES_OF_MIRROR };
                let node =
                    opening.values().find_map(|request| Some(request.node.as_ref()?.id.clone()));
                if let Some(node) = node.filter(|_| opening.len() == types) {
                    openings.insert((node, of_envoy), opening);
                }
            }
            openings.into_values().collect::<Vec<_>>()
        };
        let openings =
            crate::eventually("all streams", complete, |openings| openings.len() == 2 * envoys)
                .await;
        let _ = self.end.send(());
        let _ = self.server.await;
        openings
    }
}

#[tonic::async_trait]
impl AggregatedDiscoveryService for Ads {
    type StreamAggregatedResourcesStream = BoxStream<'static, Result<DiscoveryResponse, Status>>;
    type DeltaAggregatedResourcesStream = ReceiverStream<Result<DeltaDiscoveryResponse, Status>>;

    async fn stream_aggregated_resources(
        &self,
        _: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        Err(Status::unimplemented("delta only"))
    }

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        let (responses, outbound) = mpsc::channel(1);
        let seen = Arc::clone(&self.0);
        let mut inbound = request.into_inner();
        tokio::spawn(async move {
            let mut place = None;
            while let Ok(Some(request)) = inbound.message().await {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                let place = *place.get_or_insert_with(|| {
                    seen.push(Opening::new());
                    seen.len() - 1
                });
                seen[place].entry(request.type_url.clone()).or_insert(request);
            }
            drop(responses);
        });
        Ok(Response::new(ReceiverStream::new(outbound)))
    }
}

/// The resources that an xds-server sends to a client that opens a stream like this; none if the
/// client is up to date.
///
/// # Panics
/// Panics if the server cannot be asked.
pub async fn differences(xds: SocketAddr, opening: &Opening) -> BTreeSet<String> {
    let endpoint =
        tonic::transport::Endpoint::from_shared(format!("http://{xds}")).expect("an address");
    let channel = endpoint.connect().await.expect("a connection");
    let mut client =
        AggregatedDiscoveryServiceClient::new(channel).max_decoding_message_size(usize::MAX);
    let (requests, outbound) = mpsc::channel(64);
    let node = opening.values().find_map(|request| request.node.clone());
    for (place, request) in opening.values().enumerate() {
        let node = if place == 0 { node.clone() } else { None };
        let first =
            DeltaDiscoveryRequest { node, response_nonce: String::new(), ..request.clone() };
        requests.send(first).await.expect("a request");
    }
    let stream =
        client.delta_aggregated_resources(ReceiverStream::new(outbound)).await.expect("a stream");
    let mut inbound = stream.into_inner();
    let mut said = BTreeSet::new();
    while let Ok(message) = tokio::time::timeout(SILENCE, inbound.message()).await {
        let Some(response) = message.expect("the stream goes on") else { break };
        let kind = response.type_url.rsplit('.').next().unwrap_or_default();
        said.extend(
            response
                .resources
                .iter()
                .map(|resource| format!("{kind} {} is {}", resource.name, resource.version)),
        );
        said.extend(response.removed_resources.iter().map(|name| format!("{kind} {name} is gone")));
        let DeltaDiscoveryResponse { type_url, nonce: response_nonce, .. } = response;
        let ack = DeltaDiscoveryRequest { type_url, response_nonce, ..Default::default() };
        requests.send(ack).await.expect("an acknowledgement");
    }
    said
}
