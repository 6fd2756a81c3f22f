//! Settings of every object: they come out as they went in, defaults are not stored, and xds-server
//! reads them.

use policy::settings::{
    ApiSettings, Auth, ConsumerSettings, KeySettings, PlanSettings, RouteSettings, SiteSettings,
    TenantSettings,
};
use sqlx::AssertSqlSafe;
use store::change::Change;
use store::desired::{self, Object, Reason};
use store::{TenantTx, api, consumer, key, plan, route, site, tenant};

use crate::fixture::{Database, Sample, actor, route as spec, sample, site_sample, with_database};
use crate::furniture::{Furniture, consumer_settings, furnish, key_settings, limit};

fn of_api() -> ApiSettings {
    ApiSettings { auth: Some(Auth::None), limits: vec![limit("api")], ..Default::default() }
}

fn of_route() -> RouteSettings {
    RouteSettings { scopes: vec!["orders:write".to_owned()], ..Default::default() }
}

fn of_site() -> SiteSettings {
    SiteSettings { challenges: true, limits: vec![limit("site")], ..Default::default() }
}

fn of_tenant() -> TenantSettings {
    TenantSettings { time_zone: "Europe/Berlin".to_owned(), weight: 7, ..Default::default() }
}

async fn changes(database: &Database, seq: i64) -> Vec<Change> {
    let mut snapshot = database.reader().await.snapshot().await.unwrap();
    snapshot
        .changes_since(seq, 1000)
        .await
        .unwrap()
        .into_iter()
        .map(|logged| logged.change)
        .collect()
}

async fn head(database: &Database) -> i64 {
    database.reader().await.snapshot().await.unwrap().head_seq().await.unwrap()
}

/// The part of a consumer with a plan, and of its key with settings.
async fn settings_of_credentials_are_kept(tx: &mut TenantTx, one: &Sample, furniture: &Furniture) {
    let patch = consumer::ConsumerPatch { name: Some("renamed".to_owned()), ..Default::default() };
    let after = consumer::update(tx, one.site, furniture.partner, patch, None).await.unwrap();
    assert_eq!((after.settings, after.plan_id), (consumer_settings(), Some(furniture.plan)));

    let patch = key::KeyPatch { name: Some(Some("renamed".to_owned())), ..Default::default() };
    let after = key::update(tx, one.site, furniture.partner, furniture.limited_key, patch, Some(1))
        .await
        .unwrap();
    assert_eq!((after.settings, after.revision), (key_settings(), 2));
    let patch = key::KeyPatch { settings: Some(KeySettings::default()), ..Default::default() };
    let after = key::update(tx, one.site, furniture.partner, furniture.limited_key, patch, None)
        .await
        .unwrap();
    assert_eq!((after.settings, after.name.as_deref()), (KeySettings::default(), Some("renamed")));
}

