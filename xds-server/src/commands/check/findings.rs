//! From the facts to what is wrong, and the remedy.

use std::collections::BTreeMap;

use store::StoreError;
use store::envoy::{StreamKind, StreamState};

use super::facts::{Facts, Finding, SiteFacts};
use super::replica::{Replica, ReplicaState};

fn good(text: String) -> Finding {
    Finding { good: true, text }
}

fn wrong(text: String) -> Finding {
    Finding { good: false, text }
}

pub(super) fn database(facts: &Facts) -> Finding {
    good(format!("PostgreSQL answers; the last change has the number {}", facts.head))
}

pub(super) fn no_database(error: &StoreError) -> Finding {
    let cause =
        std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    wrong(format!(
        "PostgreSQL cannot be read: {error}{cause}. Until it can, Envoys keep what they have; look \
         at --database-url and at the server"
    ))
}

pub(super) fn replica(replica: &Replica, head: Option<i64>) -> Finding {
    let url = &replica.url;
    let ReplicaState { ready, readiness, applied, streams } = match &replica.said {
        Ok(said) => said,
        Err(error) => {
            return wrong(format!(
                "tenantry-xds at {url} does not answer: {error}. Start it, or name the right \
                 address with --xds-http"
            ));
        }
    };
    let applied = applied.unwrap_or_default();
    if !ready {
        return wrong(format!(
            "tenantry-xds at {url} is not ready: {readiness}. Its log has the reason"
        ));
    }
    if let Some(head) = head.filter(|head| applied < *head) {
        return wrong(format!(
            "tenantry-xds at {url} is at change {applied} of {head}. If that stays so for seconds, \
             it cannot follow PostgreSQL: its log has the reason"
        ));
    }
    if *streams == 0 {
        return wrong(format!(
            "no Envoy is connected to tenantry-xds at {url}. Look at the cluster `xds` in their \
             bootstraps, and at certificates"
        ));
    }
    good(format!(
        "tenantry-xds at {url} is at change {applied}, and has {streams} streams; it says: \
         {readiness}"
    ))
}

pub(super) fn site(name: &str, facts: &Facts) -> Finding {
    let Some(SiteFacts { cells, untranslatable, held }) = &facts.site else {
        return wrong(format!("there is no site with the id or hostname {name:?}"));
    };
    if let Some(reason) = untranslatable {
        return wrong(format!(
            "site {name} cannot be served as it is, and keeps what it had: {reason}"
        ));
    }
    if let Some(held) = held {
        let instead = if held.has_good {
            "the last good configuration is served"
        } else {
            "nothing is served"
        };
        let (kind, resource, reason) = (&held.resource_type, &held.resource, &held.reason);
        let by = if held.refused_by.is_empty() {
            "tenantry-xds".to_owned()
        } else {
            held.refused_by.join(", ")
        };
        return wrong(format!(
            "site {name} is under quarantine since {}: {kind} {resource} was refused by {by}: \
             {reason}. Until its owner edits it, {instead}",
            held.at
        ));
    }
    good(format!("site {name} can be served as it is, in the cells {}", cells.join(", ")))
}

/// Of the Envoy that was asked for, or of all of them.
pub(super) fn envoys(node_id: Option<&str>, facts: &Facts) -> Vec<Finding> {
    let mut nodes: BTreeMap<&str, Vec<&StreamState>> = BTreeMap::new();
    for stream in &facts.streams {
        nodes.entry(&stream.node_id).or_default().push(stream);
    }
    match node_id {
        Some(node) => match nodes.get(node) {
            Some(streams) => vec![envoy(node, streams, facts)],
            None => vec![absent(node, &nodes)],
        },
        None if nodes.is_empty() => vec![wrong("no Envoy is connected to any replica".to_owned())],
        None => nodes.iter().map(|(node, streams)| envoy(node, streams, facts)).collect(),
    }
}

fn absent(node: &str, nodes: &BTreeMap<&str, Vec<&StreamState>>) -> Finding {
    let known: Vec<_> = nodes.keys().copied().collect();
    let known = if known.is_empty() {
        "none is".to_owned()
    } else {
        format!("these are: {}", known.join(", "))
    };
    wrong(format!(
        "Envoy {node} is connected to no replica ({known}). Look at \
         `control_plane.connected_state` in its stats, at `node.id` in its bootstrap, and at its \
         log"
    ))
}

fn envoy(node: &str, streams: &[&StreamState], facts: &Facts) -> Finding {
    let cell = streams.first().map_or("", |stream| stream.cell.as_str());
    if let Some(site) = facts.site.as_ref().filter(|site| !site.cells.iter().any(|of| of == cell)) {
        let cells = site.cells.join(", ");
        return wrong(format!(
            "Envoy {node} is of cell {cell:?}, and the site is placed on {cells}: place its tenant \
             there, or correct `node.cluster`"
        ));
    }
    let kinds =
        [(StreamKind::Ads, "its own stream"), (StreamKind::Mirror, "the stream of its filter")];
    for (kind, title) in kinds {
        let Some(stream) = streams.iter().find(|stream| stream.kind == kind) else {
            return wrong(format!(
                "Envoy {node} lacks {title}: look at its log, and at `bootstrap_extensions` in its \
                 bootstrap"
            ));
        };
        let Some(acked) = stream.acked_seq else {
            return wrong(format!(
                "Envoy {node} has not answered all of its first sync on {title} yet"
            ));
        };
        if acked < facts.head {
            let head = facts.head;
            return wrong(format!(
                "Envoy {node} has answered everything through change {acked} of {head} on \
                 {title}. If that stays so for seconds, it is busy or stands still"
            ));
        }
    }
    good(format!("Envoy {node} of cell {cell:?} has everything through change {}", facts.head))
}

#[cfg(test)]
#[path = "findings_tests.rs"]
mod tests;
