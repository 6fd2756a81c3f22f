//! Measures how long a revoked key still works: from the commit of its revocation, as PostgreSQL
//! dates it, to the first refusal.
//!
//! Each Envoy is asked over and over with the key on a connection of its own, while the key is
//! revoked through the admin API. All clocks are this machine's one clock. The figure includes the
//! time of the one request that is refused.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use reqwest::{Client, StatusCode};
use serde::Serialize;
use serde_json::json;
use sqlx::postgres::PgConnection;
use sqlx::types::Uuid;
use stack::Stack;
use stack::build::Artifacts;
use stack::echo::Echo;
use stack::provision::{Published, SiteSpec};

use super::figures::{Percentiles, write_json};

/// After this a revocation counts as lost, and the bench fails.
const LOST: Duration = Duration::from_secs(10);

#[derive(Debug, Serialize)]
struct Figures {
    what: &'static str,
    envoys: usize,
    /// Of each Envoy for itself.
    by_envoy: Vec<Percentiles>,
    /// Until the last of them refused.
    everywhere: Percentiles,
}

pub(crate) async fn run(artifacts: &Artifacts, count: usize) -> Result<()> {
    let stack = Stack::builder("bench-revocation")
        .artifacts(artifacts)
        .envoys(2)
        .own_postgres()
        .start()
        .await?;
    let upstream = Echo::start("shop", stack::ports::loopback(0))?;
    let shop = stack.publish(&SiteSpec::shop("Bench", "bench", upstream.addr)).await?;
    let mut database = stack.superuser().await?;
    let gateways: Vec<SocketAddr> =
        stack.envoys.iter().map(|envoy| envoy.settings.gateway).collect();
    let mut latencies_ms: Vec<Vec<f64>> = Vec::with_capacity(count);
    for number in 1..=count {
        latencies_ms.push(revoke_one(&stack, &shop, &gateways, &mut database).await?);
        if number % 50 == 0 {
            eprintln!("{number} of {count} keys revoked");
        }
    }
    let of_envoy = |index: usize| {
        latencies_ms.iter().filter_map(|latencies| latencies.get(index).copied()).collect()
    };
    let by_envoy =
        (0..gateways.len()).filter_map(|index| Percentiles::of(of_envoy(index))).collect();
    let last = latencies_ms
        .iter()
        .filter_map(|latencies| latencies.iter().copied().reduce(f64::max))
        .collect();
    let everywhere = Percentiles::of(last).context("no key was revoked")?;
    let figures = Figures {
        what: "commit of a revocation to refusal",
        envoys: gateways.len(),
        by_envoy,
        everywhere,
    };
    print(&figures);
    stack.finish().await?;
    write_json("revocation", &figures)
}

/// Makes a key, sees it work on every Envoy, revokes it; the milliseconds from the commit to the
/// refusal on each Envoy.
async fn revoke_one(
    stack: &Stack,
    shop: &Published,
    gateways: &[SocketAddr],
    database: &mut PgConnection,
) -> Result<Vec<f64>> {
    let created = stack.api.post(&shop.keys_url(), json!({})).await?;
    let (id, key) =
        (created["id"].as_str().unwrap_or_default(), created["key"].as_str().unwrap_or_default());
    let clients: Vec<Client> =
        gateways.iter().map(|_| Client::builder().no_proxy().build()).collect::<Result<_, _>>()?;
    for (client, gateway) in clients.iter().zip(gateways) {
        until(client, *gateway, shop, key, StatusCode::OK).await?;
    }
    let watches: Vec<_> = clients
        .into_iter()
        .zip(gateways.iter().copied())
        .map(|(client, gateway)| {
            let (shop, key) = (shop.clone(), key.to_owned());
            tokio::spawn(async move {
                until(&client, gateway, &shop, &key, StatusCode::FORBIDDEN).await
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(5)).await;
    stack.api.delete(&format!("{}/{id}", shop.keys_url())).await?;
    let mut refused = Vec::with_capacity(watches.len());
    for watch in watches {
        refused.push(watch.await??);
    }
    let committed = committed_at(database, id.parse()?).await?;
    Ok(refused.into_iter().map(|at| milliseconds(at) - committed).collect())
}

/// Asks without a pause until this is the status; answers when that was.
async fn until(
    client: &Client,
    gateway: SocketAddr,
    shop: &Published,
    key: &str,
    wanted: StatusCode,
) -> Result<SystemTime> {
    let started = SystemTime::now();
    loop {
        let request =
            client.get(format!("http://{gateway}{}", shop.path)).header("host", &shop.hostname);
        let response = request.header("x-api-key", key).send().await?;
        let (status, at) = (response.status(), SystemTime::now());
        if status == wanted {
            return Ok(at);
        }
        // Read to its end, so that the connection is used again.
        response.bytes().await?;
        ensure!(
            started.elapsed().unwrap_or_default() < LOST,
            "{gateway} still answers {status} after {LOST:?}"
        );
    }
}

/// Milliseconds since the Unix epoch at which the last change of a key was committed
/// (`track_commit_timestamp`).
async fn committed_at(database: &mut PgConnection, key: Uuid) -> Result<f64> {
    let sql = "SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 * 1000 FROM \
     api_keys WHERE id = $1";
    Ok(sqlx::query_scalar(sql).bind(key).fetch_one(database).await?)
}

fn milliseconds(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1000.0
}

fn print(figures: &Figures) {
    println!(
        "{:<34} {:>6} {:>9} {:>9} {:>9} {:>9}",
        figures.what, "count", "min ms", "p50 ms", "p99 ms", "max ms"
    );
    let row = |name: &str, of: &Percentiles| {
        let Percentiles { count, min_ms, p50_ms, p99_ms, max_ms } = of;
        println!("{name:<34} {count:>6} {min_ms:>9.2} {p50_ms:>9.2} {p99_ms:>9.2} {max_ms:>9.2}");
    };
    for (index, of) in figures.by_envoy.iter().enumerate() {
        row(&format!("  Envoy {}", index + 1), of);
    }
    row("  all Envoys", &figures.everywhere);
}
