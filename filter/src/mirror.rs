//! The mirror's shell: pumps messages between the control plane's delta ADS stream, `policy`'s
//! mirror and shared data.
//!
//! One VM of an Envoy is the mirror: by rights that of the singleton. Envoy does not start a
//! singleton again whose VM has trapped, so the mirror shows that it is alive ([`Claim`]), and a
//! worker's VM takes over when it does not ([`Watch`]).

use std::time::Duration;

use policy::mirror::{
    Action, Left, MESSAGE_MAX_BYTES, Mirror, REFUSED_KEY, SERVING_KEY, Serving, TRIAL_KEY,
};
use proxy_wasm::{hostcalls, types::BufferType};

use crate::{abi, shared};

const SERVICE: &str = "envoy.service.discovery.v3.AggregatedDiscoveryService";
const METHOD: &str = "DeltaAggregatedResources";

/// The wait before the first attempt, and after a stream that had worked.
const RETRY_MIN: Duration = Duration::from_millis(50);
/// The longest wait between attempts: an Envoy without its control plane asks once a second.
const RETRY_MAX: Duration = Duration::from_secs(1);
/// The time between two wakings of a VM: the mirror then shows that it is alive, the others look
/// whether it is.
pub(crate) const TICK: Duration = Duration::from_secs(1);
/// After so many looks at an unchanged sign of life the mirror is taken for dead. A main thread
/// that stands still for longer, and then goes on, finds that another has taken over, and leaves it
/// at that.
const MISSED_MAX: u32 = 3;

/// The shared-data name of the sign of life: an empty value, whose version changes with each.
const ALIVE_KEY: &str = "alive";

/// The right to be the mirror of this Envoy: the version of the last sign of life was one's own.
struct Claim {
    version: Option<u32>,
}

impl Claim {
    /// Takes the right from its holder.
    fn take() -> Self {
        let _ = hostcalls::set_shared_data(ALIVE_KEY, Some(&[]), None);
        Self { version: shared::version(ALIVE_KEY) }
    }

    /// Takes the right if the last sign of life is still the one of this version.
    fn take_over(version: u32) -> Option<Self> {
        hostcalls::set_shared_data(ALIVE_KEY, Some(&[]), Some(version)).ok()?;
        Some(Self { version: shared::version(ALIVE_KEY) })
    }

    /// Gives a sign of life; false if somebody else has taken over.
    fn renew(&mut self) -> bool {
        let held = hostcalls::set_shared_data(ALIVE_KEY, Some(&[]), self.version).is_ok();
        if held {
            self.version = shared::version(ALIVE_KEY);
        }
        held
    }
}

/// Looks whether the mirror of this Envoy is alive.
#[derive(Default)]
pub(crate) struct Watch {
    version: Option<u32>,
    missed: u32,
}

impl Watch {
    /// Looks once, on each tick. Answers a mirror of one's own if there was one in this Envoy, and
    /// it is dead.
    pub(crate) fn look(&mut self, cluster: &str) -> Option<Singleton> {
        let version = shared::version(ALIVE_KEY);
        if version != self.version {
            *self = Self { version, missed: 0 };
            return None;
        }
        self.missed += 1;
        if self.missed < MISSED_MAX {
            return None;
        }
        self.missed = 0;
        let claim = Claim::take_over(version?)?;
        log::warn!("tenantry: the mirror of this Envoy has stopped; this worker takes over");
        Some(Singleton::with(cluster.to_owned(), claim))
    }
}

/// The state of the VM that is the mirror.
pub(crate) struct Singleton {
    cluster: String,
    claim: Claim,
    mirror: Mirror,
    stream: Option<u32>,
    retry: Duration,
}

impl Singleton {
    /// Takes up the work, no matter who does it.
    pub(crate) fn start(cluster: String) -> Self {
        Self::with(cluster, Claim::take())
    }

    /// Plans the first attempt to connect: when the configuration is read, Envoy's clusters may not
    /// be there yet.
    fn with(cluster: String, claim: Claim) -> Self {
        let singleton = Self { cluster, claim, mirror: begin(), stream: None, retry: RETRY_MIN };
        singleton.wait();
        singleton
    }

