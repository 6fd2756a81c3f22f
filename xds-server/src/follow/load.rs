//! Reading everything, once.

use std::collections::BTreeSet;
use std::time::Instant;

use metrics::gauge;
use store::{Reader, SnapshotTx, StoreError, desired, dns_cache, jwks_cache};
use tracing::{info, warn};

use super::Follower;
use super::pending::Pending;
use super::publish::{SITES_PER_STEP, Step};
use super::report;
use crate::freshness::Source;
use crate::jwks::{Known, Restored};
use crate::snapshot::Owner;

impl Follower {
    /// Reads everything, in one state of the database, and removes what is not there any more.
    pub(super) async fn load(&mut self, reader: &Reader) -> Result<(), StoreError> {
        let start = Instant::now();
        let begun = self.cells.freshness().begin();
        if !self.restored {
            self.restore_jwks(reader).await?;
            self.book.restore(dns_cache::all(reader).await?);
            self.restored = true;
        }
        let mut snapshot = reader.snapshot().await?;
        let head = snapshot.head_seq().await?;
        self.cells.set_existing(desired::cells(&mut snapshot).await?);
        let mut gone = self.cells.owners();
        let mut after = None;
        loop {
            let ids = desired::all_site_ids(&mut snapshot, after, SITES_PER_STEP).await?;
            after = ids.last().copied();
            if after.is_none() {
                break;
            }
            for id in &ids {
                gone.remove(&Owner::Site(*id));
            }
            let step = self.read_sites(&mut snapshot, &ids, head).await?;
            self.publish(step);
        }
        let listeners = desired::listeners(&mut snapshot, None).await?;
        for of in &listeners {
            gone.remove(&Owner::Listeners(of.tenant));
        }
        self.publish(Step { listeners, ..Step::default() });
        self.load_credentials(&mut snapshot, &mut gone).await?;
        for owner in &gone {
            if let Owner::Site(site) = owner {
                self.placed.remove(*site);
            }
        }
        self.publish(Step { gone: gone.into_iter().collect(), ..Step::default() });
        self.pending = Some(Pending::new(head));
        self.asked = None;
        self.reached = head;
        self.cells.reached(head);
        self.keyring.forget_restored();
        self.book.forget_restored();
        self.cells.freshness().set_source(Source::Database);
        self.cells.freshness().done(begun);
        self.cells.set_loaded();
        self.report_load(head, start);
        drop(snapshot);
        self.prune(reader).await;
        Ok(())
    }

    fn report_load(&self, head: i64, start: Instant) {
        gauge!(report::LAST_SEQ).set(head as f64);
        gauge!(report::LOAD_DURATION).set(start.elapsed());
        let owners = self.cells.owners();
        let count = |of: fn(&Owner) -> bool| owners.iter().filter(|owner| of(owner)).count();
        let sites = count(|owner| matches!(owner, Owner::Site(_)));
        let buckets = count(|owner| matches!(owner, Owner::Bucket(_)));
        let consumers = count(|owner| matches!(owner, Owner::Consumers(_)));
        let duration_ms = start.elapsed().as_secs_f64() * 1000.0;
        info!(seq = head, sites, buckets, consumers, duration_ms, "loaded everything");
    }

    /// Removes what nobody uses from what is kept for the next start.
    async fn prune(&self, reader: &Reader) {
        if let Err(error) = jwks_cache::prune(reader, &self.keyring.digests()).await {
            warn!(%error, "JWK Sets that nobody uses could not be removed; they are at the next start");
        }
        if let Err(error) = dns_cache::prune(reader, &self.book.digests()).await {
            warn!(%error, "addresses of names that nobody uses could not be removed; they are at the next start");
        }
    }

    /// Reads the buckets of consumers and of keys, and takes them from what is gone.
    async fn load_credentials(
        &mut self,
        snapshot: &mut SnapshotTx,
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
            self.publish(Step { consumers: read.buckets, ..Step::default() });
        }
        let mut first = Some(0);
        while let Some(from) = first {
            let read = desired::all_buckets(snapshot, from).await?;
            first = read.next;
            for bucket in &read.buckets {
                gone.remove(&Owner::Bucket(bucket.bucket));
            }
            self.publish(Step { buckets: read.buckets, ..Step::default() });
        }
        Ok(())
    }

    /// Takes over the sets that an earlier run has read, so that no issuer is without keys because
    /// this program was started again.
    async fn restore_jwks(&self, reader: &Reader) -> Result<(), StoreError> {
        let cached = jwks_cache::all(reader).await?;
        let restored = cached.into_iter().map(|cached| {
            let known = Known { age: cached.age, lifetime: cached.lifetime };
            (cached.url_digest, Restored { set: cached.jwks.into(), known })
        });
        self.keyring.restore(restored);
        Ok(())
    }
}
