//! Row security, proven with the programs' own roles: plain SQL, every table, every verb.

use policy::id::{SiteId, TenantId};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use store::{Page, StoreError};

use crate::catalog::tenant_tables;
use crate::fixture::{Database, Sample, actor, hold_back, sample, use_once, with_database};
use crate::furniture::furnish;

/// `insufficient_privilege`: the row breaks a policy, or the verb is not granted at all.
const REFUSED: &str = "42501";

/// Tables that xds-server adds to. This list may only get shorter.
const ADDED_TO: [&str; 1] = ["usage_hours"];

/// Tables that only xds-server writes. This list may only get shorter.
const WRITTEN: [&str; 3] = ["left_out", "quarantine", "refusals"];

/// The kind of transaction that a statement runs in.
#[derive(Clone, Copy, Debug)]
enum As {
    Tenant(TenantId),
    EmptySetting,
    NoSetting,
}

/// Runs a statement in a transaction that is rolled back. Returns the number of rows, or the
/// SQLSTATE.
async fn attempt(connection: &mut PgConnection, whose: As, statement: &str) -> Result<u64, String> {
    let mut tx = connection.begin().await.unwrap();
    let setting = match whose {
        As::Tenant(tenant) => Some(tenant.to_string()),
        As::EmptySetting => Some(String::new()),
        As::NoSetting => None,
    };
    if let Some(setting) = setting {
        sqlx::query("SELECT set_config('tenantry.tenant_id', $1, true)")
            .bind(setting)
            .execute(&mut *tx)
            .await
            .unwrap();
    }
    let outcome = tx.execute(AssertSqlSafe(statement.to_owned())).await;
    tx.rollback().await.unwrap();
    outcome.map(|done| done.rows_affected()).map_err(|error| {
        error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned()
    })
}

pub(crate) async fn two_tenants(database: &Database) -> (Sample, Sample) {
    let store = database.store().await;
    let (left, right) = (sample(&store, "left", 1).await, sample(&store, "right", 2).await);
    furnish(&store, left).await;
    furnish(&store, right).await;
    use_once(database, &[left, right]).await;
    hold_back(database, &[left, right]).await;
    (left, right)
}

/// A statement that inserts a copy of a tenant's row, whose values the superuser reads.
async fn copy_of_a_row(database: &Database, table: &str, column: &str, tenant: TenantId) -> String {
    let columns: String = sqlx::query_scalar(
        "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
         WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' \
         AND attidentity = ''",
    )
    .bind(table)
    .fetch_one(&database.superuser)
    .await
    .unwrap();
    let row: String = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT quote_literal(to_jsonb(t)) FROM {table} t WHERE {column} = '{tenant}' LIMIT 1"
    )))
    .fetch_optional(&database.superuser)
    .await
    .unwrap()
    .unwrap_or_else(|| panic!("the fixture has no row in {table}: add one to `furnish`"));
    format!(
        "INSERT INTO {table} ({columns}) \
        SELECT {columns} FROM jsonb_populate_record(NULL::{table}, {row}::jsonb)"
    )
}