    /// Shows that it is alive, and opens the stream if there is none. False if another has taken
    /// over: this one is done.
    pub(crate) fn tick(&mut self) -> bool {
        if !self.claim.renew() {
            log::warn!("tenantry: another VM of this Envoy has taken over as its mirror");
            if let Some(token) = self.stream.take() {
                let _ = hostcalls::cancel_grpc_stream(token);
            }
            return false;
        }
        if self.stream.is_none() {
            self.connect();
        }
        true
    }

    fn connect(&mut self) {
        match abi::grpc_stream(&self.cluster, SERVICE, METHOD) {
            Ok(token) => {
                self.stream = Some(token);
                let _ = hostcalls::set_tick_period(TICK);
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
        if size > MESSAGE_MAX_BYTES {
            log::error!("tenantry: a message of {size} bytes is not read: it may not fit");
            self.carry_out(token, vec![Action::Reconnect]);
            return;
        }
        let actions = match hostcalls::get_buffer(BufferType::GrpcReceiveBuffer, 0, size) {
            Ok(message) => {
                let message = message.unwrap_or_default();
                let _ = perform(None, self.mirror.expected(&message).into_iter().collect());
                #[cfg(feature = "fault-injection")]
                crate::fault::of_message(&message);
                self.mirror.received(&message)
            }
            Err(_) => vec![Action::Reconnect],
        };
        self.carry_out(token, actions);
    }

    /// Plans the next attempt after the end of the stream. The mirrored state goes on being served.
    pub(crate) fn closed(&mut self, token: u32, status: u32) {
        if self.stream == Some(token) {
            log::warn!(
                "tenantry: the stream to cluster {} ended with gRPC status {status}",
                self.cluster
            );
            self.lost();
        }
    }

    /// Carries out the actions of the mirror. If that cannot be done to its end, the server waits
    /// for an answer that will not come, and the mirror no longer knows its own state: both begin
    /// anew.
    fn carry_out(&mut self, token: u32, actions: Vec<Action>) {
        if let Err(what) = perform(Some(token), actions) {
            log::error!("tenantry: the stream to cluster {} is given up: {what}", self.cluster);
            let _ = hostcalls::cancel_grpc_stream(token);
            // The VM has not trapped.
            let _ = hostcalls::set_shared_data(TRIAL_KEY, Some(&[]), None);
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
    let value = |name| shared::get(name).map(|(value, _)| value).unwrap_or_default();
    let left = Left {
        serving: Serving::decode(&value(SERVING_KEY)),
        trial: value(TRIAL_KEY),
        refused: value(REFUSED_KEY),
    };
    if !left.trial.is_empty() {
        let resources = String::from_utf8_lossy(&left.trial).replace('\n', ", ");
        log::error!("tenantry: the VM before has trapped on one of these: {resources}");
    }
    let (mirror, actions) = Mirror::start(node_property("id"), node_property("cluster"), &left);
    if let Err(what) = perform(None, actions) {
        log::error!("tenantry: shared data cannot be written: {what}");
    }
    mirror
}

fn perform(stream: Option<u32>, actions: Vec<Action>) -> Result<(), String> {
    for action in actions {
        #[cfg(feature = "fault-injection")]
        crate::fault::of_action(&action);
        let done = match (action, stream) {
            (Action::Write(key, value), _) => hostcalls::set_shared_data(&key, Some(&value), None),
            (Action::Send(message), Some(token)) => {
                hostcalls::send_grpc_stream_message(token, Some(&message), false)
            }
            (Action::Send(_), None) => Ok(()),
            (Action::Reconnect, _) => return Err("a message cannot be read".to_owned()),
        };
        done.map_err(|status| format!("{status:?}"))?;
    }
    Ok(())
}

/// A field of Envoy's Node; empty if Envoy has none.
pub(crate) fn node_property(field: &str) -> String {
    let value = hostcalls::get_property(vec!["xds", "node", field]).ok().flatten();
    value.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}
