//! Checks in the database itself, as its superuser.

use std::time::Duration;

use crate::harness::Api;

/// Fails when a session of this database sleeps, which no statement of ours does.
pub(crate) async fn watch(api: &Api) -> ! {
    loop {
        let asleep = "SELECT count(*) FROM pg_stat_activity \
            WHERE datname = current_database() AND wait_event = 'PgSleep'";
        assert_eq!(
            api.count(asleep).await,
            0,
            "a payload has become SQL: a session of the database sleeps"
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// A hash of all tables, columns, functions and roles' rights of the database.
pub(crate) async fn catalog(api: &Api) -> i64 {
    api.count(
        "SELECT ('x' || left(md5(string_agg(line, ';' ORDER BY line)), 15))::bit(60)::bigint FROM (
             SELECT c.relname || '.' || a.attname || coalesce(c.relacl::text, '') AS line
             FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
             WHERE c.relnamespace = 'public'::regnamespace
             UNION ALL SELECT proname || proargtypes::text FROM pg_proc \
             WHERE pronamespace = 'public'::regnamespace) AS lines",
    )
    .await
}
