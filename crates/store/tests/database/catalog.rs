//! Properties that the catalog must show of every table, so that a new table that lacks one fails
//! here.

use sqlx::Row as _;

use crate::fixture::{Database, with_database};

/// Tables without a tenant. A table is added here only if it holds nothing that a tenant wrote.
/// Accounts belong to people, who may be in several tenants.
const PLATFORM_TABLES: [&str; 21] = [
    "_sqlx_migrations",
    "access_token_keys",
    "accounts",
    "cells",
    "change_log_floor",
    "dns_cache",
    "email_tokens",
    "envoys",
    "idempotency_keys",
    "jwks_cache",
    "login_failures",
    "login_sources",
    "mail_outbox",
    "operator_tokens",
    "platform_plans",
    "recovery_codes",
    "refresh_tokens",
    "sessions",
    "signups",
    "totp_factors",
    "usage_reporters",
];

/// Unique keys of tenants' tables that do not begin with the tenant: the registry. See
/// `migrations/README.md`.
const REGISTRY_KEYS: [&str; 7] = [
    "api_keys_digest_key",
    "change_log_pkey",
    "hostnames_name_key",
    "sites_slug_key",
    "tenant_listeners_port_key",
    "tenants_pkey",
    "tenants_slug_key",
];

/// The column of each tenants' table that holds the tenant.
pub(crate) async fn tenant_tables(database: &Database) -> Vec<(String, &'static str)> {
    let rows = sqlx::query(
        "SELECT relname::text AS name FROM pg_class
         WHERE relnamespace = 'public'::regnamespace \
         AND relkind IN ('r', 'p', 'm', 'f') AND relname <> ALL ($1) ORDER BY 1",
    )
    .bind(&PLATFORM_TABLES[..])
    .fetch_all(&database.superuser)
    .await
    .unwrap();
    let tables: Vec<String> = rows.into_iter().map(|row| row.get("name")).collect();
    assert!(tables.len() >= 12, "tables are missing: {tables:?}");
    tables
        .into_iter()
        .map(|table| if table == "tenants" { (table, "id") } else { (table, "tenant_id") })
        .collect()
}

async fn names(database: &Database, query: &'static str) -> Vec<String> {
    sqlx::query_scalar(query).fetch_all(&database.superuser).await.unwrap()
}

/// The names that a query finds; its `$1` is the tables without a tenant.
async fn names_but_of_the_platform(database: &Database, query: &'static str) -> Vec<String> {
    sqlx::query_scalar(query)
        .bind(&PLATFORM_TABLES[..])
        .fetch_all(&database.superuser)
        .await
        .unwrap()
}

#[tokio::test]
async fn row_security_is_enabled_and_forced_on_every_table_of_tenants() {
    with_database(async |database| {
        for (table, column) in tenant_tables(database).await {
            let row = sqlx::query(
                "SELECT relrowsecurity AND relforcerowsecurity AS forced,
                        EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = $2 \
                        AND attnotnull) AS owned
                 FROM pg_class c WHERE oid = $1::regclass",
            )
            .bind(&table)
            .bind(column)
            .fetch_one(&database.superuser)
            .await
            .unwrap();
            assert!(
                row.get::<bool, _>("owned"),
                "{table} needs a column {column} that is NOT NULL, or a place in PLATFORM_TABLES"
            );
            assert!(
                row.get::<bool, _>("forced"),
                "{table} needs ENABLE and FORCE ROW LEVEL SECURITY"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn every_unique_key_begins_with_the_tenant() {
    with_database(async |database| {
        let keys = names_but_of_the_platform(
            database,
            "SELECT i.indexrelid::regclass::text
             FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
             LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[0]
             WHERE t.relnamespace = 'public'::regnamespace AND i.indisunique \
             AND a.attname IS DISTINCT FROM 'tenant_id'
               AND t.relname <> ALL ($1)
             ORDER BY 1",
        )
        .await;
        assert_eq!(
            keys, REGISTRY_KEYS,
            "begin the key with tenant_id, or say in migrations/README.md why it is of the registry"
        );
    })
    .await;
}

#[tokio::test]
async fn every_reference_between_tenants_tables_carries_the_tenant() {
    with_database(async |database| {
        let loose = names_but_of_the_platform(
            database,
            "SELECT c.conrelid::regclass || '.' || c.conname
             FROM pg_constraint c
             JOIN pg_attribute from_column ON from_column.attrelid = c.conrelid AND \
             from_column.attnum = c.conkey[1]
             JOIN pg_attribute to_column ON to_column.attrelid = c.confrelid \
             AND to_column.attnum = c.confkey[1]
             WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace AND \
             c.confrelid::regclass::text <> ALL ($1)
               AND (from_column.attname <> 'tenant_id'
                    OR to_column.attname <> CASE c.confrelid WHEN 'tenants'::regclass THEN 'id' \
                    ELSE 'tenant_id' END)",
        )
        .await;
        assert_eq!(loose, Vec::<String>::new(), "begin these references with tenant_id");
        let across_sites = names_but_of_the_platform(
            database,
            "SELECT c.conrelid::regclass || '.' || c.conname
             FROM pg_constraint c
             WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace AND \
             c.confrelid::regclass::text <> ALL ($1)
               AND c.confrelid NOT IN ('tenants'::regclass, 'sites'::regclass)
               AND NOT EXISTS (SELECT FROM pg_attribute a
                               WHERE a.attrelid = c.conrelid \
                               AND a.attnum = c.conkey[2] AND a.attname = 'site_id')",
        )
        .await;
        assert_eq!(
            across_sites,
            Vec::<String>::new(),
            "make these references of (tenant_id, site_id, ..)"
        );
    })
    .await;
}

#[tokio::test]
async fn policies_check_what_is_written() {
    with_database(async |database| {
        let unchecked = names(
            database,
            "SELECT polrelid::regclass || '.' || polname FROM pg_policy
             WHERE (polcmd IN ('*', 'a', 'w') AND polwithcheck IS NULL) OR NOT polpermissive \
             OR 0 = ANY (polroles)",
        )
        .await;
        assert_eq!(unchecked, Vec::<String>::new(), "give these policies WITH CHECK and a role");
    })
    .await;
}

#[tokio::test]
async fn nothing_goes_round_row_security() {
    with_database(async |database| {
        let around = names(
            database,
            "SELECT proname::text FROM pg_proc \
            WHERE pronamespace = 'public'::regnamespace AND prosecdef
             UNION ALL
             SELECT relname::text FROM pg_class
             WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'
               AND NOT coalesce('security_invoker=true' = ANY (reloptions), false)",
        )
        .await;
        assert_eq!(
            around,
            Vec::<String>::new(),
            "no SECURITY DEFINER functions; views are security_invoker"
        );
    })
    .await;
}
