//! A copy of a site has all of the original except its keys.

use std::collections::BTreeMap;

use policy::desired::{DesiredSite, DesiredUpstream};
use policy::id::{ApiId, IssuerId, PlanId, RouteId, SiteId, TenantId, UpstreamId};
use policy::key::Environment;
use policy::settings::{ApiSettings, RouteSettings, SiteSettings};
use store::route::RouteSpec;
use store::seal::SecretsKey;
use store::site::{SiteCopy, SitePatch};
use store::{Page, StoreError, desired};
use uuid::Uuid;

use crate::fixture::{Database, Sample, new_upstream, route, sample, until, with_database};
use crate::furniture::{furnish, limit, secrets_key};

fn copy(slug: &str) -> SiteCopy {
    SiteCopy {
        name: "A copy".to_owned(),
        slug: slug.to_owned(),
        hostname: format!("{slug}.gw.localhost"),
        environment: None,
        hostnames: Vec::new(),
    }
}

/// The served form of a site, without its ids and hostnames. References are replaced by the objects
/// to which they lead.
async fn served(database: &Database, site: SiteId) -> DesiredSite {
    let reader = database.reader().await.with_secrets_key(secrets_key());
    let mut snapshot = reader.snapshot().await.unwrap();
    let mut read = desired::sites(&mut snapshot, &[site]).await.unwrap();
    assert_eq!(read.omitted, []);
    let mut site = read.sites.remove(0);
    let nil = Uuid::nil();
    let upstreams: BTreeMap<UpstreamId, DesiredUpstream> =
        site.upstreams.iter().map(|upstream| (upstream.id, upstream.clone())).collect();
    // The ids of the copy are in the order of those of the original.
    let place = |id: UpstreamId| {
        upstreams.keys().position(|other| *other == id).expect("an upstream of the site")
    };
    let api_place =
        |id: ApiId| site.apis.keys().position(|other| *other == id).expect("an API of the site");
    for route in &mut site.routes {
        route.upstream = UpstreamId(Uuid::from_u128(place(route.upstream) as u128));
        route.api = ApiId(Uuid::from_u128(api_place(route.api) as u128));
        route.id = RouteId(nil);
    }
    let apis = std::mem::take(&mut site.apis).into_values().enumerate();
    site.apis =
        apis.map(|(place, settings)| (ApiId(Uuid::from_u128(place as u128)), settings)).collect();
    site.upstreams.iter_mut().for_each(|upstream| upstream.id = UpstreamId(nil));
    site.issuers.iter_mut().for_each(|issuer| issuer.id = IssuerId(nil));
    site.plans.iter_mut().for_each(|plan| plan.id = PlanId(nil));
    (site.tenant, site.site) = (TenantId(nil), SiteId(nil));
    site.hostnames.clear();
    site
}

