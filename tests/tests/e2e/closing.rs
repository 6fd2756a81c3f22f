//! A tenant that closes: it is served until its day, kept if it changes its mind, and then erased
//! with everything that it had.

use reqwest::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use stack::Stack;
use tenantry_tests::{THING, Things, echo, finish, settled, tenant::Tenant};

/// The tables with a tenant, and the column that holds it.
async fn tables(database: &mut PgConnection) -> Vec<(String, String)> {
    sqlx::query_as(
        "SELECT c.relname::text, a.attname::text FROM pg_class c \
        JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
           AND (a.attname = 'tenant_id' OR (c.relname = 'tenants' AND a.attname = 'id'))
         ORDER BY 1",
    )
    .fetch_all(database)
    .await
    .expect("the catalog")
}

/// The tables that have rows of a tenant.
async fn left(database: &mut PgConnection, tenant: &str) -> Vec<String> {
    let mut left = Vec::new();
    for (table, column) in tables(database).await {
        let query = format!("SELECT count(*) FROM {table} WHERE {column} = '{tenant}'");
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(query))
            .fetch_one(&mut *database)
            .await
            .expect("a count");
        if rows > 0 {
            left.push(table);
        }
    }
    left
}

#[tokio::test]
async fn a_tenant_that_closes_is_served_until_its_day_and_then_gone_with_all_that_it_had() {
    let mut things = Things::start(Stack::builder("closing").envoys(2)).await;
    let neighbour = Tenant::create(&things.stack.api, "Globex").await;
    let site = neighbour.site("globex").await;
    let upstream = echo("globex");
    site.serve_things(upstream.addr).await;
    let neighbours_key = site.key("app").await;
    settled(&things.gateways, &site.hostname, THING, &neighbours_key.text, 200).await;
    let tenant = format!("/v1/tenants/{}", things.tenant.id);
    let closing = format!("{tenant}/closing");

    // During its grace period it is served, and may change everything as before.
    let closed = things
        .stack
        .api
        .post(&format!("{closing}?wait=20"), json!({ "days": 1 }))
        .await
        .expect("a closing");
    assert_eq!(closed["status"], "closing");
    things.settled(THING, &things.key, 200).await;
    things.version.route(&["GET"], "/{id}/while-it-closes").await;
    things.settled("/things/v1/1/while-it-closes", &things.key, 200).await;
    things.stack.api.delete(&closing).await.expect("it is kept");
    let kept = things.stack.api.get(&tenant).await.expect("the tenant");
    assert_eq!((&kept["status"], &kept["closes_at"]), (&json!("active"), &json!(null)));
    things.settled(THING, &things.key, 200).await;

    // Its day comes.
    things.stack.api.post(&closing, json!({ "days": 1 })).await.expect("a closing");
    let mut database = things.stack.superuser().await.expect("a session");
    let come = format!(
        "UPDATE tenants SET closes_at = now() - interval '1 minute' WHERE id = '{}'",
        things.tenant.id
    );
    sqlx::query(AssertSqlSafe(come)).execute(&mut database).await.expect("its day");
    assert!(left(&mut database, &things.tenant.id).await.len() > 10);
    // The service looks for such tenants when it starts.
    things.stack.admin.stop().await.expect("a stop");
    things.stack.admin.start().await.expect("a start");
    things.settled(THING, &things.key, 404).await;
    for gateway in &things.gateways {
        let gone = gateway.get(&things.site.hostname, THING, &things.key.text).await;
        let unknown = gateway.get("nobody.gw.localhost", THING, &things.key.text).await;
        assert_eq!(gone.fingerprint(), unknown.fingerprint(), "its names are as those of nobody");
        let by_key = gateway.get("api.gw.localhost", THING, &things.key.text).await;
        assert_eq!(by_key.status, 403, "and so are its keys");
        assert_eq!(
            gateway.get(&site.hostname, THING, &neighbours_key.text).await.status,
            200,
            "the neighbour"
        );
    }
    // The audit log and the change log stay: the one keeps what was done, the other tells the
    // gateways what is gone.
    assert_eq!(left(&mut database, &things.tenant.id).await, ["audit_log", "change_log"]);
    let absent = things.stack.api.request(Method::GET, &tenant).send().await.expect("an answer");
    assert_eq!(absent.status(), 404);
    database.close().await.expect("an end of the session");
    // Its name is free again.
    let next = Tenant::create(&things.stack.api, "Acme").await;
    next.site("acme").await.serve_things(upstream.addr).await;
    finish(things.stack).await;
}
