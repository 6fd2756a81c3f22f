//! A tenant's objects are counted when they are made and removed, and only the tenant can read its
//! platform plan.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, FromRow};
use store::platform_plan::{self, Limits, PlanLimit, PlatformPlanPatch};
use store::tenant::TenantPatch;
use store::{Store, StoreError};

use crate::catalog::tenant_tables;
use crate::fixture::{
    Database, Sample, actor, new_key, new_site, route, sample, site_sample, with_database,
};
use crate::furniture::furnish;

/// Tables of tenants that hold no configuration, and nothing that a platform plan limits.
const UNMEASURED: [&str; 12] = [
    "audit_log",
    "change_log",
    "consumer_subjects",
    "invitations",
    "left_out",
    "quarantine",
    "refusals",
    "service_tokens",
    "tenant_listeners",
    "tenant_totals",
    "tenants",
    "usage_hours",
];

#[derive(Debug, PartialEq, Eq, FromRow)]
struct Totals {
    sites: i64,
    routes: i64,
    keys: i64,
    members: i64,
    config_bytes: i64,
}

/// Asserts that the totals of a tenant equal a count of its rows.
async fn unchanged_by_counting(database: &Database, sample: &Sample, after: &str) {
    let tenant = sample.tenant;
    let of = |table: &str| format!("FROM {table} WHERE tenant_id = '{tenant}'");
    let counted = |table: &str| format!("(SELECT count(*) {})", of(table));
    let working = |table: &str| {
        format!("(SELECT count(*) {} AND revoked_at IS NULL AND NOT ended)", of(table))
    };
    let bytes = [
        ("sites", "octet_length(name || slug || settings::text)"),
        ("hostnames", "octet_length(name)"),
        ("upstreams", "octet_length(name)"),
        ("upstream_endpoints", "octet_length(address)"),
        ("apis", "octet_length(name || base_path || settings::text)"),
        ("api_versions", "octet_length(name)"),
        ("routes", "octet_length(coalesce(name, '') || path || settings::text)"),
        ("plans", "octet_length(name || settings::text)"),
        ("issuers", "octet_length(settings::text)"),
        ("consumers", "octet_length(name || settings::text)"),
        ("api_keys", "CASE WHEN settings = '{}' THEN 0 ELSE octet_length(settings::text) END"),
        ("signing_keys", "CASE WHEN settings = '{}' THEN 0 ELSE octet_length(settings::text) END"),
    ]
    .map(|(table, bytes)| format!("(SELECT coalesce(sum({bytes}), 0) {})", of(table)));
    let query = format!(
        "SELECT {} AS sites, {} AS routes, {} + {} AS keys, {} AS members, ({})::bigint AS \
        config_bytes",
        counted("sites"),
        counted("routes"),
        working("api_keys"),
        working("signing_keys"),
        counted("members"),
        bytes.join(" + ")
    );
    let counted: Totals =
        sqlx::query_as(AssertSqlSafe(query)).fetch_one(&database.superuser).await.unwrap();
    let query =
        format!("SELECT sites, routes, keys, members, config_bytes {}", of("tenant_totals"));
    let kept: Totals =
        sqlx::query_as(AssertSqlSafe(query)).fetch_one(&database.superuser).await.unwrap();
    assert_eq!(kept, counted, "after {after}");
}