#[tokio::test]
async fn settings_are_replaced_as_a_whole_and_kept_by_other_changes() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let furniture = furnish(&store, one).await;
        let mut tx = one.begin(&store).await;
        let version = one.version_ref();

        let patch = api::ApiPatch { settings: Some(of_api()), ..Default::default() };
        assert_eq!(
            api::update(&mut tx, one.site, one.api, patch, None).await.unwrap().settings,
            of_api()
        );
        let patch = api::ApiPatch { name: Some("renamed".to_owned()), ..Default::default() };
        assert_eq!(
            api::update(&mut tx, one.site, one.api, patch, None).await.unwrap().settings,
            of_api()
        );
        assert_eq!(api::get(&mut tx, one.site, one.api).await.unwrap().settings, of_api());

        let patch = route::RoutePatch { settings: Some(of_route()), ..Default::default() };
        assert_eq!(
            route::update(&mut tx, version, one.route, patch, None).await.unwrap().settings,
            of_route()
        );
        let patch = route::RoutePatch { name: Some(None), ..Default::default() };
        assert_eq!(
            route::update(&mut tx, version, one.route, patch, None).await.unwrap().settings,
            of_route()
        );
        let new = route::RouteSpec { settings: of_route(), ..spec("PUT", "/orders/{id}") };
        assert_eq!(route::create(&mut tx, version, new).await.unwrap().settings, of_route());

        let patch = site::SitePatch { settings: Some(of_site()), ..Default::default() };
        assert_eq!(site::update(&mut tx, one.site, patch, None).await.unwrap().settings, of_site());
        let patch = site::SitePatch { forward_credentials: Some(true), ..Default::default() };
        assert_eq!(site::update(&mut tx, one.site, patch, None).await.unwrap().settings, of_site());

        settings_of_credentials_are_kept(&mut tx, &one, &furniture).await;

        let settings = PlanSettings { quotas: Vec::new(), limits: vec![limit("other")] };
        let patch = plan::PlanPatch { settings: Some(settings.clone()), ..Default::default() };
        assert_eq!(
            plan::update(&mut tx, one.site, furniture.plan, patch, None).await.unwrap().settings,
            settings
        );
        tx.commit().await.unwrap();

        let mut platform = store.platform(&actor()).await.unwrap();
        let patch = tenant::TenantPatch { settings: Some(of_tenant()), ..Default::default() };
        assert_eq!(
            tenant::update(&mut platform, one.tenant, patch, None).await.unwrap().settings,
            of_tenant()
        );
        platform.commit().await.unwrap();

        let mut snapshot = database.reader().await.snapshot().await.unwrap();
        let read = desired::sites(&mut snapshot, &[one.site]).await.unwrap();
        let site = &read.sites[0];
        assert_eq!((&site.tenant_settings, &site.settings), (&of_tenant(), &of_site()));
        assert_eq!(site.apis[&one.api], of_api());
        assert_eq!(
            site.routes.iter().map(|route| &route.settings).collect::<Vec<_>>(),
            [&of_route(), &of_route()]
        );
        assert!(site.routes.iter().all(|route| route.api == one.api));
        assert_eq!((site.plans[0].number, &site.plans[0].settings), (1, &settings));
    })
    .await;
}

#[tokio::test]
async fn defaults_are_not_stored() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let mut tx = one.begin(&store).await;
        let patch = site::SitePatch { settings: Some(of_site()), ..Default::default() };
        site::update(&mut tx, one.site, patch, None).await.unwrap();
        let patch =
            consumer::ConsumerPatch { settings: Some(consumer_settings()), ..Default::default() };
        consumer::update(&mut tx, one.site, one.consumer, patch, None).await.unwrap();
        tx.commit().await.unwrap();
        for (table, fields) in [
            ("tenants", ""),
            ("sites", "challenges,limits"),
            ("apis", ""),
            ("routes", ""),
            ("api_keys", ""),
            ("consumers", "ip,subjects"),
        ] {
            let stored: String = sqlx::query_scalar(AssertSqlSafe(format!(
                "SELECT concat((SELECT string_agg(k, ',' \
                ORDER BY k) FROM jsonb_object_keys(settings) k)) FROM {table}"
            )))
            .fetch_one(&database.superuser)
            .await
            .unwrap();
            assert_eq!(stored, fields, "{table}");
        }
        let mut tx = one.begin(&store).await;
        let patch = consumer::ConsumerPatch {
            settings: Some(ConsumerSettings::default()),
            ..Default::default()
        };
        consumer::update(&mut tx, one.site, one.consumer, patch, None).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(
            database
                .count("SELECT count(*) FROM consumers WHERE settings <> '{}' OR has_settings")
                .await,
            0
        );
        assert_eq!(database.count("SELECT count(*) FROM consumer_subjects").await, 0);
    })
    .await;
}

#[tokio::test]
async fn settings_of_a_tenant_are_part_of_all_its_sites() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        sample(&store, "other", 2).await;
        let mut tx = one.begin(&store).await;
        let second = site_sample(&mut tx, "second", 3).await;
        tx.commit().await.unwrap();
        let from = head(database).await;
        let update = async |patch| {
            let mut platform = store.platform(&actor()).await.unwrap();
            tenant::update(&mut platform, one.tenant, patch, None).await.unwrap();
            platform.commit().await.unwrap();
        };
        update(tenant::TenantPatch { name: Some("renamed".to_owned()), ..Default::default() })
            .await;
        update(tenant::TenantPatch {
            settings: Some(TenantSettings::default()),
            ..Default::default()
        })
        .await;
        assert_eq!(changes(database, from).await, [], "no Envoy knows the name");
        update(tenant::TenantPatch { settings: Some(of_tenant()), ..Default::default() }).await;
        assert_eq!(
            changes(database, from).await,
            [Change::Site(one.site), Change::Site(second.site)]
        );
    })
    .await;
}