#[tokio::test]
async fn a_tenant_sees_its_rows_and_no_others() {
    with_database(async |database| {
        let (left, right) = two_tenants(database).await;
        let mut admin = database.admin().await;
        for (table, column) in tenant_tables(database).await {
            let all = format!("SELECT FROM {table}");
            for tenant in [left.tenant, right.tenant] {
                let own = database
                    .count(&format!("SELECT count(*) FROM {table} WHERE {column} = '{tenant}'"))
                    .await;
                assert!(own > 0, "the fixture has no row in {table}: add one to `furnish`");
                let seen = attempt(&mut admin, As::Tenant(tenant), &all).await;
                assert_eq!(seen, Ok(own.unsigned_abs()), "{table}");
            }
            let stranger = TenantId(uuid::Uuid::now_v7());
            for whose in [As::EmptySetting, As::NoSetting, As::Tenant(stranger)] {
                assert_eq!(attempt(&mut admin, whose, &all).await, Ok(0), "{table} {whose:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn no_verb_reaches_another_tenants_rows() {
    with_database(async |database| {
        let (left, right) = two_tenants(database).await;
        let mut admin = database.admin().await;
        for (table, column) in tenant_tables(database).await {
            let insert = copy_of_a_row(database, &table, column, right.tenant).await;
            for whose in [As::Tenant(left.tenant), As::EmptySetting, As::NoSetting] {
                for statement in [
                    format!(
                        "UPDATE {table} SET {column} = {column} WHERE {column} = '{}'",
                        right.tenant
                    ),
                    format!("DELETE FROM {table} WHERE {column} = '{}'", right.tenant),
                ] {
                    let outcome = attempt(&mut admin, whose, &statement).await;
                    let harmless = outcome == Ok(0) || outcome == Err(REFUSED.to_owned());
                    assert!(harmless, "{statement} as {whose:?}: {outcome:?}");
                }
                let outcome = attempt(&mut admin, whose, &insert).await;
                assert_eq!(outcome, Err(REFUSED.to_owned()), "INSERT INTO {table} as {whose:?}");
            }
            let give_away = format!("UPDATE {table} SET {column} = '{}'", right.tenant);
            let outcome = attempt(&mut admin, As::Tenant(left.tenant), &give_away).await;
            assert_eq!(outcome, Err(REFUSED.to_owned()), "{give_away}");
            let truncate = format!("TRUNCATE {table} CASCADE");
            let outcome = attempt(&mut admin, As::Tenant(left.tenant), &truncate).await;
            assert_eq!(outcome, Err(REFUSED.to_owned()), "{truncate}");
        }
    })
    .await;
}

#[tokio::test]
async fn row_security_binds_the_owner_too() {
    with_database(async |database| {
        let (left, _) = two_tenants(database).await;
        let mut owner = database.owner().await;
        for (table, _) in tenant_tables(database).await {
            let seen =
                attempt(&mut owner, As::Tenant(left.tenant), &format!("SELECT FROM {table}")).await;
            assert_eq!(seen, Ok(0), "{table}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_xds_role_reads_what_it_serves_and_only_adds_usage() {
    with_database(async |database| {
        let (left, _) = two_tenants(database).await;
        let mut xds = database.xds().await;
        let tables = tenant_tables(database).await.into_iter();
        for (table, column) in tables.filter(|(table, _)| !WRITTEN.contains(&table.as_str())) {
            for statement in [
                format!("DELETE FROM {table}"),
                format!("UPDATE {table} SET {column} = {column}"),
                copy_of_a_row(database, &table, column, left.tenant).await,
            ] {
                if ADDED_TO.contains(&table.as_str()) && statement.starts_with("INSERT") {
                    continue;
                }
                let outcome = attempt(&mut xds, As::Tenant(left.tenant), &statement).await;
                assert_eq!(outcome, Err(REFUSED.to_owned()), "{statement}");
            }
        }
        for hidden in ["audit_log", "operator_tokens", "idempotency_keys"] {
            let outcome = attempt(&mut xds, As::NoSetting, &format!("SELECT FROM {hidden}")).await;
            assert_eq!(outcome, Err(REFUSED.to_owned()), "{hidden}");
        }
        for hidden in [
            "hint FROM api_keys",
            "name FROM api_keys",
            "name FROM consumers",
            "name FROM plans",
            "name FROM signing_keys",
            "name FROM sites",
            "name FROM tenants",
            "name FROM upstreams",
            "id FROM hostnames",
            "value FROM consumer_subjects",
        ] {
            let outcome = attempt(&mut xds, As::NoSetting, &format!("SELECT {hidden}")).await;
            assert_eq!(outcome, Err(REFUSED.to_owned()), "{hidden}");
        }
        assert_eq!(attempt(&mut xds, As::NoSetting, "SELECT digest FROM api_keys").await, Ok(4));
    })
    .await;
}

#[tokio::test]
async fn another_tenants_object_is_as_good_as_absent() {
    with_database(async |database| {
        let (left, right) = two_tenants(database).await;
        let store = database.store().await;
        let mut tx = left.begin(&store).await;
        for site in [right.site, SiteId(uuid::Uuid::now_v7())] {
            let got = store::site::get(&mut tx, site).await;
            assert!(matches!(got, Err(StoreError::NotFound { what: "site" })), "{got:?}");
            let listed = store::consumer::list(&mut tx, site, Page::first(10)).await;
            assert!(matches!(listed, Err(StoreError::NotFound { what: "site" })), "{listed:?}");
            let new = crate::fixture::new_consumer("x");
            let created = store::consumer::create(&mut tx, site, new).await;
            assert!(matches!(created, Err(StoreError::NotFound { what: "site" })), "{created:?}");
            let deleted = store::site::delete(&mut tx, site, None).await;
            assert!(matches!(deleted, Err(StoreError::NotFound { what: "site" })), "{deleted:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_is_made_in_an_absent_tenant() {
    with_database(async |database| {
        let store = database.store().await;
        let mut tx = store.tenant(TenantId(uuid::Uuid::now_v7()), &actor()).await.unwrap();
        let created = store::site::create(&mut tx, crate::fixture::new_site("ghost")).await;
        assert!(matches!(created, Err(StoreError::NotFound { what: "tenant" })), "{created:?}");
        let listed = store::site::list(&mut tx, None, Page::first(10)).await;
        assert!(matches!(listed, Err(StoreError::NotFound { what: "tenant" })), "{listed:?}");
    })
    .await;
}

#[tokio::test]
async fn a_pooled_connection_forgets_its_tenant() {
    with_database(async |database| {
        let (left, _) = two_tenants(database).await;
        let store = store::Store::connect(&database.admin_url, 1).await.unwrap();
        let mut tx = left.begin(&store).await;
        store::site::get(&mut tx, left.site).await.unwrap();
        tx.commit().await.unwrap();
        // The same connection has no tenant's rows in the platform's scope.
        let mut platform = store.platform(&actor()).await.unwrap();
        assert_eq!(store::tenant::list(&mut platform, Page::first(10)).await.unwrap().len(), 2);
        drop(platform);
        let mut tx = store.tenant(TenantId(uuid::Uuid::now_v7()), &actor()).await.unwrap();
        assert!(store::site::get(&mut tx, left.site).await.is_err());
    })
    .await;
}
