//! The rights of the roles, column by column: a list that is compared, so that a person sees every
//! new grant as a difference.

use std::path::Path;

use crate::fixture::with_database;

/// For each table and role: the verbs on all columns, or the verbs on some columns with their
/// names.
const GRANTS: &str = "
    WITH held AS (
        SELECT role, c.relname::text AS name, verb, count(*) AS columns,
               count(*) FILTER (WHERE has_column_privilege(role, c.oid, a.attnum, verb)) AS granted,
               string_agg(a.attname, ' ' ORDER BY a.attname) \
               FILTER (WHERE has_column_privilege(role, c.oid, a.attnum, verb)) AS names
        FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped,
             unnest(ARRAY['tenantry_admin', 'tenantry_xds']) role, unnest(ARRAY['SELECT', \
             'INSERT', 'UPDATE']) verb
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        GROUP BY role, c.oid, c.relname, verb
        UNION ALL
        SELECT role, relname::text, verb, 1, has_table_privilege(role, oid, verb)::int, NULL
        FROM pg_class, unnest(ARRAY['tenantry_admin', 'tenantry_xds']) role, \
        unnest(ARRAY['DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) verb
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')
    )
    SELECT role || ' ' || name || ' ' || verb || CASE WHEN granted < columns \
    THEN ' (' || names || ')' ELSE '' END
    FROM held WHERE granted > 0 ORDER BY role, name, verb";

#[tokio::test]
async fn the_roles_have_the_grants_of_the_list_and_no_others() {
    with_database(async |database| {
        let grants: Vec<String> =
            sqlx::query_scalar(GRANTS).fetch_all(&database.superuser).await.unwrap();
        let granted = grants.join("\n") + "\n";
        let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/database/grants.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&list, &granted).unwrap();
        }
        let expected = std::fs::read_to_string(&list).unwrap_or_default();
        let more: Vec<&str> =
            granted.lines().filter(|line| !expected.lines().any(|known| known == *line)).collect();
        let less: Vec<&str> =
            expected.lines().filter(|line| !granted.lines().any(|known| known == *line)).collect();
        assert!(
            more.is_empty() && less.is_empty(),
            "granted and not in grants.txt: {more:#?}\nin grants.txt and not granted: {less:#?}\n\
             if that is meant, run `cargo xtask golden`, and review the change of grants.txt"
        );
    })
    .await;
}
