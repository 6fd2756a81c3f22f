//! A tenant whose configuration is as bad as it can be, beside one that must not notice.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use stack::admin_api::AdminApi;
use stack::{Stack, service::Ready};
use tenantry_tests::load::Load;
use tenantry_tests::tenant::{Key, Site, Tenant};
use tenantry_tests::{THING, Things, eventually, finish, settled};

/// The number of mutations that are tried.
const MUTATIONS: usize = 500;

/// Replacements for each value of a good configuration, whatever its type: values that Envoy is
/// known to refuse, values on which parsers stumble, and the edges of numbers.
fn hostile() -> Vec<Value> {
    let texts = [
        "",
        " ",
        "host",
        "Host",
        ":path",
        ":authority",
        "x y",
        "x\ny",
        "x\ry",
        "x_y",
        "\u{7f}",
        "é",
        "%REQ(host)%",
        "%",
        "[::1]",
        "169.254.169.254",
        "0x7f.1",
        "127.1",
        "256.1.1.1",
        "a..b",
        "*",
        "/",
        "//",
        "/../x",
        "/{",
        "/{*a}/{*b}",
        "x-tenantry-site",
        "transfer-encoding",
        "content-length",
        "connection",
    ];
    let long =
        ["a".repeat(70_000), "/a".repeat(24), "/a".repeat(25), "/a".repeat(128), "a.".repeat(126)];
    let texts = texts.iter().map(|text| json!(text)).chain(long.iter().map(|text| json!(text)));
    let others = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1),
        json!(65_536),
        json!(i64::MAX),
        json!(1.5),
        json!([]),
        json!({}),
        json!([[]]),
        json!({ "unknown": 1 }),
    ];
    texts.chain(others).collect()
}

/// An object that is mutated: its path in the admin API, and a good body.
struct Target {
    path: String,
    good: Value,
    /// Puts a body straight into the database.
    statements: &'static [&'static str],
}

/// Everything that tenants can set about a site that concerns Envoy, and the settings that only the
/// filter reads.
fn targets(
    site: &Site,
    version: &str,
    api: &str,
    upstream: &str,
    route: &str,
    port: u16,
) -> Vec<Target> {
    let limits = json!([{ "name": "burst", "requests": 1000, "per": "second", "burst": 2000,
        "by": ["client_ip"] }]);
    vec![
        Target {
            path: site.path.clone(),
            good: json!({ "settings": {
                "key_sources": [{ "in": "bearer" }, { "in": "header", "name": "x-api-key" },
                    { "in": "query", "name": "key" }],
                "auth": { "any_of": ["key"] }, "challenges": false,
                "ip": { "allow": [], "deny": ["192.0.2.0/24"] },
                "limits": limits, "rate_limit_headers": "all",
            }}),
            statements: &["UPDATE sites SET settings = $2->'settings' WHERE id = $1"],
        },
        Target {
            path: format!("{}/upstreams/{upstream}", site.path),
            good: json!({ "endpoints": [{ "address": "127.0.0.1", "port": port, "weight": 1 }],
                "connect_timeout_ms": 1000, "request_timeout_ms": 5000, "protocol": "http1" }),
            statements: &[
                "UPDATE upstreams SET connect_timeout_ms = ($2->>'connect_timeout_ms')::int,
                     request_timeout_ms = ($2->>'request_timeout_ms')::int, protocol = \
                     $2->>'protocol' WHERE id = $1",
                "UPDATE upstream_endpoints \
                SET address = $2#>>'{endpoints,0,address}', port = ($2#>>'{endpoints,0,port}')::int,
                     weight = ($2#>>'{endpoints,0,weight}')::int WHERE upstream_id = $1",
            ],
        },
        Target {
            path: api.to_owned(),
            good: json!({ "name": "things", "base_path": "/things", "settings": { "scopes": [] } }),
            statements: &[
                "UPDATE apis SET base_path = $2->>'base_path', settings = $2->'settings', \
                strip_base_path = true WHERE id = $1",
            ],
        },
        Target {
            path: format!("{version}/routes/{route}"),
            good: json!({ "path": "/{id}", "methods": ["GET"], "settings": { "limits": limits } }),
            statements: &[
                "UPDATE routes SET path = $2->>'path', settings = $2->'settings' WHERE id = $1",
            ],
        },
    ]
}

/// The places of all values in a body.
fn places(value: &Value, place: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, field)| places(field, format!("{place}/{name}"), found))
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(at, item)| places(item, format!("{place}/{at}"), found)),
        _ => {}
    }
    if !place.is_empty() {
        found.push(place);
    }
}

