//! Filling the database: sites, routes and keys by the million, by SQL alone.
//!
//! Every bench site is made here. A tenant has one site, a site one API with ten routes on one
//! upstream, and ten consumers with a tenth of the keys each, under a plan with a rate limit and a
//! quota that no run reaches. Keys are accepted, and tokens of one issuer.

use std::net::SocketAddr;

use anyhow::Result;
use policy::key::{ApiKey, Digest, Environment};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use stack::control::BASE_DOMAIN;

use super::tokens::{self, ISSUER, Tokens};

/// The size of a deployment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) sites: usize,
    pub(super) keys: usize,
}

/// Of a site.
pub(super) const CONSUMERS: usize = 10;
const ROUTES: [&str; 10] = [
    "/products",
    "/products/{id}",
    "/products/{id}/reviews",
    "/orders",
    "/orders/{id}",
    "/orders/{id}/items/{item}",
    "/customers/{id}",
    "/search",
    "/carts/{id}",
    "/files/{*path}",
];

/// So that every request is counted twice, and none refused.
const PLAN: &str = r#"{"limits": [{"name": "burst", "requests": 100000000, "per": "second"}],
    "quotas": [{"name": "monthly", "requests": 1000000000000, "per": "month"}]}"#;
const SETTINGS: &str = r#"{"auth": {"any_of": ["key", "jwt"]}}"#;

/// Keys of one message of COPY: some hundred kilobytes.
const KEYS_PER_MESSAGE: usize = 5_000;

/// A key in clear, and the number of its site.
#[derive(Debug)]
pub(super) struct SeededKey {
    pub(super) site: usize,
    pub(super) key: String,
}

pub(super) fn hostname(site: usize) -> String {
    format!("s{site}.{BASE_DOMAIN}")
}

/// Returns the filter's choice for a request for `/shop/v1/products/{id}`: the site, and the second
/// of its routes.
pub(super) fn chosen_route(site: usize) -> String {
    format!("{},{}", id(SITE, site), id(ROUTE, site * 100 + 2))
}

/// The site of a token's subject: subjects were dealt out to the first sites in turn.
pub(super) fn site_of_subject(number: usize, scale: Scale) -> usize {
    number % SITES_WITH_SUBJECTS.min(scale.sites)
}

const SITES_WITH_SUBJECTS: usize = 200;

/// Fills the database as its superuser; `upstream` serves every site.
pub(super) async fn seed(
    database: &mut PgConnection,
    scale: Scale,
    upstream: SocketAddr,
    tokens: &Tokens,
) -> Result<Vec<SeededKey>> {
    let mut transaction = database.begin().await?;
    transaction.execute(AssertSqlSafe(sites(scale, upstream))).await?;
    transaction.execute(AssertSqlSafe(issuers(tokens))).await?;
    let keys = copy_keys(&mut transaction, scale).await?;
    copy_subjects(&mut transaction, scale, tokens.tokens.len()).await?;
    transaction.commit().await?;
    database.execute("ANALYZE").await?;
    Ok(keys)
}

/// The statements for everything but the keys.
fn sites(scale: Scale, upstream: SocketAddr) -> String {
    let (sites, address, port) = (scale.sites, upstream.ip(), upstream.port());
    let routes = ROUTES.map(|path| format!("'{path}'")).join(", ");
    format!(
        "CREATE FUNCTION pg_temp.id(kind integer, number bigint) RETURNS uuid LANGUAGE sql
         IMMUTABLE AS
             $$ SELECT ('01900000-0000-7000-' || to_hex(32768 + kind) || '-' ||
             lpad(to_hex(number), 12, '0'))::uuid $$;
         CREATE TEMPORARY TABLE s ON COMMIT DROP AS
             SELECT n, pg_temp.id({TENANT}, n) AS tenant, pg_temp.id({SITE}, n) AS site, 's' || n
             AS slug
             FROM generate_series(0, {sites} - 1) n;
         INSERT INTO tenants (id, name, slug) SELECT tenant, slug, slug FROM s;
         INSERT INTO sites (tenant_id, id, name, slug, environment, settings)
             SELECT tenant, site, slug, slug, 'live', '{SETTINGS}' FROM s;
         INSERT INTO hostnames (tenant_id, site_id, id, name, is_site_name)
             SELECT tenant, site, pg_temp.id({HOSTNAME}, n), slug || '.{BASE_DOMAIN}', true FROM s;
         INSERT INTO upstreams (tenant_id, site_id, id, name, protocol, connect_timeout_ms,
         request_timeout_ms)
             SELECT tenant, site, pg_temp.id({UPSTREAM}, n), 'shop', 'http1', 2000, 15000 FROM s;
         INSERT INTO upstream_endpoints (tenant_id, site_id, upstream_id, position, address, port,
         weight)
             SELECT tenant, site, pg_temp.id({UPSTREAM}, n), 1, '{address}', {port}, 1 FROM s;
         INSERT INTO apis (tenant_id, site_id, id, name, base_path, strip_base_path)
             SELECT tenant, site, pg_temp.id({API}, n), 'shop', '/shop', true FROM s;
         INSERT INTO api_versions (tenant_id, site_id, api_id, id, name, upstream_id)
             SELECT tenant, site, pg_temp.id({API}, n), pg_temp.id({VERSION}, n), 'v1',
             pg_temp.id({UPSTREAM}, n) FROM s;
         INSERT INTO routes (tenant_id, site_id, version_id, id, methods, path)
             SELECT tenant, site, pg_temp.id({VERSION}, n), pg_temp.id({ROUTE}, n * 100 + place),
             255, path
             FROM s, unnest(ARRAY[{routes}]) WITH ORDINALITY AS r (path, place);
         INSERT INTO plans (tenant_id, site_id, id, number, name, settings)
             SELECT tenant, site, pg_temp.id({PLAN_ID}, n), 1, 'standard', '{PLAN}' FROM s;
         INSERT INTO consumers (tenant_id, site_id, id, name, plan_id, plan_number)
             SELECT tenant, site, pg_temp.id({CONSUMER}, n * {CONSUMERS} + c), 'consumer-' || c,
             pg_temp.id({PLAN_ID}, n), 1
             FROM s, generate_series(0, {CONSUMERS} - 1) c;"
    )
}

