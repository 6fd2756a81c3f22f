//! The singleton: pumps messages between the control plane's delta ADS stream, `policy`'s mirror and shared data.

use std::time::Duration;

use policy::mirror::{Action, Mirror, SERVING_KEY, Serving};
use proxy_wasm::{hostcalls, types::BufferType};

const SERVICE: &str = "envoy.service.discovery.v3.AggregatedDiscoveryService";
const METHOD: &str = "DeltaAggregatedResources";

/// How long to wait before the first attempt, and after a stream that had worked.
const RETRY_MIN: Duration = Duration::from_millis(50);
/// The longest wait between attempts: an Envoy without its control plane asks once in two seconds.
const RETRY_MAX: Duration = Duration::from_secs(2);

/// The singleton's state.
pub(crate) struct Singleton {
    cluster: String,
    mirror: Mirror,
    stream: Option<u32>,
    retry: Duration,
}

impl Singleton {
    /// Takes up where an earlier singleton of this Envoy left off, and plans the first attempt to connect: when the
    /// configuration is read, Envoy's clusters may not be there yet.
    pub(crate) fn start(cluster: String) -> Self {
        let left = hostcalls::get_shared_data(SERVING_KEY).ok().and_then(|(value, _)| Serving::decode(&value?));
        let (mirror, actions) = Mirror::start(node_property("id"), node_property("cluster"), left);
        let singleton = Self { cluster, mirror, stream: None, retry: RETRY_MIN };
        singleton.perform(None, actions);
        singleton.wait();
        singleton
    }

    /// Opens the stream, if there is none.
    pub(crate) fn connect(&mut self) {
        if self.stream.is_some() {
            return;
        }
        match hostcalls::open_grpc_stream(&self.cluster, SERVICE, METHOD, Vec::new()) {
            Ok(token) => {
                self.stream = Some(token);
                let _ = hostcalls::set_tick_period(Duration::ZERO);
                let actions = self.mirror.connected();
                self.perform(Some(token), actions);
            }
            Err(status) => {
                log::warn!("tenantry: no stream to cluster {}: {status:?}", self.cluster);
                self.lost();
            }
        }
    }

    /// Takes in a message.
    pub(crate) fn received(&mut self, token: u32, size: usize) {
        if self.stream != Some(token) {
            return;
        }
        self.retry = RETRY_MIN;
        if let Ok(Some(message)) = hostcalls::get_buffer(BufferType::GrpcReceiveBuffer, 0, size) {
            let actions = self.mirror.received(&message);
            self.perform(Some(token), actions);
        }
    }

    /// Plans the next attempt after the end of the stream. What is mirrored goes on being served.
    pub(crate) fn closed(&mut self, token: u32, status: u32) {
        if self.stream == Some(token) {
            log::warn!("tenantry: the stream to cluster {} ended with gRPC status {status}", self.cluster);
            self.stream = None;
            self.lost();
        }
    }

    fn lost(&mut self) {
        self.wait();
        self.retry = RETRY_MAX.min(self.retry.saturating_mul(2));
    }

    fn wait(&self) {
        let _ = hostcalls::set_tick_period(self.retry);
    }

    fn perform(&self, stream: Option<u32>, actions: Vec<Action>) {
        for action in actions {
            let done = match (action, stream) {
                (Action::Write(key, value), _) => hostcalls::set_shared_data(&key, Some(&value), None),
                (Action::Send(message), Some(token)) => {
                    hostcalls::send_grpc_stream_message(token, Some(&message), false)
                }
                (Action::Send(_), None) => Ok(()),
            };
            if let Err(status) = done {
                log::error!("tenantry: the mirror could not go on: {status:?}");
                return;
            }
        }
    }
}

/// A field of Envoy's Node; empty if Envoy has none.
fn node_property(field: &str) -> String {
    let value = hostcalls::get_property(vec!["xds", "node", field]).ok().flatten();
    value.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}
