//! The desired state as xds-server reads it.

use policy::desired::{DesiredEndpoint, DesiredRoute, DesiredUpstream, UpstreamProtocol};
use policy::id::SiteId;
use policy::method::Methods;
use store::desired;
use store::upstream::{Endpoint, UpstreamPatch};

use crate::fixture::{new_key, sample, with_database};

#[tokio::test]
async fn a_site_is_read_whole() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let two = sample(&store, "two", 2).await;
        let mut tx = one.begin(&store).await;
        let endpoint =
            |address: &str| Endpoint { address: address.to_owned(), port: 443, weight: 3 };
        let patch = UpstreamPatch {
            endpoints: Some(vec![endpoint("b.test"), endpoint("::1")]),
            ..Default::default()
        };
        store::upstream::update(&mut tx, one.site, one.upstream, patch, None).await.unwrap();
        let shop = store::hostname::NewHostname { name: "a-shop.gw.localhost".to_owned() };
        store::hostname::create(&mut tx, one.site, shop).await.unwrap();
        tx.commit().await.unwrap();

        let mut snapshot = database.reader().await.snapshot().await.unwrap();
        let absent = SiteId(uuid::Uuid::now_v7());
        let sites =
            desired::sites(&mut snapshot, &[two.site, absent, one.site]).await.unwrap().sites;
        assert_eq!(sites.iter().map(|site| site.site).collect::<Vec<_>>(), [one.site, two.site]);
        let site = &sites[0];
        assert_eq!((site.tenant, site.forward_credentials), (one.tenant, false));
        assert_eq!(site.hostnames, ["a-shop.gw.localhost", "one.gw.localhost"]);
        let endpoint =
            |address: &str| DesiredEndpoint { address: address.to_owned(), port: 443, weight: 3 };
        assert_eq!(
            site.upstreams,
            [DesiredUpstream {
                id: one.upstream,
                endpoints: vec![endpoint("b.test"), endpoint("::1")],
                protocol: UpstreamProtocol::Http1,
                connect_timeout_ms: 5_000,
                request_timeout_ms: 15_000,
            }]
        );
        assert_eq!(
            site.routes,
            [DesiredRoute {
                id: one.route,
                api: one.api,
                settings: Default::default(),
                methods: Methods::named("GET").unwrap(),
                prefix: "/orders/v1".to_owned(),
                template: "/orders/{id}".to_owned(),
                strip_prefix: true,
                upstream: one.upstream,
            }]
        );
    })
    .await;
}

#[tokio::test]
async fn a_base_path_of_a_slash_is_none() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let mut tx = one.begin(&store).await;
        let patch = store::api::ApiPatch { base_path: Some("/".to_owned()), ..Default::default() };
        store::api::update(&mut tx, one.site, one.api, patch, None).await.unwrap();
        tx.commit().await.unwrap();
        let mut snapshot = database.reader().await.snapshot().await.unwrap();
        assert_eq!(
            desired::sites(&mut snapshot, &[one.site]).await.unwrap().sites[0].routes[0].prefix,
            "/v1"
        );
        drop(snapshot);
        let mut tx = one.begin(&store).await;
        let patch = store::version::VersionPatch { in_path: Some(false), ..Default::default() };
        store::version::update(&mut tx, one.site, one.api, one.version, patch, None).await.unwrap();
        tx.commit().await.unwrap();
        let mut snapshot = database.reader().await.snapshot().await.unwrap();
        assert_eq!(
            desired::sites(&mut snapshot, &[one.site]).await.unwrap().sites[0].routes[0].prefix,
            ""
        );
    })
    .await;
}

#[tokio::test]
async fn all_sites_are_listed_in_pages() {
    with_database(async |database| {
        let store = database.store().await;
        let mut made = Vec::new();
        for slug in ["one", "two", "three"] {
            made.push(sample(&store, slug, 1).await.site);
        }
        let mut snapshot = database.reader().await.snapshot().await.unwrap();
        let first = desired::all_site_ids(&mut snapshot, None, 2).await.unwrap();
        let rest = desired::all_site_ids(&mut snapshot, first.last().copied(), 2).await.unwrap();
        assert_eq!([first, rest].concat(), made);
    })
    .await;
}

#[tokio::test]
async fn buckets_hold_the_keys_that_work() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 0).await;
        let mut tx = one.begin(&store).await;
        let soon = chrono::DateTime::from_timestamp_millis(4_102_444_800_123);
        let expiring = store::key::NewKey { expires_at: soon, ..new_key(65_535) };
        let expiring = (
            store::key::create(&mut tx, one.site, one.consumer, expiring.clone()).await.unwrap(),
            expiring.digest,
        );
        let expired =
            store::key::create(&mut tx, one.site, one.consumer, new_key(9)).await.unwrap();
        tx.commit().await.unwrap();
        let past = "UPDATE api_keys SET created_at = 'epoch', expires_at = now() - \
            interval '1 second' WHERE id = $1";
        sqlx::query(past).bind(expired.id.0).execute(&database.superuser).await.unwrap();

        let mut snapshot = database.reader().await.snapshot().await.unwrap();
        let asked = desired::buckets(&mut snapshot, &[65_535, 9, 0]).await.unwrap();
        assert_eq!(
            asked.iter().map(|bucket| (bucket.bucket, bucket.keys.len())).collect::<Vec<_>>(),
            [(0, 1), (9, 0), (65_535, 1)]
        );
        let record = asked[2].keys[0];
        assert_eq!(
            (record.key, record.digest, record.site, record.consumer),
            (expiring.0.id, expiring.1, one.site, one.consumer)
        );
        assert_eq!(record.expires_at_ms, Some(4_102_444_800_123));

        let mut all = Vec::new();
        let mut next = Some(0);
        while let Some(first) = next {
            let step = desired::all_buckets(&mut snapshot, first).await.unwrap();
            all.extend(step.buckets);
            next = step.next;
        }
        assert_eq!(all, [asked[0].clone(), asked[2].clone()], "empty buckets are left out");
    })
    .await;
}