/// All mutations of all targets, each with its target, spread evenly down to as many as are tried.
fn mutations(targets: &[Target]) -> Vec<(usize, Value)> {
    let mut all = Vec::new();
    for (index, target) in targets.iter().enumerate() {
        let mut found = Vec::new();
        places(&target.good, String::new(), &mut found);
        for place in found {
            for value in hostile() {
                let mut body = target.good.clone();
                *body.pointer_mut(&place).expect("a place in it") = value;
                all.push((index, body));
            }
        }
    }
    assert!(all.len() > MUTATIONS, "only {}", all.len());
    let step = all.len() as f64 / MUTATIONS as f64;
    (0..MUTATIONS).map(|number| all[(number as f64 * step) as usize].clone()).collect()
}

/// The outcomes of the mutations.
#[derive(Debug, Default)]
struct Tally {
    taken: usize,
    refused: usize,
    refused_by_database: usize,
    written: usize,
    quarantined: usize,
}

#[tokio::test]
async fn five_hundred_bad_configurations_of_one_tenant_change_nothing_for_another() {
    let envoy = std::env::var("ENVOY_BIN").expect("cargo xtask test says where Envoy is");
    let builder = Stack::builder("poison").envoys(2).xds_env("TENANTRY_VALIDATE_ENVOY", &envoy);
    let mut things = Things::start(builder).await;
    let (bad, key, targets) = bad_neighbour(&things).await;
    things.stack.envoys[1].service.stop().await.expect("a stop");

    let load =
        Load::start(things.gateways[0].address(), &things.site.hostname, THING, &things.key.text);
    load.warm_up().await;
    let before = resources(&things.stack, &things.site.id).await;
    assert!(before.len() >= 2, "{before:?}");
    let mut database = things.stack.superuser().await.expect("a session");
    let mut tally = Tally::default();
    for target in &targets {
        assert!(is_taken(&things.stack.api, target, &target.good).await, "{}", target.good);
    }
    for (number, (index, body)) in mutations(&targets).into_iter().enumerate() {
        let target = &targets[index];
        if is_taken(&things.stack.api, target, &body).await {
            tally.taken += 1;
            applied(&things.stack, &mut database).await;
            assert_eq!(
                quarantined(&things.stack).await,
                0,
                "the admin API took what translation refuses: {body}"
            );
            assert!(is_taken(&things.stack.api, target, &target.good).await, "the good one");
            continue;
        }
        tally.refused += 1;
        if write(&mut database, &bad, target, &body).await.is_err() {
            tally.refused_by_database += 1;
            continue;
        }
        tally.written += 1;
        applied(&things.stack, &mut database).await;
        if quarantined(&things.stack).await > 0 {
            tally.quarantined += 1;
            owner_is_told(&things.stack.api, &bad).await;
        }
        if number > MUTATIONS / 2 && !things.stack.envoys[1].service.is_running() {
            // This Envoy starts in the middle of it, with the bad site in the database.
            things.stack.envoys[1].service.start().await.expect("a start");
            settled(&things.gateways[1..], &things.site.hostname, THING, &things.key.text, 200)
                .await;
            // It loads the bad site too, whatever the answer is.
            things.gateways[1].get(&bad.hostname, THING, &key.text).await;
        }
        write(&mut database, &bad, target, &target.good).await.expect("the good one");
    }
    assert!(
        tally.taken > 20 && tally.refused > 300 && tally.written > 200 && tally.quarantined > 100,
        "{tally:?}"
    );
    applied(&things.stack, &mut database).await;
    assert_eq!(
        resources(&things.stack, &things.site.id).await,
        before,
        "the neighbour's configuration"
    );
    load.stop_without_a_loss().await;
    settled(&things.gateways, &things.site.hostname, THING, &things.key.text, 200).await;
    settled(&things.gateways, &bad.hostname, THING, &key.text, 200).await;
    nothing_was_refused_by_the_validation(&things.stack).await;
    println!("{tally:?}");
    finish(things.stack).await;
}

/// Makes the tenant whose configuration gets bad; its good neighbour is the tenant of `things`.
async fn bad_neighbour(things: &Things) -> (Site, Key, Vec<Target>) {
    let bad = Tenant::create(&things.stack.api, "Globex").await.site("globex").await;
    let upstream = bad.upstream("things", things.upstream.addr).await;
    let version = bad.version("/things", &upstream).await;
    let route = version.route(&["GET"], "/{id}").await;
    let key = bad.key("app").await;
    settled(&things.gateways, &bad.hostname, THING, &key.text, 200).await;
    let port = things.upstream.addr.port();
    let targets = targets(&bad, &version.path, &version.api_path, &upstream, &route, port);
    (bad, key, targets)
}

