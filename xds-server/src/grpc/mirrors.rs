//! The Envoys that have a mirror in sync, as far as this replica knows. An Envoy that begins gets
//! its listener after that, so that it is ready once its filter knows credentials: no load
//! balancer, and no predecessor in a hot restart, sends it requests that it would refuse.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// The longest time for which an Envoy waits for its mirror. The mirror may be connected to another
/// replica, of which this one knows nothing; so it is not longer than an Envoy can be kept from its
/// work, and long enough for a large first sync.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// The streams that there are, by node id.
#[derive(Debug, Default)]
pub(crate) struct Mirrors(watch::Sender<BTreeMap<String, Streams>>);

/// While an Envoy hands over to its successor, both have the same node id, and it is unknown whose
/// a mirror is; as many mirrors in sync as Envoys are enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Streams {
    envoys: usize,
    mirrors_in_sync: usize,
}

/// A stream, for as long as it lives.
pub(crate) struct Entered {
    mirrors: Arc<Mirrors>,
    node: String,
    which: fn(&mut Streams) -> &mut usize,
}

impl Mirrors {
    /// Says that there is a stream of an Envoy.
    pub(crate) fn enter_envoy(self: &Arc<Self>, node: &str) -> Entered {
        self.enter(node, |streams| &mut streams.envoys)
    }

    /// Says that a mirror is in sync.
    pub(crate) fn enter_mirror(self: &Arc<Self>, node: &str) -> Entered {
        self.enter(node, |streams| &mut streams.mirrors_in_sync)
    }

    /// Waits until the mirrors of all Envoys of this node are in sync, or until the time of
    /// [`PATIENCE`] is over.
    pub(crate) async fn in_sync(&self, node: &str) {
        let mut nodes = self.0.subscribe();
        let complete = |streams: &Streams| streams.mirrors_in_sync >= streams.envoys.max(1);
        let all = nodes.wait_for(|nodes| nodes.get(node).is_some_and(complete));
        let _ = tokio::time::timeout(PATIENCE, all).await;
    }

    fn enter(self: &Arc<Self>, node: &str, which: fn(&mut Streams) -> &mut usize) -> Entered {
        self.0.send_modify(|nodes| *which(nodes.entry(node.to_owned()).or_default()) += 1);
        Entered { mirrors: Arc::clone(self), node: node.to_owned(), which }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.mirrors.0.send_modify(|nodes| {
            if let Some(streams) = nodes.get_mut(&self.node) {
                *(self.which)(streams) -= 1;
                if *streams == Streams::default() {
                    nodes.remove(&self.node);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn waits(mirrors: &Mirrors, node: &str) -> bool {
        tokio::time::timeout(Duration::from_millis(20), mirrors.in_sync(node)).await.is_err()
    }

    #[tokio::test]
    async fn an_envoy_waits_for_its_own_mirror() {
        let mirrors = Arc::new(Mirrors::default());
        let other = mirrors.enter_mirror("edge-2");
        assert!(waits(&mirrors, "edge-1").await, "that of another one is not it");
        let envoy = mirrors.enter_envoy("edge-1");
        let (first, second) = (mirrors.enter_mirror("edge-1"), mirrors.enter_mirror("edge-1"));
        drop(first);
        mirrors.in_sync("edge-1").await;
        drop((envoy, second, other));
        assert!(mirrors.0.borrow().is_empty(), "nothing is kept of streams that have ended");
    }

    #[tokio::test]
    async fn a_successor_does_not_take_its_predecessors_mirror_for_its_own() {
        let mirrors = Arc::new(Mirrors::default());
        let _predecessor = (mirrors.enter_envoy("edge-1"), mirrors.enter_mirror("edge-1"));
        mirrors.in_sync("edge-1").await;
        let _successor = mirrors.enter_envoy("edge-1");
        assert!(waits(&mirrors, "edge-1").await);
        let _mirror = mirrors.enter_mirror("edge-1");
        mirrors.in_sync("edge-1").await;
    }
}