pub(super) const TENANT: usize = 1;
pub(super) const SITE: usize = 2;
const HOSTNAME: usize = 3;
pub(super) const UPSTREAM: usize = 4;
pub(super) const API: usize = 5;
pub(super) const VERSION: usize = 6;
const ROUTE: usize = 7;
pub(super) const CONSUMER: usize = 8;
const KEY: usize = 9;
const PLAN_ID: usize = 10;
const ISSUER_ID: usize = 11;
const SUBJECT: usize = 12;

/// Every site has the same issuer.
fn issuers(tokens: &Tokens) -> String {
    let settings = json!({
        "issuer": ISSUER, "jwks": tokens.jwks, "algorithms": ["ES256"], "audiences": ["bench"],
    });
    format!(
        "INSERT INTO issuers (tenant_id, site_id, id, settings)
             SELECT tenant, site, pg_temp.id({ISSUER_ID}, n), '{settings}' FROM s;"
    )
}

/// As `pg_temp.id` above.
pub(super) fn id(kind: usize, number: usize) -> String {
    format!("01900000-0000-7000-{:x}-{number:012x}", 32_768 + kind)
}

async fn copy_keys(database: &mut PgConnection, scale: Scale) -> Result<Vec<SeededKey>> {
    let mut random = StdRng::seed_from_u64(0x7465_6e61_6e74);
    let mut keys = Vec::with_capacity(scale.keys);
    let columns = "tenant_id, site_id, consumer_id, id, plan, digest, hint";
    let mut copy = database.copy_in_raw(&format!("COPY api_keys ({columns}) FROM STDIN")).await?;
    let mut message = String::new();
    for number in 0..scale.keys {
        let key = random_key(&mut random);
        let site = number % scale.sites;
        let consumer = site * CONSUMERS + number / scale.sites % CONSUMERS;
        let digest = hexadecimal(&key.digest());
        let ids =
            [id(TENANT, site), id(SITE, site), id(CONSUMER, consumer), id(KEY, number)].join("\t");
        // COPY's text format wants a backslash doubled.
        message.push_str(&format!("{ids}\t1\t\\\\x{digest}\t{}\n", key.hint()));
        keys.push(SeededKey { site, key: key.reveal().to_owned() });
        if keys.len() % KEYS_PER_MESSAGE == 0 {
            copy.send(message.as_bytes()).await?;
            message.clear();
        }
    }
    copy.send(message.as_bytes()).await?;
    copy.finish().await?;
    Ok(keys)
}

/// The subjects of tokens, each of which is the first consumer of its site.
async fn copy_subjects(database: &mut PgConnection, scale: Scale, count: usize) -> Result<()> {
    let columns =
        "tenant_id, site_id, consumer_id, id, plan, consumer_has_settings, issuer, value, digest";
    let mut copy =
        database.copy_in_raw(&format!("COPY consumer_subjects ({columns}) FROM STDIN")).await?;
    for number in 0..count {
        let site = site_of_subject(number, scale);
        let ids =
            [id(TENANT, site), id(SITE, site), id(CONSUMER, site * CONSUMERS), id(SUBJECT, number)];
        let value = tokens::subject(number);
        let digest = hexadecimal(&Digest::of_subject(ids[1].parse()?, ISSUER, &value));
        let line = format!("{}\t1\tf\t{ISSUER}\t{value}\t\\\\x{digest}\n", ids.join("\t"));
        copy.send(line.as_bytes()).await?;
    }
    copy.finish().await?;
    Ok(())
}

fn hexadecimal(digest: &Digest) -> String {
    digest.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn random_key(random: &mut StdRng) -> ApiKey {
    loop {
        let mut bytes = [0; 64];
        random.fill_bytes(&mut bytes);
        if let Some(key) = ApiKey::from_random(Environment::Live, &bytes) {
            return key;
        }
    }
}
