//! How long a revoked key still gets in.
//!
//! For each sample a key is made and used until both Envoys let it in. Then one client per Envoy sends a request every
//! millisecond while the key is revoked through the admin API. A sample is the time from the commit of the revocation,
//! as PostgreSQL recorded it (`pg_xact_commit_timestamp` of the change-log row), to the moment at which the client held
//! the first 403. Everything runs on one machine with one clock, so a sample includes the request itself and up to the
//! millisecond between two of them.

use std::fs;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use sqlx::postgres::PgConnection;
use stack::build::{self, Profile};
use stack::echo::Echo;
use stack::provision::{Published, SiteSpec};
use stack::{Stack, ports, workspace_root};
use tokio::task::JoinSet;

use crate::bench::figures::Figures;
use crate::{block_on, prerequisites};

const ENVOYS: usize = 2;
const BETWEEN_REQUESTS: Duration = Duration::from_millis(1);

/// A key that is let in for so long after its revocation is a failure, not a sample.
const GIVE_UP: Duration = Duration::from_secs(10);

#[derive(Debug, Serialize)]
struct Report {
    what: &'static str,
    /// Envoy by Envoy.
    envoys: Vec<Figures>,
    /// Until the last Envoy refused.
    everywhere: Figures,
}

pub(super) fn run(samples: usize) -> Result<ExitCode> {
    ensure!(samples > 0, "no samples, no figures");
    prerequisites::ensure_wasm_target_and_envoy()?;
    prerequisites::ensure_postgres()?;
    let artifacts = build::build(Profile::Release)?;
    let report = block_on(async {
        let builder = Stack::builder("bench-revocation").artifacts(artifacts).own_postgres().envoys(ENVOYS);
        let stack = builder.concurrency(1).start().await?;
        let report = measure(&stack, samples).await?;
        stack.finish().await?;
        Ok(report)
    })?;
    println!("{:<12} {:>8} {:>9} {:>9} {:>9}", "refused by", "samples", "p50 ms", "p99 ms", "max ms");
    let names = (0..ENVOYS).map(|index| format!("Envoy {index}")).chain(["both".to_owned()]);
    for (name, figures) in names.zip(report.envoys.iter().chain([&report.everywhere])) {
        let Figures { samples, p50_ms, p99_ms, max_ms } = figures;
        println!("{name:<12} {samples:>8} {p50_ms:>9.2} {p99_ms:>9.2} {max_ms:>9.2}");
    }
    let file = workspace_root().join("target/bench/revocation.json");
    fs::create_dir_all(workspace_root().join("target/bench"))?;
    fs::write(&file, serde_json::to_vec_pretty(&report)?)?;
    println!("written to {}", file.display());
    Ok(ExitCode::SUCCESS)
}

async fn measure(stack: &Stack, samples: usize) -> Result<Report> {
    let echo = Echo::start("bench", ports::loopback(0))?;
    let site = stack.publish(&SiteSpec::shop("Bench", "bench", echo.addr)).await?;
    let mut database = stack.superuser().await?;
    let mut by_envoy = vec![Vec::with_capacity(samples); ENVOYS];
    let mut everywhere = Vec::with_capacity(samples);
    for sample in 0..samples {
        let delays = one_revocation(stack, &site, &mut database).await.with_context(|| format!("sample {sample}"))?;
        everywhere.push(delays.iter().copied().fold(0.0, f64::max));
        for (series, delay) in by_envoy.iter_mut().zip(delays) {
            series.push(delay);
        }
        if (sample + 1) % 50 == 0 {
            eprintln!("{} of {samples}", sample + 1);
        }
    }
    Ok(Report {
        what: "from the commit of a key's revocation to the first 403 that a client held",
        envoys: by_envoy.iter().filter_map(|series| Figures::of(series)).collect(),
        everywhere: Figures::of(&everywhere).context("no samples")?,
    })
}

/// The delay at each Envoy, in milliseconds.
async fn one_revocation(stack: &Stack, site: &Published, database: &mut PgConnection) -> Result<Vec<f64>> {
    let keys = site.keys_url();
    let made = stack.api.post(&keys, serde_json::json!({ "name": "bench" })).await?;
    let (id, key) = (text(&made, "id")?, text(&made, "key")?);
    let fresh = Published { api_key: key, ..site.clone() };
    for envoy in 0..ENVOYS {
        stack.wait_for_status(envoy, &fresh, reqwest::StatusCode::OK).await?;
    }
    let mut clients = JoinSet::new();
    for envoy in 0..ENVOYS {
        let request =
            stack.request(envoy, reqwest::Method::GET, &fresh.hostname, &fresh.path).bearer_auth(&fresh.api_key);
        clients.spawn(first_refusal(envoy, request));
    }
    stack.api.delete(&format!("{keys}/{id}")).await?;
    let mut refused_at = vec![0.0; ENVOYS];
    while let Some(refusal) = clients.join_next().await {
        let (envoy, at) = refusal??;
        refused_at[envoy] = at;
    }
    // Nothing else writes, so the newest change is this revocation.
    let committed_at: f64 = sqlx::query_scalar(
        "SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM change_log ORDER BY seq DESC LIMIT 1",
    )
    .fetch_one(database)
    .await?;
    let delays: Vec<f64> = refused_at.iter().map(|at| (at - committed_at) * 1_000.0).collect();
    ensure!(delays.iter().all(|delay| *delay > 0.0), "refused before the commit: {delays:?} ms");
    Ok(delays)
}

/// When the first 403 arrived, in seconds since 1970.
async fn first_refusal(envoy: usize, request: reqwest::RequestBuilder) -> Result<(usize, f64)> {
    let start = SystemTime::now();
    loop {
        let request = request.try_clone().context("a GET can be sent again")?;
        let status = request.send().await?.status();
        let now = SystemTime::now();
        if status == reqwest::StatusCode::FORBIDDEN {
            return Ok((envoy, now.duration_since(UNIX_EPOCH)?.as_secs_f64()));
        }
        ensure!(status.is_success(), "Envoy {envoy} answered {status}");
        ensure!(now.duration_since(start)? < GIVE_UP, "Envoy {envoy} still lets the key in after {GIVE_UP:?}");
        tokio::time::sleep(BETWEEN_REQUESTS).await;
    }
}

fn text(object: &serde_json::Value, field: &str) -> Result<String> {
    object[field].as_str().map(str::to_owned).with_context(|| format!("the answer has no text field `{field}`"))
}
