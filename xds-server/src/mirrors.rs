//! Which Envoys have a mirror in sync, as far as this replica knows: an Envoy that begins gets its listener after that, so that it is
//! ready when its filter knows somebody, and a load balancer or a successor in a hot restart sends it no request to be refused.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// How long an Envoy waits for its mirror. The mirror may be connected to another replica, of which this one knows nothing; so it
/// is not longer than an Envoy can be kept from its work, and long enough for a large first sync.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// How many streams of mirrors in sync there are, by node id.
#[derive(Debug, Default)]
pub(crate) struct Mirrors(watch::Sender<BTreeMap<String, usize>>);

/// The stream of a mirror in sync, for as long as it lives.
pub(crate) struct InSync {
    mirrors: Arc<Mirrors>,
    node: String,
}

impl Mirrors {
    /// Says that the mirror of this node is in sync.
    pub(crate) fn enter(self: &Arc<Self>, node: &str) -> InSync {
        self.0.send_modify(|nodes| *nodes.entry(node.to_owned()).or_default() += 1);
        InSync { mirrors: Arc::clone(self), node: node.to_owned() }
    }

    /// Waits until it is, or until nobody can be kept waiting any longer.
    pub(crate) async fn in_sync(&self, node: &str) {
        let mut nodes = self.0.subscribe();
        let _ = tokio::time::timeout(PATIENCE, nodes.wait_for(|nodes| nodes.contains_key(node))).await;
    }
}

impl Drop for InSync {
    fn drop(&mut self) {
        self.mirrors.0.send_modify(|nodes| {
            if let Some(count) = nodes.get_mut(&self.node) {
                *count -= 1;
                if *count == 0 {
                    nodes.remove(&self.node);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_envoy_waits_for_its_own_mirror() {
        let mirrors = Arc::new(Mirrors::default());
        let other = mirrors.enter("edge-2");
        let waits = tokio::time::timeout(Duration::from_millis(20), mirrors.in_sync("edge-1")).await;
        assert!(waits.is_err(), "that of another one is not it");
        let (first, second) = (mirrors.enter("edge-1"), mirrors.enter("edge-1"));
        drop(first);
        mirrors.in_sync("edge-1").await;
        drop((second, other));
        assert!(mirrors.0.borrow().is_empty(), "nothing is kept of streams that have ended");
    }
}
