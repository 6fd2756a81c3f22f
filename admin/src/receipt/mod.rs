//! Receipts: the Envoys that have a change. With `?wait=<seconds>` a write is answered once all of
//! them have it, or names those that have not.
//!
//! It works once, around all operations: a commit leaves the number of its log entry with the
//! caller ([`store::Logged`]), and every Envoy's streams have the number through which they have
//! answered everything ([`store::envoy`]).

mod acks;
mod answer;
pub mod wait;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use policy::cell::CellName;
use serde::Serialize;
use store::envoy::{ConnectedStream, StreamKind};
use store::quarantine::Hold;
use utoipa::ToSchema;

pub use acks::Acks;
pub use answer::with_receipt;
pub use wait::{MAX_WAIT, PARAMETER, asked_time};

/// The Envoys that have a change.
#[derive(Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Receipt {
    /// The number of connected Envoys of the tenant's cells.
    pub envoys: usize,
    /// The number of them that have it: after the revocation of a key, that many refuse it.
    pub acked: usize,
    /// Those that have not answered yet.
    pub pending: Vec<PendingEnvoy>,
    /// Those that have refused it. The site then keeps its previous configuration, everywhere.
    pub refused: Vec<Refusal>,
}

/// An Envoy that has not answered yet.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PendingEnvoy {
    /// Its `node.id`.
    pub node_id: String,
}

/// An Envoy that has refused a change, and its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Refusal {
    /// The Envoy's `node.id`; null if the control plane itself could not make its configuration.
    #[schema(required = true)]
    pub node_id: Option<String>,
    /// The reason.
    pub reason: String,
    /// The time of the refusal.
    pub at: DateTime<Utc>,
}

/// One Envoy, with its streams.
#[derive(Debug, Default)]
pub struct Envoy<'a> {
    /// Its own.
    pub ads: Option<&'a ConnectedStream>,
    /// That of the filter in it.
    pub mirror: Option<&'a ConnectedStream>,
}

impl<'a> Envoy<'a> {
    /// The Envoys that these streams are of, by their `node.id`; of these cells, or of all.
    pub fn all(
        streams: &'a [ConnectedStream],
        cells: Option<&BTreeSet<CellName>>,
    ) -> BTreeMap<&'a str, Self> {
        let mut envoys: BTreeMap<&str, Self> = BTreeMap::new();
        for stream in streams {
            if cells
                .is_some_and(|cells| cells.iter().all(|cell| cell.as_str() != stream.state.cell))
            {
                continue;
            }
            let envoy = envoys.entry(&stream.state.node_id).or_default();
            match stream.state.kind {
                StreamKind::Ads => envoy.ads = Some(stream),
                StreamKind::Mirror => envoy.mirror = Some(stream),
            }
        }
        envoys
    }

    /// The last change that it has: Envoy and the filter in it. `None` before both are in order.
    pub fn acked_seq(&self) -> Option<i64> {
        Some(self.ads?.state.acked_seq?.min(self.mirror?.state.acked_seq?))
    }

    /// Its streams.
    pub fn streams(&self) -> impl Iterator<Item = &'a ConnectedStream> {
        self.ads.into_iter().chain(self.mirror)
    }
}

impl Receipt {
    /// The receipt of change `seq`, for all connected Envoys of these cells, and for held-back
    /// changes.
    pub fn of(
        streams: &[ConnectedStream],
        cells: Option<&BTreeSet<CellName>>,
        holds: &[Hold],
        seq: i64,
    ) -> Self {
        let envoys = Envoy::all(streams, cells);
        let has = |envoy: &Envoy<'_>| envoy.acked_seq().is_some_and(|acked| acked >= seq);
        let pending: Vec<_> = envoys
            .iter()
            .filter(|(_, envoy)| !has(envoy))
            .map(|(node_id, _)| PendingEnvoy { node_id: (*node_id).to_owned() })
            .collect();
        let refused: Vec<_> =
            holds.iter().filter(|hold| hold.seq >= seq).flat_map(refusals).collect();
        // A change that one Envoy has refused is taken back from all.
        let acked = if refused.is_empty() { envoys.len() - pending.len() } else { 0 };
        Self { envoys: envoys.len(), acked, pending, refused }
    }
}

