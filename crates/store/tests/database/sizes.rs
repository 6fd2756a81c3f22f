//! The bytes that consumers take in the data plane, and the parts that are left out.

use policy::bounds::CONSUMER_BYTES;
use policy::consumer::bucket_of;
use policy::desired::{LeftOut, Object};
use policy::settings::{By, IpSettings, KeySettings, Limit, RateUnit};
use policy::wire::ConsumerBucket;
use store::consumer::ConsumerPatch;
use store::key::KeyPatch;
use store::left_out::{self, Bucket};
use store::{StoreError, consumer, desired, key};

use crate::fixture::{Database, Sample, new_key, sample, with_database};
use crate::furniture::{consumer_settings, furnish, secrets_key};

/// So many ranges that take as few bytes of JSON as possible.
fn short_ranges(count: u32) -> Vec<String> {
    (0..count).map(|number| format!("{:x}:{:x}::", 0x1000 + number / 4096, number % 4096)).collect()
}

fn ip(count: u32) -> IpSettings {
    IpSettings { allow: short_ranges(count), deny: Vec::new() }
}

async fn counted(database: &Database, of: &Sample) -> i64 {
    let (tenant, site, consumer) = (of.tenant, of.site, of.consumer);
    database.count(&format!("SELECT consumer_bytes('{tenant}', '{site}', '{consumer}')")).await
}

/// The bytes that are pushed of the consumer.
async fn pushed(database: &Database, of: &Sample) -> usize {
    let reader = database.reader().await.with_secrets_key(secrets_key());
    let mut snapshot = reader.snapshot().await.unwrap();
    let mut read = desired::consumers(&mut snapshot, &[bucket_of(of.consumer)]).await.unwrap();
    let (bucket, left_out) = ConsumerBucket::fit(&read.buckets.remove(0));
    assert_eq!(left_out, [], "what was accepted is served");
    bucket.to_bytes().len()
}

async fn make_key(
    database: &Database,
    of: &Sample,
    bucket: u16,
    settings: KeySettings,
) -> Result<key::Key, StoreError> {
    let store = database.store().await;
    let mut tx = of.begin(&store).await;
    let new = key::NewKey { settings, ..new_key(bucket) };
    let made = key::create(&mut tx, of.site, of.consumer, new).await?;
    tx.commit().await?;
    Ok(made)
}

#[tokio::test]
async fn the_database_and_policy_have_one_bound_of_a_consumer() {
    with_database(async |database| {
        let bound = database.count("SELECT consumer_bytes_max()").await;
        assert_eq!(usize::try_from(bound).unwrap(), CONSUMER_BYTES);
    })
    .await;
}

#[tokio::test]
async fn no_consumer_is_pushed_with_more_bytes_than_were_counted() {
    with_database(async |database| {
        let store = database.store().await;
        let mut one = sample(&store, "one", 1).await;
        one.consumer = furnish(&store, one).await.partner;
        let limit = |name: &str| Limit {
            name: name.to_owned(),
            requests: 1_000_000,
            per: RateUnit::Hour,
            burst: None,
            by: vec![By::Consumer, By::Header("x".to_owned())],
        };
        for (bucket, settings) in [
            KeySettings { ip: ip(1_000), ..KeySettings::default() },
            KeySettings { scopes: vec!["a".to_owned(), "b".to_owned()], ..KeySettings::default() },
            KeySettings { limits: vec![limit("a"), limit("b")], ..KeySettings::default() },
        ]
        .into_iter()
        .enumerate()
        {
            let before = (pushed(database, &one).await, counted(database, &one).await);
            make_key(database, &one, u16::try_from(bucket).unwrap(), settings).await.unwrap();
            let after = (pushed(database, &one).await, counted(database, &one).await);
            assert!(i64::try_from(after.0).unwrap() <= after.1, "{before:?} {after:?}");
            assert!(after.0 > before.0);
        }
    })
    .await;
}

#[tokio::test]
async fn a_consumer_takes_a_bounded_number_of_bytes_with_its_keys() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let large = || KeySettings { ip: ip(10_000), ..KeySettings::default() };
        let mut made = Vec::new();
        let refused = loop {
            match make_key(database, &one, u16::try_from(made.len()).unwrap(), large()).await {
                Ok(key) => made.push(key),
                Err(error) => break error,
            }
        };
        let StoreError::ConsumerBytes { allowed, bytes } = refused else { panic!("{refused}") };
        assert!(usize::try_from(allowed).unwrap() == CONSUMER_BYTES && bytes > allowed);
        assert_eq!(made.len(), 3, "each takes 170,000 bytes");
        assert!(pushed(database, &one).await <= CONSUMER_BYTES);

        // All ways to more of it.
        let mut tx = one.begin(&store).await;
        let settings = policy::settings::ConsumerSettings { ip: ip(9_000), ..consumer_settings() };
        let patch = ConsumerPatch { settings: Some(settings), ..ConsumerPatch::default() };
        let error = consumer::update(&mut tx, one.site, one.consumer, patch, None).await;
        assert!(matches!(error, Err(StoreError::ConsumerBytes { .. })), "{error:?}");
        drop(tx);
        let mut tx = one.begin(&store).await;
        let patch = KeyPatch { settings: Some(large()), ..KeyPatch::default() };
        let error = key::update(&mut tx, one.site, one.consumer, one.key, patch, None).await;
        assert!(matches!(error, Err(StoreError::ConsumerBytes { .. })), "{error:?}");
        drop(tx);

        // A revocation makes room.
        let mut tx = one.begin(&store).await;
        key::revoke(&mut tx, one.site, one.consumer, made[0].id, None).await.unwrap();
        tx.commit().await.unwrap();
        make_key(database, &one, 9, large()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn two_who_write_at_once_do_not_go_beyond_the_bound_together() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let large = || KeySettings { ip: ip(10_000), ..KeySettings::default() };
        let many = (0..6).map(|bucket| make_key(database, &one, bucket, large()));
        let made = futures::future::join_all(many).await;
        assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 3, "{made:?}");
    })
    .await;
}

#[tokio::test]
async fn an_owner_reads_the_parts_that_are_left_out_until_they_are_served() {
    with_database(async |database| {
        let store = database.store().await;
        let (one, other) = (sample(&store, "one", 1).await, sample(&store, "other", 2).await);
        let reader = database.reader().await;
        let part = |of: &Sample| LeftOut {
            site: of.site,
            object: Object::Consumer(of.consumer),
            bytes: 2,
            allowed: 1,
        };
        let told = async |of: &Sample| {
            let mut tx = of.begin(&store).await;
            let told = left_out::of_site(&mut tx, of.site).await.unwrap();
            told.iter().map(|told| told.consumer).collect::<Vec<_>>()
        };
        let bucket = Bucket::Consumers(7);
        left_out::write(&reader, bucket, &[part(&one), part(&other)]).await.unwrap();
        assert_eq!(told(&one).await, [Some(one.consumer)]);
        assert_eq!(told(&other).await, [Some(other.consumer)]);
        left_out::write(&reader, bucket, &[part(&other)]).await.unwrap();
        assert_eq!(told(&one).await, []);
        left_out::keep(&reader, &[bucket]).await.unwrap();
        assert_eq!(told(&other).await, [Some(other.consumer)]);
        left_out::keep(&reader, &[]).await.unwrap();
        assert_eq!(told(&other).await, []);
    })
    .await;
}
