//! `serve`: the jobs that make up the server.
//!
//! | job | what it does | if it ends |
//! |---|---|---|
//! | `ads_server` | streams to Envoys, reports of usage | the program ends |
//! | `observe_server` | health, readiness, metrics | the program ends |
//! | `follower` | keeps the cells equal to the database | restarted: reads everything again |
//! | `usage_writer` | writes reports of usage | restarted; VMs send their reports again |
//! | `recorder` | writes the answers of Envoys | restarted: writes all streams again |
//! | `jwks_worker` | reads keys of issuers | restarted: reads all again |
//! | `dns_worker` | resolves names of upstreams | restarted: resolves all again |
//! | `jwks_saver`, `dns_saver` | keep keys and addresses for the next start | restarted |
//! | `state_writer` | keeps the served state on disk | restarted: writes everything again |
//! | `stored_state` | serves the state of an earlier run, if PostgreSQL is away | done |
//! | `idle_watch` | has Envoys let go of idle sites | restarted |
//! | `tls_watch` | takes over certificates that have changed | restarted |
//! | `validation` | has Envoys validate sites | restarted |
//! | `metrics_upkeep` | folds samples of histograms | restarted |

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use service::ambient;
use service::flags::{DatabaseUrl, refuse_old_variable};
use service::jobs::{JobSpec, Jobs};
use service::prometheus;
use service::signals::ShutdownSignals;
use store::seal::SecretsKey;
use tokio::net::TcpListener;
use xds_server::cells::Cells;
use xds_server::config::{Jwks, LISTEN, OLD_LISTEN, Serve, TlsFlags, Validation};
use xds_server::dns::{self, Book, SystemResolver};
use xds_server::follow::{Followed, Follower, Serving};
use xds_server::grpc::Observers;
use xds_server::jwks::{self, FetchSettings, Fetcher};
use xds_server::lkg::{self, Sealing, StateDir};
use xds_server::quarantine::Quarantine;
use xds_server::receipts::{Recorder, Roster};
use xds_server::snapshot::Owner;
use xds_server::tls::{Files, Tls};
use xds_server::validate::{self, Envoy, Pool};
use xds_server::{grpc, idle, observe, translate, usage};

/// The longest time for jobs to end. Open streams are told why, and need a round trip.
const GRACE: Duration = Duration::from_secs(5);

