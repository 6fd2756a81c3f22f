//! A hash of a tenant's rows.

use crate::harness::Api;

/// Hashes all rows of a tenant. The last use of a service token is not a part of the tenant's
/// state.
pub(crate) async fn state(api: &Api, tenant: &str) -> String {
    let tables: Vec<(String, String)> = sqlx::query_as(
        "SELECT c.relname::text, a.attname::text FROM pg_class c \
        JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
           AND (a.attname = 'tenant_id' OR (c.relname = 'tenants' AND a.attname = 'id'))
         ORDER BY 1",
    )
    .fetch_all(&api.superuser)
    .await
    .unwrap();
    assert!(tables.len() > 20, "{tables:?}");
    let rows: Vec<String> = tables
        .iter()
        .map(|(table, column)| {
            format!(
                "SELECT '{table}' || (to_jsonb(t) - 'last_used_at')::text AS row \
                FROM {table} t WHERE {column} = '{tenant}'"
            )
        })
        .collect();
    let query = format!(
        "SELECT md5(string_agg(row, '' ORDER BY row)) FROM ({}) AS rows",
        rows.join(" UNION ALL ")
    );
    sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(&api.superuser).await.unwrap()
}
