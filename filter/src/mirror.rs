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
    /// Plans the first attempt to connect: when the configuration is read, Envoy's clusters may not be there yet.
    pub(crate) fn start(cluster: String) -> Self {
        let singleton = Self { cluster, mirror: begin(), stream: None, retry: RETRY_MIN };
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
                self.carry_out(token, actions);
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
        let actions = match hostcalls::get_buffer(BufferType::GrpcReceiveBuffer, 0, size) {
            Ok(message) => self.mirror.received(&message.unwrap_or_default()),
            Err(_) => vec![Action::Reconnect],
        };
        self.carry_out(token, actions);
    }

    /// Plans the next attempt after the end of the stream. What is mirrored goes on being served.
    pub(crate) fn closed(&mut self, token: u32, status: u32) {
        if self.stream == Some(token) {
            log::warn!("tenantry: the stream to cluster {} ended with gRPC status {status}", self.cluster);
            self.lost();
        }
    }

    /// Carries out what the mirror asks for. If that cannot be done to its end, the server waits for an answer that will not
    /// come, and the mirror no longer knows what it holds: both begin anew.
    fn carry_out(&mut self, token: u32, actions: Vec<Action>) {
        if let Err(what) = perform(Some(token), actions) {
            log::error!("tenantry: the stream to cluster {} is given up: {what}", self.cluster);
            let _ = hostcalls::cancel_grpc_stream(token);
            self.mirror = begin();
            self.lost();
        }
    }

    fn lost(&mut self) {
        self.stream = None;
        self.wait();
        self.retry = RETRY_MAX.min(self.retry.saturating_mul(2));
    }

    fn wait(&self) {
        let _ = hostcalls::set_tick_period(self.retry);
    }
}

/// A mirror that takes up where an earlier one of this Envoy left off.
fn begin() -> Mirror {
    let left = hostcalls::get_shared_data(SERVING_KEY).ok().and_then(|(value, _)| Serving::decode(&value?));
    let (mirror, actions) = Mirror::start(node_property("id"), node_property("cluster"), left);
    if let Err(what) = perform(None, actions) {
        log::error!("tenantry: shared data cannot be written: {what}");
    }
    mirror
}

fn perform(stream: Option<u32>, actions: Vec<Action>) -> Result<(), String> {
    for action in actions {
        let done = match (action, stream) {
            (Action::Write(key, value), _) => hostcalls::set_shared_data(&key, Some(&value), None),
            (Action::Send(message), Some(token)) => hostcalls::send_grpc_stream_message(token, Some(&message), false),
            (Action::Send(_), None) => Ok(()),
            (Action::Reconnect, _) => return Err("a message cannot be read".to_owned()),
        };
        done.map_err(|status| format!("{status:?}"))?;
    }
    Ok(())
}

/// A field of Envoy's Node; empty if Envoy has none.
fn node_property(field: &str) -> String {
    let value = hostcalls::get_property(vec!["xds", "node", field]).ok().flatten();
    value.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}
