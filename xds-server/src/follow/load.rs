//! Reading everything, once.

use std::collections::BTreeSet;
use std::time::Instant;

use metrics::gauge;
use store::{Reader, SnapshotTx, StoreError, desired};
use tracing::info;

use super::publisher::Publisher;
use super::read::{self, ReadCredentials, ReadListeners, SITES_PER_STEP};
use super::report;
use crate::snapshot::Owner;

/// Reads everything, in one state of the database, publishes it, and removes the owners that are
/// gone. Returns the last change of the log that is in it.
pub(super) async fn everything(
    reader: &Reader,
    publisher: &mut Publisher,
) -> Result<i64, StoreError> {
    let start = Instant::now();
    let mut snapshot = reader.snapshot().await?;
    let head = snapshot.head_seq().await?;
    publisher.cells().set_existing(desired::cells(&mut snapshot).await?);
    let mut gone = publisher.cells().owners();
    sites(&mut snapshot, head, publisher, &mut gone).await?;
    let listeners = desired::listeners(&mut snapshot, None).await?;
    for of in &listeners {
        gone.remove(&Owner::Listeners(of.tenant));
    }
    publisher.publish_listeners(ReadListeners { listeners, gone: Vec::new() });
    credentials(&mut snapshot, publisher, &mut gone).await?;
    publisher.only_left_out();
    publisher.remove(gone);
    report_load(publisher, head, start);
    Ok(head)
}

async fn sites(
    snapshot: &mut SnapshotTx,
    head: i64,
    publisher: &mut Publisher,
    gone: &mut BTreeSet<Owner>,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let ids = desired::all_site_ids(snapshot, after, SITES_PER_STEP).await?;
        after = ids.last().copied();
        if after.is_none() {
            return Ok(());
        }
        for id in &ids {
            gone.remove(&Owner::Site(*id));
        }
        let read = read::sites(snapshot, &ids, head).await?;
        publisher.publish_sites(read);
    }
}

/// Reads the buckets of consumers and of keys, and takes them from `gone`.
async fn credentials(
    snapshot: &mut SnapshotTx,
    publisher: &mut Publisher,
    gone: &mut BTreeSet<Owner>,
) -> Result<(), StoreError> {
    // Before the keys that lead to them.
    let mut first = Some(0);
    while let Some(from) = first {
        let read = desired::all_consumers(snapshot, from).await?;
        first = read.next;
        read.omitted.iter().for_each(report::omitted);
        for bucket in &read.buckets {
            gone.remove(&Owner::Consumers(bucket.bucket));
        }
        publisher.publish_credentials(ReadCredentials {
            consumers: read.buckets,
            ..ReadCredentials::default()
        });
    }
    let mut first = Some(0);
    while let Some(from) = first {
        let read = desired::all_buckets(snapshot, from).await?;
        first = read.next;
        for bucket in &read.buckets {
            gone.remove(&Owner::Bucket(bucket.bucket));
        }
        publisher.publish_credentials(ReadCredentials {
            keys: read.buckets,
            ..ReadCredentials::default()
        });
    }
    Ok(())
}

fn report_load(publisher: &Publisher, head: i64, start: Instant) {
    gauge!(report::LAST_SEQ).set(head as f64);
    gauge!(report::LOAD_DURATION).set(start.elapsed());
    let owners = publisher.cells().owners();
    let count = |of: fn(&Owner) -> bool| owners.iter().filter(|owner| of(owner)).count();
    let sites = count(|owner| matches!(owner, Owner::Site(_)));
    let buckets = count(|owner| matches!(owner, Owner::Bucket(_)));
    let consumers = count(|owner| matches!(owner, Owner::Consumers(_)));
    let duration_ms = start.elapsed().as_secs_f64() * 1000.0;
    info!(seq = head, sites, buckets, consumers, duration_ms, "loaded everything");
}