pub(crate) async fn run(config: Serve) -> anyhow::Result<()> {
    refuse_old_variable(OLD_LISTEN, LISTEN, |name| std::env::var_os(name).is_some())?;
    // Before anything that takes time, so that a signal during the start is not lost.
    let mut signals = ShutdownSignals::install()?;
    let secrets_key = secrets_key(config.secrets_key_file.as_deref())?;
    let fetcher = Fetcher::new(&fetch_settings(&config.jwks)?).context("--jwks-ca-file")?;
    // Before the first job, so that no job's metrics are lost.
    let metrics = observe::install()?;
    let tls = config.tls.as_ref().map(tls).transpose()?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("--listen {}", config.listen))?;
    let http = TcpListener::bind(config.http_listen).await;
    let http = http.with_context(|| format!("--http-listen {}", config.http_listen))?;
    tracing::info!(listen = %listener.local_addr()?, http_listen = %http.local_addr()?, "serving");

    let jobs = Jobs::new(ambient::now, ambient::fraction);
    let envoy_roster = Arc::new(Roster::default());
    let quarantine = Arc::new(Quarantine::new(Arc::clone(&envoy_roster)));
    let serving = Serving {
        cells: Arc::default(),
        keyring: Arc::default(),
        book: Arc::new(Book::new(config.upstreams.rules())),
        quarantine: Arc::clone(&quarantine),
        validation: config.validation.validate_envoy.is_some().then(Arc::default),
    };
    let cells = Arc::clone(&serving.cells);
    cells.set_platform(translate::platform(&config.base_domain));
    if let Some(dir) = &config.state_dir {
        keep_state(&jobs, dir, secrets_key.clone(), &cells)?;
    }
    read_outside(&jobs, &serving, fetcher, &config.database_url);
    if let Some(pool) = &serving.validation {
        validate(&jobs, &config.validation, pool, &cells, &quarantine).await?;
    }
    let (usage_server, reports) = usage::channel();
    write_database(&jobs, &config, reports, &envoy_roster);
    evict_idle(&jobs, &config, &cells);
    let followed = Followed {
        database_url: config.database_url,
        secrets_key,
        base_domain: config.base_domain,
    };
    jobs.spawn(JobSpec::new("follower"), move |job| {
        Follower::new(followed.clone(), serving.clone()).run(job)
    });
    if let Some(tls) = tls.clone() {
        jobs.spawn(JobSpec::new("tls_watch"), move |job| Arc::clone(&tls).watch(job));
    }
    let (observed, upkept) = (Arc::clone(&cells), metrics.clone());
    jobs.spawn(JobSpec::new("metrics_upkeep"), move |job| prometheus::keep_up(upkept.clone(), job));
    let all_jobs = jobs.clone();
    jobs.spawn_essential(JobSpec::new("observe_server").graceful().serving(), move |job| {
        observe::serve(http, observed, all_jobs, metrics, job.stop())
    });
    let observers = Observers { roster: envoy_roster, quarantine };
    jobs.spawn_essential(JobSpec::new("ads_server").graceful().serving(), move |job| {
        grpc::serve(listener, cells, observers, usage_server, tls, job.stop())
    });

    let outcome = tokio::select! {
        signal = signals.received() => {
            tracing::info!(signal, "stopping: streams are told to connect again");
            Ok(())
        }
        fatal = jobs.fatal() => Err(fatal),
    };
    jobs.shut_down(GRACE).await;
    tracing::info!("stopped");
    Ok(outcome?)
}

/// Starts the jobs that read keys of issuers and addresses of upstreams, and keep them for the next
/// start.
fn read_outside(jobs: &Jobs, serving: &Serving, fetcher: Fetcher, database_url: &DatabaseUrl) {
    let jwks_saver = Arc::new(jwks::Saver::default());
    let (saver, url) = (Arc::clone(&jwks_saver), database_url.clone());
    jobs.spawn(JobSpec::new("jwks_saver"), move |job| Arc::clone(&saver).run(url.clone(), job));
    let (keyring, cells) = (Arc::clone(&serving.keyring), Arc::clone(&serving.cells));
    jobs.spawn(JobSpec::new("jwks_worker"), move |job| {
        let (keyring, cells) = (Arc::clone(&keyring), Arc::clone(&cells));
        jwks::Worker::new(keyring, cells, fetcher.clone(), Arc::clone(&jwks_saver)).run(job)
    });
    let dns_saver = Arc::new(dns::Saver::default());
    let (saver, url) = (Arc::clone(&dns_saver), database_url.clone());
    jobs.spawn(JobSpec::new("dns_saver"), move |job| Arc::clone(&saver).run(url.clone(), job));
    let (book, cells) = (Arc::clone(&serving.book), Arc::clone(&serving.cells));
    jobs.spawn(JobSpec::new("dns_worker"), move |job| {
        let (book, cells) = (Arc::clone(&book), Arc::clone(&cells));
        dns::Worker::new(book, cells, Arc::new(SystemResolver), Arc::clone(&dns_saver)).run(job)
    });
}

/// Starts the jobs that write reports of usage and the answers of Envoys.
fn write_database(
    jobs: &Jobs,
    config: &Serve,
    reports: usage::QueuedReports,
    envoy_roster: &Arc<Roster>,
) {
    let url = config.database_url.clone();
    jobs.spawn(JobSpec::new("usage_writer").graceful(), move |job| {
        let (reports, url) = (reports.clone(), url.clone());
        async move { usage::Writer::new(reports).await.run(url, job).await }
    });
    let (roster, url, replica) =
        (Arc::clone(envoy_roster), config.database_url.clone(), store::new_id());
    jobs.spawn(JobSpec::new("recorder").graceful(), move |job| {
        Recorder::new(Arc::clone(&roster), url.clone(), replica).run(job)
    });
}

