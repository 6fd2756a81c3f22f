use std::collections::BTreeMap;

use prost::Message as _;

use super::*;
use crate::id::{ConsumerId, KeyId, Uuid};
use crate::ip::MAX_CIDRS;
use crate::key::{CredentialKind, Digest};
use crate::settings::{ConsumerSettings, IpSettings, KeySettings};

/// So many ranges, none of which is next to another.
fn ranges(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("2001:db8:{:x}:{:x}::1", number / 4096, number % 4096))
        .collect()
}

fn ip(count: usize) -> IpSettings {
    IpSettings { allow: ranges(count), deny: Vec::new() }
}

/// A consumer with so many ranges of its own, and keys with so many each.
fn consumer(tenant: u128, id: u128, own: usize, keys: &[usize]) -> DesiredConsumer {
    let key = |(number, count): (usize, &usize)| {
        let settings = KeySettings { ip: ip(*count), ..KeySettings::default() };
        (KeyId(Uuid::from_u128(number as u128)), settings)
    };
    DesiredConsumer {
        tenant: TenantId(Uuid::from_u128(tenant)),
        id: ConsumerId(Uuid::from_u128(id)),
        site: SiteId(Uuid::from_u128(tenant)),
        settings: ConsumerSettings { ip: ip(own), ..ConsumerSettings::default() },
        keys: keys.iter().enumerate().map(key).collect::<BTreeMap<_, _>>(),
        signing_keys: Vec::new(),
    }
}

fn fitted(consumers: Vec<DesiredConsumer>) -> (Vec<u128>, Vec<u128>) {
    let (bucket, left_out) = ConsumerBucket::fit(&DesiredConsumers { bucket: 0, consumers });
    assert!(bucket.encoded_len() <= BUCKET_BYTES, "{} bytes", bucket.encoded_len());
    let id = |consumer: &Consumer| ConsumerId::from_slice(&consumer.id).map(|id| id.0.as_u128());
    let left_out = left_out.iter().filter_map(|left_out| match left_out.object {
        Object::Consumer(id) => Some(id.0.as_u128()),
        Object::Credentials(_) => None,
    });
    (bucket.consumers.iter().filter_map(id).collect(), left_out.collect())
}

#[test]
fn a_consumer_with_both_lists_at_their_longest_fits() {
    let mut longest = consumer(1, 1, MAX_CIDRS, &[]);
    longest.settings.ip.deny = ranges(MAX_CIDRS);
    assert_eq!(fitted(vec![longest]), (vec![1], vec![]));
}

#[test]
fn a_consumer_that_is_too_large_is_left_out_alone() {
    let large = consumer(1, 1, 0, &[MAX_CIDRS; 4]);
    assert_eq!(
        fitted(vec![large, consumer(1, 2, 1, &[]), consumer(2, 3, 1, &[])]),
        (vec![2, 3], vec![1])
    );
}

#[test]
fn a_tenant_that_fills_a_bucket_has_its_own_consumers_left_out() {
    let mut consumers: Vec<_> = (1..=40).map(|id| consumer(1, id, 2_000, &[])).collect();
    // Larger than any of the other tenant's, and not in its way.
    consumers.push(consumer(2, 100, MAX_CIDRS, &[]));
    let (kept, left_out) = fitted(consumers);
    assert!(kept.contains(&100) && !left_out.contains(&100), "{left_out:?}");
    assert!(!left_out.is_empty() && kept.len() + left_out.len() == 41);
}

fn record(site: u128, number: u128) -> KeyRecord {
    let mut digest = [0; 32];
    digest[16..].copy_from_slice(&number.to_be_bytes());
    KeyRecord {
        digest: Digest(digest),
        site: SiteId(Uuid::from_u128(site)),
        consumer: ConsumerId(Uuid::from_u128(1)),
        key: KeyId(Uuid::from_u128(number)),
        expires_at_ms: None,
        plan: 0,
        kind: CredentialKind::Subject,
        has_details: false,
    }
}

#[test]
fn a_site_that_fills_a_bucket_of_credentials_loses_its_own_alone() {
    let mut keys: Vec<_> = (0..20_000).map(|number| record(1, number)).collect();
    keys.extend((0..20).map(|number| record(2, 100_000 + number)));
    let (bucket, left_out) = KeyBucket::fit(&DesiredBucket { bucket: 0, keys });
    assert!(bucket.encoded_len() <= BUCKET_BYTES, "{} bytes", bucket.encoded_len());
    for number in 0..20 {
        let digest = record(2, 100_000 + number).digest;
        assert!(crate::key::find(&bucket.records, &digest).is_some(), "{number}");
    }
    let [LeftOut { site, object: Object::Credentials(count), .. }] = left_out.as_slice() else {
        panic!("{left_out:?}")
    };
    assert_eq!(*site, SiteId(Uuid::from_u128(1)));
    assert_eq!(20_020 - count, bucket.records.len() / RECORD_LEN);
}
