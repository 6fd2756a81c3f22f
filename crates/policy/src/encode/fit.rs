//! The part of a bucket that fits into one resource. The rest is left out, so that its credentials
//! are refused, and its owner is told.

use std::collections::BTreeMap;

use prost::Message as _;

use super::{consumer, sorted};
use crate::bounds::{BUCKET_BYTES, CONSUMER_BYTES};
use crate::desired::{DesiredBucket, DesiredConsumer, DesiredConsumers, LeftOut, Object};
use crate::id::{SiteId, TenantId};
use crate::key::{KeyRecord, RECORD_LEN, pack_bucket};
use crate::wire::{Consumer, ConsumerBucket, KeyBucket};

/// The bytes of a consumer in a bucket beside its own: a tag, and its length.
const ITEM_BYTES: usize = 5;

/// The most records of a bucket of credentials.
const MAX_RECORDS: usize = (BUCKET_BYTES - ITEM_BYTES) / RECORD_LEN;

impl ConsumerBucket {
    /// The consumers of a bucket, without those that are too large. Where the others do not fit
    /// together, the tenant that takes most has the largest of its own left out, again and again.
    pub fn fit(desired: &DesiredConsumers) -> (Self, Vec<LeftOut>) {
        let mut left_out = Vec::new();
        let mut fitting = Vec::with_capacity(desired.consumers.len());
        for of in &desired.consumers {
            let made = consumer(of);
            let bytes = made.encoded_len();
            if bytes > CONSUMER_BYTES {
                left_out.push(LeftOut::consumer(of, bytes, CONSUMER_BYTES));
            } else {
                fitting.push(Fitting { of, made, bytes: bytes + ITEM_BYTES });
            }
        }
        let all: usize = fitting.iter().map(|one| one.bytes).sum();
        if all > BUCKET_BYTES {
            make_room(&mut fitting, all, &mut left_out);
        }
        let consumers: Vec<_> = fitting.into_iter().map(|one| one.made).collect();
        (Self { consumers: sorted(consumers, |consumer| consumer.id.clone()) }, left_out)
    }
}

/// A consumer that fits by itself.
struct Fitting<'a> {
    of: &'a DesiredConsumer,
    made: Consumer,
    bytes: usize,
}

fn make_room(fitting: &mut Vec<Fitting<'_>>, mut all: usize, left_out: &mut Vec<LeftOut>) {
    let mut by_tenant: BTreeMap<TenantId, usize> = BTreeMap::new();
    for one in fitting.iter() {
        *by_tenant.entry(one.of.tenant).or_default() += one.bytes;
    }
    // The largest last; ids make the order the same on every replica.
    fitting.sort_by_key(|one| (one.bytes, one.of.id));
    while all > BUCKET_BYTES {
        let most = by_tenant.iter().max_by_key(|(tenant, bytes)| (**bytes, **tenant));
        let Some(tenant) = most.map(|(tenant, _)| *tenant) else { return };
        let Some(at) = fitting.iter().rposition(|one| one.of.tenant == tenant) else { return };
        let gone = fitting.remove(at);
        all = all.saturating_sub(gone.bytes);
        if let Some(bytes) = by_tenant.get_mut(&tenant) {
            *bytes = bytes.saturating_sub(gone.bytes);
        }
        left_out.push(LeftOut::consumer(gone.of, gone.bytes, BUCKET_BYTES));
    }
}

impl KeyBucket {
    /// The records of a bucket. Where there are too many, the sites with most are cut to the same
    /// number: the names of subjects are chosen by tenants, who could look for some that meet.
    pub fn fit(desired: &DesiredBucket) -> (Self, Vec<LeftOut>) {
        if desired.keys.len() <= MAX_RECORDS {
            return (Self { records: pack_bucket(&desired.keys) }, Vec::new());
        }
        let mut by_site: BTreeMap<SiteId, Vec<KeyRecord>> = BTreeMap::new();
        for record in &desired.keys {
            by_site.entry(record.site).or_default().push(*record);
        }
        let share = share(by_site.values().map(Vec::len).collect());
        let mut left_out = Vec::new();
        let mut kept = Vec::with_capacity(MAX_RECORDS);
        for (site, mut records) in by_site {
            let count = records.len();
            if count > share {
                // By digest, so that the same ones are left out on every replica.
                records.sort_unstable_by_key(|record| record.digest);
                records.truncate(share);
                let object = Object::Credentials(count.saturating_sub(share));
                let (bytes, allowed) = (count * RECORD_LEN, share * RECORD_LEN);
                left_out.push(LeftOut { site, object, bytes, allowed });
            }
            kept.append(&mut records);
        }
        (Self { records: pack_bucket(&kept) }, left_out)
    }
}

/// The largest number of records that each site can have, if all are to fit.
fn share(mut counts: Vec<usize>) -> usize {
    counts.sort_unstable();
    let mut room = MAX_RECORDS;
    let mut sites = counts.len();
    for count in counts {
        let share = room / sites.max(1);
        if count > share {
            return share;
        }
        room = room.saturating_sub(count);
        sites = sites.saturating_sub(1);
    }
    MAX_RECORDS
}

impl LeftOut {
    fn consumer(of: &DesiredConsumer, bytes: usize, allowed: usize) -> Self {
        Self { site: of.site, object: Object::Consumer(of.id), bytes, allowed }
    }
}

#[cfg(test)]
#[path = "fit_tests.rs"]
mod tests;