#[tokio::test]
async fn an_import_leaves_settings_as_they_are() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let mut tx = one.begin(&store).await;
        let patch = route::RoutePatch { settings: Some(of_route()), ..Default::default() };
        route::update(&mut tx, one.version_ref(), one.route, patch, None).await.unwrap();
        let same = vec![spec("GET", "/orders/{id}")];
        assert_eq!(
            route::replace_all(&mut tx, one.version_ref(), same).await.unwrap().unchanged,
            1
        );
        let named =
            route::RouteSpec { name: Some("get".to_owned()), ..spec("GET", "/orders/{id}") };
        let added = route::RouteSpec { settings: of_route(), ..spec("POST", "/orders") };
        let outcome =
            route::replace_all(&mut tx, one.version_ref(), vec![named, added]).await.unwrap();
        assert_eq!((outcome.changed.len(), outcome.added.len()), (1, 1));
        let routes = route::list(&mut tx, one.version_ref(), store::Page::first(10)).await.unwrap();
        assert_eq!(
            routes.iter().map(|route| &route.settings).collect::<Vec<_>>(),
            [&of_route(), &of_route()]
        );
    })
    .await;
}

/// A newer program may have written settings that this one does not know. Only their owner notices.
#[tokio::test]
async fn what_cannot_be_read_is_left_out_alone() {
    with_database(async |database| {
        let store = database.store().await;
        let unknown = r#"'{"of_the_future": 1}'"#;
        for table in ["sites", "apis", "routes", "plans", "issuers"] {
            let bad = sample(&store, &format!("bad-{table}"), 1).await;
            let good = sample(&store, &format!("good-{table}"), 2).await;
            furnish(&store, bad).await;
            let field = if table == "sites" { "id" } else { "site_id" };
            let spoil = format!(
                "UPDATE {table} SET settings = settings || {unknown} \
                WHERE {field} = '{}'",
                bad.site
            );
            sqlx::raw_sql(AssertSqlSafe(spoil)).execute(&database.superuser).await.unwrap();
            let mut snapshot = database.reader().await.snapshot().await.unwrap();
            let read = desired::sites(&mut snapshot, &[bad.site, good.site]).await.unwrap();
            assert_eq!(
                read.sites.iter().map(|site| site.site).collect::<Vec<_>>(),
                [good.site],
                "{table}"
            );
            let left_out =
                read.omitted.iter().filter(|omitted| omitted.object == Object::Site(bad.site));
            let left_out: Vec<_> = left_out.collect();
            assert_eq!(left_out.len(), 1, "{table}: {:?}", read.omitted);
            assert_eq!(left_out[0].tenant, bad.tenant);
            assert!(
                matches!(&left_out[0].reason,
                    Reason::Unreadable(why) if why.contains("of_the_future")),
                "{:?}",
                left_out[0]
            );
        }
        let one = sample(&store, "one", 3).await;
        let furniture = furnish(&store, one).await;
        for table in ["consumers", "api_keys", "signing_keys"] {
            let field = if table == "consumers" { "id" } else { "consumer_id" };
            let partner = furniture.partner;
            let spoil = format!(
                "UPDATE {table} SET settings = settings || {unknown} \
                WHERE {field} = '{partner}'"
            );
            sqlx::raw_sql(AssertSqlSafe(spoil)).execute(&database.superuser).await.unwrap();
            let bucket = policy::consumer::bucket_of(partner);
            let mut snapshot = database.reader().await.snapshot().await.unwrap();
            let read = desired::consumers(&mut snapshot, &[bucket]).await.unwrap();
            let is_there = read.buckets[0].consumers.iter().any(|consumer| consumer.id == partner);
            assert!(!is_there, "{table}: a part of its settings could let it do more than it may");
            assert!(
                read.omitted.iter().any(|omitted| omitted.object == Object::Consumer(partner)),
                "{table}"
            );
            let mend = format!(
                "UPDATE {table} SET settings = settings - 'of_the_future' WHERE \
                {field} = '{partner}'"
            );
            sqlx::raw_sql(AssertSqlSafe(mend)).execute(&database.superuser).await.unwrap();
        }
    })
    .await;
}
