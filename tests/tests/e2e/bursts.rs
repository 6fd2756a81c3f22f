//! Many changes at once: those of one object are few pushes, and those of one tenant delay no other
//! tenant.

use sqlx::{AssertSqlSafe, PgConnection};
use stack::Stack;
use tenantry_tests::{THING, Things, eventually, finish, settled, tenant::Tenant};

/// The number of edits, and the time between two of them: a hundred in a second.
const EDITS: i64 = 100;
const PAUSE_S: f64 = 0.009;
/// Edits that are further apart than this, in seconds, need not be one push.
const GAP_S: f64 = 0.02;
/// The number of attempts that a slow machine may need.
const ATTEMPTS: i64 = 5;

/// Changes of one tenant that take many steps to be applied.
const FLOOD: i32 = 30_000;

async fn metric(things: &Things, name: &str) -> i64 {
    let url = format!("http://{}/metrics", things.stack.xds_http);
    let text = reqwest::get(url).await.expect("an answer").text().await.expect("its text");
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|value| value.trim().parse().ok())
        .unwrap_or_else(|| panic!("no {name} in {text}"))
}

async fn head(session: &mut PgConnection) -> i64 {
    sqlx::query_scalar("SELECT max(seq) FROM change_log")
        .fetch_one(session)
        .await
        .expect("the head of the log")
}

/// Waits until all changes so far were applied.
async fn applied(things: &Things, session: &mut PgConnection) {
    let head = head(session).await;
    eventually("the changes", || metric(things, "tenantry_xds_last_seq "), |seq| *seq >= head)
        .await;
}

/// Makes the edits, and returns how often the database took so long that the next edit began a
/// burst of its own. Each edit is a transaction of its own, with its row in the log and its
/// notification, as the admin service writes it.
async fn edit(things: &Things, session: &mut PgConnection, first_timeout_ms: i64) -> i64 {
    let head = head(session).await;
    let edits = format!(
        "DO $$ BEGIN FOR edit IN 0..{EDITS} - 1 LOOP
             UPDATE upstreams SET connect_timeout_ms = {first_timeout_ms} + edit;
             INSERT INTO change_log (tenant_id, kind, site_id) VALUES ('{}', 'site', '{}');
             PERFORM pg_notify('tenantry_changes', '');
             COMMIT;
             PERFORM pg_sleep({PAUSE_S});
         END LOOP; END $$",
        things.tenant.id, things.site.id
    );
    sqlx::raw_sql(AssertSqlSafe(edits)).execute(&mut *session).await.expect("the edits");
    let slow = format!(
        "SELECT count(*) FROM (SELECT at - lag(at) OVER (ORDER BY seq) AS gap FROM change_log \
        WHERE seq > {head}) AS gaps
         WHERE gap > make_interval(secs => {GAP_S})"
    );
    sqlx::query_scalar(AssertSqlSafe(slow)).fetch_one(session).await.expect("the gaps")
}

#[tokio::test]
async fn a_hundred_edits_of_a_site_in_a_second_are_a_few_pushes() {
    let things = Things::start(Stack::builder("burst")).await;
    let mut session = things.stack.superuser().await.expect("a session");
    let pushes = || metric(&things, "tenantry_xds_pushes_total{type=\"cds\"}");
    for attempt in 1..=ATTEMPTS {
        applied(&things, &mut session).await;
        let (before, first_timeout_ms) = (pushes().await, 10_000 + EDITS * attempt);
        let slow = edit(&things, &mut session, first_timeout_ms).await;
        applied(&things, &mut session).await;
        let last = (first_timeout_ms + EDITS - 1) as f64 / 1000.0;
        let dump =
            || async { things.stack.envoys[0].config_dump().await.expect("a dump").to_string() };
        eventually("the last edit", dump, |dump| {
            dump.contains(&format!("\"connect_timeout\":\"{last:.3}s\""))
        })
        .await;
        let pushed = pushes().await - before;
        println!("bursts: {EDITS} edits with {slow} slow ones were {pushed} pushes");
        // Each slow edit is a push, and after it the pushes come as fast as at the beginning, for
        // three more.
        let few = 1..=EDITS / 4 + 4 * slow;
        if few.contains(&pushed) {
            break;
        }
        // The server may have heard of them late, which nothing here shows.
        assert!(attempt < ATTEMPTS, "{EDITS} edits with {slow} slow ones were {pushed} pushes");
    }
    finish(things.stack).await;
}

/// One tenant changes a lot at once. A change of another tenant after that is known everywhere
/// before the first tenant's changes are all applied.
#[tokio::test]
async fn a_tenant_that_changes_a_lot_delays_nobody() {
    let things = Things::start(Stack::builder("flood")).await;
    let other = Tenant::create(&things.stack.api, "Globex").await.site("globex").await;
    let version = other.serve_things(things.upstream.addr).await;
    let (key, revoked) = (other.key("app").await, other.key("revoked").await);
    settled(&things.gateways, &other.hostname, THING, &revoked.text, 200).await;
    let mut session = things.stack.superuser().await.expect("a session");
    applied(&things, &mut session).await;
    let flood = format!(
        "INSERT INTO change_log (tenant_id, kind, site_id)
         SELECT '{}', 'site', gen_random_uuid() FROM generate_series(1, {FLOOD});
         SELECT pg_notify('tenantry_changes', '')",
        things.tenant.id
    );
    sqlx::raw_sql(AssertSqlSafe(flood))
        .execute(&mut session)
        .await
        .expect("the changes of one tenant");
    let last_of_flood = head(&mut session).await;
    things.stack.api.delete(&revoked.path).await.expect("a revocation");
    settled(&things.gateways, &other.hostname, THING, &revoked.text, 403).await;
    version.route(&["GET"], "/{id}/more").await;
    settled(&things.gateways, &other.hostname, "/things/v1/1/more", &key.text, 200).await;
    let reached = metric(&things, "tenantry_xds_last_seq ").await;
    assert!(
        reached < last_of_flood,
        "all of the flood was applied before: it was no flood, or not a fair one"
    );
    println!("bursts: {} changes of another tenant waited meanwhile", last_of_flood - reached);
    applied(&things, &mut session).await;
    assert_eq!(metric(&things, "tenantry_xds_waiting_changes ").await, 0);
    finish(things.stack).await;
}
