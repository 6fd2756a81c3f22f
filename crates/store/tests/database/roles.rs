//! The roles themselves.

use sqlx::AssertSqlSafe;
use store::{Reader, Store, StoreError};

use crate::fixture::with_database;

#[tokio::test]
async fn the_group_roles_own_nothing_and_bypass_nothing() {
    with_database(async |database| {
        let powers = database
            .count(
                "SELECT count(*) FROM pg_roles WHERE rolname IN ('tenantry_admin', 'tenantry_xds')
                 AND (rolsuper OR rolbypassrls OR rolcanlogin OR rolcreaterole \
                 OR rolcreatedb OR rolreplication)",
            )
            .await;
        assert_eq!(powers, 0);
        let owned = database
            .count(
                "SELECT count(*) FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid
                 WHERE d.deptype = 'o' AND d.refclassid = 'pg_authid'::regclass
                   AND (r.rolname IN ('tenantry_admin', 'tenantry_xds')
                        OR r.rolname IN (current_database() || '_admin_login', \
                        current_database() || '_xds_login'))",
            )
            .await;
        assert_eq!(owned, 0);
        let creating = database
            .count(
                "SELECT count(*) FROM unnest(ARRAY['tenantry_admin', 'tenantry_xds']) role \
                WHERE has_schema_privilege(role, 'public', 'CREATE')",
            )
            .await;
        assert_eq!(creating, 0);
    })
    .await;
}

#[tokio::test]
async fn a_role_that_bypasses_row_security_is_refused() {
    with_database(async |database| {
        let role: String = database
            .admin_url
            .split(['/', ':', '@'])
            .find(|part| part.ends_with("_admin_login"))
            .unwrap()
            .to_owned();
        sqlx::query(AssertSqlSafe(format!("ALTER ROLE {role} BYPASSRLS")))
            .execute(&database.superuser)
            .await
            .unwrap();
        let store = Store::connect(&database.admin_url, 1).await;
        assert!(matches!(store, Err(StoreError::UnsafeRole { .. })), "{store:?}");
        let reader = Reader::connect(&database.admin_url, 1).await;
        assert!(matches!(reader, Err(StoreError::UnsafeRole { .. })), "{reader:?}");
    })
    .await;
}