/// Gives a tenant a plan of its own.
async fn give(store: &Store, sample: &Sample, limits: Limits) {
    let mut tx = store.platform(&actor()).await.unwrap();
    let plan = platform_plan::create(&mut tx, &sample.tenant.to_string(), limits).await.unwrap();
    let patch = TenantPatch { platform_plan: Some(plan.id), ..Default::default() };
    store::tenant::update(&mut tx, sample.tenant, patch, None).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn every_table_of_tenants_is_measured_or_said_not_to_be() {
    with_database(async |database| {
        let measured: Vec<String> = sqlx::query_scalar(
            "SELECT tgrelid::regclass::text FROM pg_trigger \
            WHERE tgname IN ('total_added', 'total_removed', 'total_changed')
             GROUP BY 1 HAVING count(*) = 3",
        )
        .fetch_all(&database.superuser)
        .await
        .unwrap();
        let tables = tenant_tables(database).await.into_iter().map(|(table, _)| table);
        let neither: Vec<String> = tables
            .filter(|table| !measured.contains(table) && !UNMEASURED.contains(&table.as_str()))
            .collect();
        assert_eq!(
            neither,
            Vec::<String>::new(),
            "give these triggers as in migrations/0022, or a place in UNMEASURED"
        );
    })
    .await;
}

#[tokio::test]
async fn totals_are_what_one_gets_by_counting() {
    with_database(async |database| {
        let store = database.store().await;
        let left = sample(&store, "left", 1).await;
        let furniture = furnish(&store, left).await;
        let right = sample(&store, "right", 2).await;
        unchanged_by_counting(database, &left, "making everything").await;
        let mut tx = left.begin(&store).await;
        let second = site_sample(&mut tx, "second", 3).await;
        let wanted = ["/a", "/b", "/orders/{id}"].map(|path| route("GET", path));
        store::route::replace_all(&mut tx, second.version_ref(), wanted.into()).await.unwrap();
        tx.commit().await.unwrap();
        unchanged_by_counting(database, &left, "an import").await;
        let mut tx = left.begin(&store).await;
        let minute = Duration::from_secs(60);
        store::key::rotate(&mut tx, left.site, left.consumer, left.key, new_key(4), minute, None)
            .await
            .unwrap();
        store::key::revoke(&mut tx, left.site, furniture.partner, furniture.limited_key, None)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        unchanged_by_counting(database, &left, "a rotation and a revocation").await;
        let mut tx = left.begin(&store).await;
        store::consumer::delete(&mut tx, left.site, furniture.partner, None).await.unwrap();
        store::api::delete(&mut tx, second.site, second.api, None).await.unwrap();
        store::upstream::delete(&mut tx, second.site, second.upstream, None).await.unwrap();
        tx.commit().await.unwrap();
        unchanged_by_counting(database, &left, "removing a consumer, an API and an upstream").await;
        let mut tx = left.begin(&store).await;
        store::site::delete(&mut tx, left.site, None).await.unwrap();
        tx.commit().await.unwrap();
        unchanged_by_counting(database, &left, "removing a site").await;
        unchanged_by_counting(database, &right, "all that another tenant did").await;
        let mut platform = store.platform(&actor()).await.unwrap();
        store::tenant::delete(&mut platform, left.tenant, None).await.unwrap();
        platform.commit().await.unwrap();
        assert_eq!(database.count("SELECT count(*) FROM tenant_totals").await, 1);
    })
    .await;
}

#[tokio::test]
async fn transactions_that_are_undone_are_not_counted() {
    with_database(async |database| {
        let store = database.store().await;
        let left = sample(&store, "left", 1).await;
        give(&store, &left, Limits { sites: Some(2), ..Default::default() }).await;
        let mut tx = left.begin(&store).await;
        store::site::create(&mut tx, new_site("undone")).await.unwrap();
        let refused = store::site::create(&mut tx, new_site("one-too-many")).await;
        let expected = matches!(
            refused,
            Err(StoreError::PlanLimit { limit: PlanLimit::Sites, allowed: 2, used: 2 })
        );
        assert!(expected, "{refused:?}");
        drop(tx);
        unchanged_by_counting(database, &left, "an undone transaction").await;
        let mut tx = left.begin(&store).await;
        store::site::create(&mut tx, new_site("made")).await.unwrap();
        tx.commit().await.unwrap();
        unchanged_by_counting(database, &left, "another site").await;
    })
    .await;
}

#[tokio::test]
async fn a_tenant_reads_its_own_platform_plan_and_changes_none() {
    with_database(async |database| {
        let store = database.store().await;
        let (left, right) = (sample(&store, "left", 1).await, sample(&store, "right", 2).await);
        give(&store, &left, Limits::default()).await;
        give(&store, &right, Limits::default()).await;
        let mut admin = database.admin().await;
        for (setting, seen) in
            [(left.tenant.to_string(), 1), (right.tenant.to_string(), 1), (String::new(), 0)]
        {
            let mut tx = admin.begin().await.unwrap();
            let set = sqlx::query("SELECT set_config('tenantry.tenant_id', $1, true)");
            set.bind(&setting).execute(&mut *tx).await.unwrap();
            let names: Vec<String> = sqlx::query_scalar("SELECT name FROM platform_plans")
                .fetch_all(&mut *tx)
                .await
                .unwrap();
            assert_eq!(names, vec![setting; seen]);
            for statement in ["UPDATE platform_plans SET sites = 1", "DELETE FROM platform_plans"] {
                assert_eq!(tx.execute(statement).await.unwrap().rows_affected(), 0, "{statement}");
            }
            let insert = "INSERT INTO platform_plans (id, name) VALUES (gen_random_uuid(), 'own')";
            assert!(tx.execute(insert).await.is_err());
            tx.rollback().await.unwrap();
        }
        let mut xds = database.xds().await;
        assert!(xds.execute("SELECT name FROM platform_plans").await.is_err());
        assert!(xds.execute("SELECT sites FROM tenant_totals").await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_plan_s_requests_are_among_what_gateways_get() {
    with_database(async |database| {
        let store = database.store().await;
        let left = sample(&store, "left", 1).await;
        let limits = Limits {
            requests_per_second: Some(7),
            requests_per_month: Some(100),
            ..Default::default()
        };
        give(&store, &left, limits).await;
        let reader = database.reader().await;
        let platform = async || {
            let mut snapshot = reader.snapshot().await.unwrap();
            let read = store::desired::sites(&mut snapshot, &[left.site]).await.unwrap();
            read.sites[0].tenant_settings.platform
        };
        let first = platform().await;
        assert_eq!((first.per_second, first.per_month), (Some(7), Some(100)));
        let mut tx = store.platform(&actor()).await.unwrap();
        let id = store::tenant::get(&mut tx, left.tenant).await.unwrap().platform_plan;
        let patch = |_: &platform_plan::PlatformPlan| PlatformPlanPatch {
            limits: Some(Limits::default()),
            ..Default::default()
        };
        platform_plan::update(&mut tx, id, patch, None).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(platform().await, Default::default());
    })
    .await;
}