/// Has Envoys let go of idle sites, unless the operator keeps all.
fn evict_idle(jobs: &Jobs, config: &Serve, cells: &Arc<Cells>) {
    let after = Duration::from_secs(config.evict_after_s);
    if after.is_zero() {
        return;
    }
    let (cells, url) = (Arc::clone(cells), config.database_url.clone());
    jobs.spawn(JobSpec::new("idle_watch"), move |job| {
        idle::watch(Arc::clone(&cells), url.clone(), after, job)
    });
}

/// The key that secrets are sealed with, if the operator has given one.
fn secrets_key(file: Option<&Path>) -> anyhow::Result<Option<SecretsKey>> {
    if file.is_none() {
        tracing::warn!(
            "no --secrets-key-file: shared secrets of issuers and signing keys are as good as \
             absent"
        );
    }
    file.map(SecretsKey::read).transpose().context("--secrets-key-file")
}

/// Serves the stored state of an earlier run, if PostgreSQL is away, and stores the served state
/// from now on.
fn keep_state(
    jobs: &Jobs,
    dir: &Path,
    key: Option<SecretsKey>,
    cells: &Arc<Cells>,
) -> anyhow::Result<()> {
    let dir =
        StateDir::open(dir, key.map_or(Sealing::Clear, Sealing::Key)).context("--state-dir")?;
    if let Some(commit) = lkg::restore(&dir, cells) {
        let cells = Arc::clone(cells);
        jobs.spawn_once(JobSpec::new("stored_state"), move |_| lkg::serve_restored(commit, cells));
    }
    let (dir, cells) = (Arc::new(dir), Arc::clone(cells));
    jobs.spawn(JobSpec::new("state_writer").graceful(), move |job| {
        lkg::Writer::new(Arc::clone(&dir), Arc::clone(&cells)).run(job)
    });
    Ok(())
}

/// Has Envoys validate the served state.
async fn validate(
    jobs: &Jobs,
    config: &Validation,
    pool: &Arc<Pool>,
    cells: &Arc<Cells>,
    quarantine: &Arc<Quarantine>,
) -> anyhow::Result<()> {
    let Some(program) = &config.validate_envoy else { return Ok(()) };
    let envoy = Envoy::new(program);
    envoy.check().await.with_context(|| format!("--validate-envoy {}", program.display()))?;
    let workers = config.validate_workers;
    let (pool, cells, quarantine) = (Arc::clone(pool), Arc::clone(cells), Arc::clone(quarantine));
    jobs.spawn(JobSpec::new("validation"), move |job| {
        let (served, quarantine) = (Arc::clone(&cells), Arc::clone(&quarantine));
        let take = move |verdict: &validate::Verdict| {
            validate::refused_by_validation(verdict);
            quarantine.refused_by_validation(&served.group(Owner::Site(verdict.site)), verdict);
        };
        Arc::clone(&pool).run(envoy.clone(), Arc::clone(&cells), workers, take, job)
    });
    Ok(())
}

/// Mutual TLS, if the operator has given its files.
fn tls(flags: &TlsFlags) -> anyhow::Result<Arc<Tls>> {
    let (cert, key) = (flags.tls_cert.clone(), flags.tls_key.clone());
    let files = Files { cert, key, client_ca: flags.tls_client_ca.clone() };
    let tls = Tls::load(files, &flags.tls_trust_domain)
        .context("--tls-cert, --tls-key and --tls-client-ca")?;
    Ok(Arc::new(tls))
}

fn fetch_settings(config: &Jwks) -> anyhow::Result<FetchSettings> {
    let authorities_pem =
        config.jwks_ca_file.as_ref().map(std::fs::read).transpose().context("--jwks-ca-file")?;
    Ok(FetchSettings {
        allow_private: config.jwks_allow_private,
        authorities_pem,
        max_lifetime: Duration::from_secs(config.jwks_max_lifetime_s),
        ..FetchSettings::default()
    })
}