/// The Envoys that have refused a site's configuration.
pub fn refusals(hold: &Hold) -> Vec<Refusal> {
    if hold.refused_by.is_empty() {
        return vec![Refusal { node_id: None, reason: hold.reason.clone(), at: hold.at }];
    }
    let by = hold.refused_by.iter();
    by.map(|by| Refusal { node_id: Some(by.node_id.clone()), reason: by.reason.clone(), at: by.at })
        .collect()
}

#[cfg(test)]
mod tests {
    use policy::id::SiteId;
    use store::envoy::StreamState;
    use uuid::Uuid;

    use super::*;

    fn stream(
        node_id: &str,
        kind: StreamKind,
        cell: &str,
        acked_seq: Option<i64>,
    ) -> ConnectedStream {
        let state = StreamState {
            id: Uuid::nil(),
            node_id: node_id.to_owned(),
            kind,
            cell: cell.to_owned(),
            version: String::new(),
            acked_seq,
        };
        let at = DateTime::UNIX_EPOCH;
        ConnectedStream {
            replica: Uuid::nil(),
            connected_at: at,
            seen_at: at,
            acked_at: None,
            state,
        }
    }

    fn envoy(
        node_id: &str,
        cell: &str,
        ads: Option<i64>,
        mirror: Option<i64>,
    ) -> [ConnectedStream; 2] {
        [
            stream(node_id, StreamKind::Ads, cell, ads),
            stream(node_id, StreamKind::Mirror, cell, mirror),
        ]
    }

    fn pending(receipt: &Receipt) -> Vec<&str> {
        receipt.pending.iter().map(|pending| pending.node_id.as_str()).collect()
    }

    #[test]
    fn an_envoy_has_a_change_when_it_and_the_filter_in_it_have_answered_it() {
        let streams = [
            envoy("a", "", Some(7), Some(8)),
            envoy("b", "", Some(7), Some(6)),
            envoy("c", "", None, Some(7)),
        ]
        .concat();
        let receipt = Receipt::of(&streams, None, &[], 7);
        assert_eq!((receipt.envoys, receipt.acked, pending(&receipt)), (3, 1, vec!["b", "c"]));
        let half = [stream("a", StreamKind::Ads, "", Some(9))];
        assert_eq!(
            pending(&Receipt::of(&half, None, &[], 7)),
            ["a"],
            "the filter is not connected"
        );
    }

    #[test]
    fn the_envoys_of_other_cells_are_not_asked() {
        let streams =
            [envoy("a", "one", Some(7), Some(7)), envoy("b", "two", Some(1), Some(1))].concat();
        let receipt =
            Receipt::of(&streams, Some(&BTreeSet::from(["one".parse().unwrap()])), &[], 7);
        assert_eq!((receipt.envoys, receipt.acked), (1, 1));
    }

    #[test]
    fn what_was_refused_has_reached_nobody() {
        let streams = envoy("a", "", Some(9), Some(9));
        let hold = |seq| Hold {
            site: SiteId(Uuid::nil()),
            seq,
            resource_type: "rds".to_owned(),
            resource: "r".to_owned(),
            reason: "no good".to_owned(),
            at: DateTime::UNIX_EPOCH,
            refused_by: Vec::new(),
        };
        let receipt = Receipt::of(&streams, None, &[hold(8)], 7);
        assert_eq!((receipt.acked, receipt.refused.len()), (0, 1));
        let receipt = Receipt::of(&streams, None, &[hold(6)], 7);
        assert_eq!((receipt.acked, receipt.refused.len()), (1, 0), "it was an earlier change");
    }
}