/// Asserts that everything that translation let through was good for the Envoy that only validates.
async fn nothing_was_refused_by_the_validation(stack: &Stack) {
    let looked = || async { metrics(stack).await };
    let text = eventually("all was looked at", looked, |text| {
        text.contains("\ntenantry_xds_validations_waiting 0\n")
    })
    .await;
    assert!(
        text.contains(r#"tenantry_xds_validations_total{outcome="taken"}"#),
        "nothing was looked at"
    );
    for outcome in ["refused", "failed", "timeout"] {
        assert!(
            !text.contains(&format!(r#"tenantry_xds_validations_total{{outcome="{outcome}"}}"#)),
            "{outcome}"
        );
    }
}

/// True if the admin API takes a body. A refusal gives its reason.
async fn is_taken(api: &AdminApi, target: &Target, body: &Value) -> bool {
    let answer =
        api.request(Method::PATCH, &target.path).json(body).send().await.expect("an answer");
    let status = answer.status();
    let text = answer.text().await.expect("a text");
    if status.is_success() {
        return true;
    }
    assert!(status.is_client_error(), "{status} for {body}: {text}");
    let problem: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert!(problem["detail"].is_string() || problem["errors"].is_array(), "no reason: {problem}");
    false
}

/// The status of the site says what is wrong with it.
async fn owner_is_told(api: &AdminApi, site: &Site) {
    let path = format!("{}/status", site.path);
    let status = || async { api.get(&path).await.expect("a status") };
    let refused =
        eventually("the owner is told", status, |status| status["state"] == "refused").await;
    let reason = refused["refusal"]["reason"].as_str().unwrap_or_default();
    assert!(!reason.is_empty(), "{refused}");
}

/// Writes a body around the admin API, and notifies xds-server. A body that the database refuses is
/// not written.
async fn write(
    database: &mut PgConnection,
    site: &Site,
    target: &Target,
    body: &Value,
) -> Result<(), sqlx::Error> {
    use sqlx::Connection as _;
    let id = target.path.rsplit('/').next().unwrap_or_default();
    let mut transaction = database.begin().await?;
    for statement in target.statements {
        sqlx::query(*statement).bind(uuid(id)).bind(body).execute(&mut *transaction).await?;
    }
    sqlx::query("INSERT INTO change_log (tenant_id, kind, site_id) VALUES ($1, 'site', $2)")
        .bind(uuid(&site.tenant_id))
        .bind(uuid(&site.id))
        .execute(&mut *transaction)
        .await?;
    sqlx::query("SELECT pg_notify('tenantry_changes', '')").execute(&mut *transaction).await?;
    transaction.commit().await
}

fn uuid(text: &str) -> policy::id::Uuid {
    text.parse().expect("a UUID")
}

/// Waits until xds-server has looked at everything in the log.
async fn applied(stack: &Stack, database: &mut PgConnection) {
    let head: i64 = sqlx::query_scalar("SELECT max(seq) FROM change_log")
        .fetch_one(database)
        .await
        .expect("a number");
    let last = || gauge(stack, "tenantry_xds_last_seq");
    eventually("xds-server has applied it", last, |last| *last >= head).await;
}

/// The number of sites that are served something else than the database says.
async fn quarantined(stack: &Stack) -> usize {
    gauge(stack, "tenantry_xds_quarantined_sites").await as usize
}

async fn gauge(stack: &Stack, name: &str) -> i64 {
    let text = metrics(stack).await;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|line| line.trim().parse::<f64>().ok()).unwrap_or_default() as i64
}

async fn metrics(stack: &Stack) -> String {
    let Ready::Http(ready) = &stack.xds.ready else { panic!("xds-server has an HTTP listener") };
    let url = ready.replace("/readyz", "/metrics");
    reqwest::get(url).await.expect("an answer").text().await.expect("a text")
}

/// The resources of a site on the first Envoy: name, version and time of each.
async fn resources(stack: &Stack, site: &str) -> BTreeSet<String> {
    let dump = stack.envoys[0].config_dump().await.expect("a config dump");
    let mut found = BTreeSet::new();
    for config in dump["configs"].as_array().into_iter().flatten() {
        for (list, inner) in
            [("dynamic_active_clusters", "cluster"), ("dynamic_route_configs", "route_config")]
        {
            for entry in config[list].as_array().into_iter().flatten() {
                let name = entry[inner]["name"].as_str().unwrap_or_default();
                if name.contains(site) {
                    found.insert(format!(
                        "{name} {} {}",
                        entry["version_info"], entry["last_updated"]
                    ));
                }
            }
        }
    }
    found
}