/// Sets everything of a site that can be set.
async fn decorate(store: &store::Store, one: Sample) {
    furnish(store, one).await;
    let mut tx = one.begin(store).await;
    let settings: SiteSettings = serde_json::from_value(serde_json::json!({
        "ip": {"deny": ["192.0.2.0/24"]},
        "limits": [{"name": "per-address", "requests": 20, "per": "second", "by": ["client_ip"]}],
    }))
    .unwrap();
    let patch = SitePatch {
        eager: Some(true),
        forward_credentials: Some(true),
        settings: Some(settings),
        name: None,
    };
    store::site::update(&mut tx, one.site, patch, None).await.unwrap();
    let second =
        store::upstream::create(&mut tx, one.site, new_upstream("second")).await.unwrap().id;
    let new = store::api::NewApi {
        name: "web".to_owned(),
        base_path: "/".to_owned(),
        strip_base_path: false,
        settings: ApiSettings { limits: vec![limit("web")], ..Default::default() },
    };
    let api = store::api::create(&mut tx, one.site, new).await.unwrap().id;
    let new =
        store::version::NewVersion { name: "v7".to_owned(), in_path: false, upstream_id: second };
    let version = store::version::create(&mut tx, one.site, api, new).await.unwrap().id;
    let place = store::route::VersionRef { site: one.site, api, version };
    let settings = RouteSettings { limits: vec![limit("slow")], ..Default::default() };
    let spec = RouteSpec {
        name: Some("everything".to_owned()),
        upstream_id: Some(one.upstream),
        settings,
        ..route("POST", "/{*rest}")
    };
    store::route::create(&mut tx, place, spec).await.unwrap();
    store::route::create(&mut tx, place, route("GET", "/{*rest}")).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_copy_serves_what_the_original_serves() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        decorate(&store, one).await;
        let before = served(database, one.site).await;
        let mut tx = one.begin(&store).await;
        let new = SiteCopy { hostnames: vec!["more.gw.localhost".to_owned()], ..copy("two") };
        let made = store::site::copy(&mut tx, one.site, new, Some(&secrets_key())).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(
            (made.environment, made.eager, made.forward_credentials),
            (Environment::Live, true, true)
        );
        assert_eq!(served(database, made.id).await, before);
        assert_eq!(served(database, one.site).await, before, "the original is as it was");
        assert_eq!((before.routes.len(), before.upstreams.len(), before.apis.len()), (3, 2, 2));
        assert_eq!((before.issuers.len(), before.plans.len()), (1, 1));

        for table in ["consumers", "api_keys", "signing_keys", "consumer_subjects", "usage_hours"] {
            let count = format!("SELECT count(*) FROM {table} WHERE site_id = '{}'", made.id);
            assert_eq!(database.count(&count).await, 0, "{table} is of who calls the original");
        }
        let names = format!("SELECT count(*) FROM hostnames WHERE site_id = '{}'", made.id);
        assert_eq!(database.count(&names).await, 2);
        // No row of one refers to a row of the other: ids are new, and every reference is within
        // its site.
        for table in
            ["upstreams", "apis", "api_versions", "routes", "plans", "issuers", "hostnames"]
        {
            let shared = format!(
                "SELECT count(*) FROM {table} a JOIN {table} b USING (id) \
                    WHERE a.site_id <> b.site_id"
            );
            assert_eq!(database.count(&shared).await, 0, "{table}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_copy_has_all_of_a_change_that_is_made_at_the_same_time() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let mut changing = one.begin(&store).await;
        let second = store::upstream::create(&mut changing, one.site, new_upstream("second"))
            .await
            .unwrap()
            .id;
        let spec = RouteSpec { upstream_id: Some(second), ..route("PUT", "/orders/{id}") };
        store::route::create(&mut changing, one.version_ref(), spec).await.unwrap();
        let copying = tokio::spawn({
            let store = store.clone();
            async move {
                let mut tx = one.begin(&store).await;
                let made = store::site::copy(&mut tx, one.site, copy("two"), None).await.unwrap();
                tx.commit().await.unwrap();
                made.id
            }
        });
        let waits = "EXISTS (SELECT FROM pg_stat_activity \
            WHERE datname = current_database() AND wait_event_type = 'Lock')";
        until(database, waits).await;
        changing.commit().await.unwrap();
        let copy = copying.await.unwrap();
        assert_eq!(served(database, copy).await, served(database, one.site).await);
        assert_eq!(served(database, copy).await.routes.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_copy_needs_the_key_of_the_secrets_that_it_copies_and_a_name_of_its_own() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let other = sample(&store, "other", 2).await;
        decorate(&store, one).await;
        let attempt = async |key: Option<&SecretsKey>, new: SiteCopy| {
            let mut tx = one.begin(&store).await;
            store::site::copy(&mut tx, one.site, new, key).await
        };
        let none = attempt(None, copy("two")).await;
        assert!(matches!(none, Err(StoreError::NoSecretsKey)), "{none:?}");
        let wrong = attempt(Some(&SecretsKey::new([9; 32])), copy("two")).await;
        assert!(matches!(wrong, Err(StoreError::Invalid { field: "site_id", .. })), "{wrong:?}");
        let taken = attempt(Some(&secrets_key()), copy("other")).await;
        assert!(matches!(taken, Err(StoreError::Conflict { field: "slug", .. })), "{taken:?}");
        let new = SiteCopy { hostnames: vec!["other.gw.localhost".to_owned()], ..copy("two") };
        let taken = attempt(Some(&secrets_key()), new).await;
        assert!(matches!(taken, Err(StoreError::Conflict { field: "hostnames", .. })), "{taken:?}");
        let mut tx = other.begin(&store).await;
        let foreign = store::site::copy(&mut tx, one.site, copy("two"), Some(&secrets_key())).await;
        assert!(matches!(foreign, Err(StoreError::NotFound { what: "site" })), "{foreign:?}");
        drop(tx);
        let mut tx = one.begin(&store).await;
        assert_eq!(store::site::list(&mut tx, None, Page::first(10)).await.unwrap().len(), 1);
    })
    .await;
}
