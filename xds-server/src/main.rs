//! The program: flags, log, and the tasks that make up the server.

#![cfg_attr(not(test), deny(clippy::unwrap_used))]

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser as _;
use tokio::net::TcpListener;
use tokio::sync::watch;

use service::signals::ShutdownSignals;
use service::stop::Stop;
use store::seal::SecretsKey;
use xds_server::cells::Cells;
use xds_server::commands::check::{self, Check};
use xds_server::commands::render::{self, Render};
use xds_server::commands::{Database, bootstrap};
use xds_server::config::{self, Cli, Command, Jwks, Serve, TlsFlags, Validation};
use xds_server::dns::{self, Book, SystemResolver};
use xds_server::follow::{Followed, Follower, Serving};
use xds_server::grpc::Observers;
use xds_server::jwks::{self, FetchSettings, Fetcher, Keyring};
use xds_server::lkg::{self, Sealing, StateDir};
use xds_server::quarantine::Quarantine;
use xds_server::receipts::{Recorder, Roster};
use xds_server::snapshot::Owner;
use xds_server::tls::{Files, Tls};
use xds_server::validate::{self, Envoy, Pool};
use xds_server::{grpc, idle, observe, translate, usage};

/// The longest time for open streams to end. They are told why, and need a round trip.
const GRACE: Duration = Duration::from_secs(5);

/// The longest time for the export of the last spans.
const TRACES_GRACE: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let traces = service::logging::install(&cli.log.log, "tenantry-xds")?;
    let outcome = run(cli.command).await;
    traces.shut_down(TRACES_GRACE).await;
    outcome
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(config) => serve(config).await.map(|()| ExitCode::SUCCESS),
        Command::Bootstrap(flags) => {
            print!("{}", bootstrap::run(&flags)?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Check(config) => check(&config).await,
        Command::Render(config) => render(&config).await,
    }
}

/// Prints; ends with 1 if something is wrong.
async fn check(config: &Check) -> anyhow::Result<ExitCode> {
    let key = secrets_key_of(&config.database)?;
    let findings = check::run(config, key).await;
    findings.iter().for_each(|finding| println!("{finding}"));
    Ok(if findings.iter().all(|finding| finding.good) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn secrets_key_of(database: &Database) -> anyhow::Result<Option<SecretsKey>> {
    database
        .secrets_key_file
        .as_deref()
        .map(SecretsKey::read)
        .transpose()
        .context("--secrets-key-file")
}

/// Prints; ends with 2 if something of the site cannot be served as it is.
async fn render(config: &Render) -> anyhow::Result<ExitCode> {
    let rendered = render::run(config, secrets_key_of(&config.database)?).await?;
    print!("{}", rendered.yaml);
    Ok(if rendered.complete { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

async fn serve(config: Serve) -> anyhow::Result<()> {
    config::check_variables(|name| std::env::var_os(name).is_some())?;
    // Before anything that takes time, so that a signal during the start is not lost.
    let mut signals = ShutdownSignals::install()?;
    let secrets_key = secrets_key(config.secrets_key_file.as_deref())?;
    let fetcher = Fetcher::new(&fetch_settings(&config.jwks)?).context("--jwks-ca-file")?;
    let metrics = observe::install()?;
    let tls = config.tls.as_ref().map(tls).transpose()?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("--listen {}", config.listen))?;
    let http = TcpListener::bind(config.http_listen).await;
    let http = http.with_context(|| format!("--http-listen {}", config.http_listen))?;
    tracing::info!(listen = %listener.local_addr()?, http_listen = %http.local_addr()?, "serving");

    let cells = Arc::new(Cells::default());
    let roster = Arc::new(Roster::default());
    let quarantine = Arc::new(Quarantine::new(Arc::clone(&roster)));
    let (stop, stopped) = watch::channel(false);
    cells.set_platform(translate::platform(&config.base_domain));
    let state = config
        .state_dir
        .as_deref()
        .map(|dir| keep_state(dir, secrets_key.clone(), &cells, &stopped))
        .transpose()?;
    let keyring = Arc::new(Keyring::default());
    let jwks_saver = Arc::new(jwks::Saver::default());
    let jwks_worker = jwks::Worker::new(
        Arc::clone(&keyring),
        Arc::clone(&cells),
        fetcher,
        Arc::clone(&jwks_saver),
    );
    let jwks_worker = tokio::spawn(jwks_worker.run(stopped.clone()));
    let jwks_saver = tokio::spawn(jwks_saver.run(config.database_url.clone(), stopped.clone()));
    let book = Arc::new(Book::new(config.upstreams.rules()));
    let dns_saver = Arc::new(dns::Saver::default());
    let dns_worker = dns::Worker::new(
        Arc::clone(&book),
        Arc::clone(&cells),
        Arc::new(SystemResolver),
        Arc::clone(&dns_saver),
    );
    let dns_worker = tokio::spawn(dns_worker.run(stopped.clone()));
    let dns_saver = tokio::spawn(dns_saver.run(config.database_url.clone(), stopped.clone()));
    let (reports, usage_writer) = usage::channel();
    let mut usage_writer =
        tokio::spawn(usage_writer.run(config.database_url.clone(), stopped.clone()));
    let evict_after = Duration::from_secs(config.evict_after_s);
    if !evict_after.is_zero() {
        tokio::spawn(idle::watch(
            Arc::clone(&cells),
            config.database_url.clone(),
            evict_after,
            stopped.clone(),
        ));
    }
    let recorder = Recorder::new(Arc::clone(&roster), config.database_url.clone());
    let recorder = tokio::spawn(recorder.run(stopped.clone()));
    let followed = Followed {
        database_url: config.database_url,
        secrets_key,
        base_domain: config.base_domain,
    };
    let validation = validation(&config.validation, &cells, &quarantine, &stopped).await?;
    let serving = Serving {
        cells: Arc::clone(&cells),
        keyring,
        book,
        quarantine: Arc::clone(&quarantine),
        validation,
    };
    let follower = Follower::new(followed, serving);
    let mut follower = tokio::spawn(follower.run(stopped.clone()));
    let mut observe =
        tokio::spawn(observe::serve(http, Arc::clone(&cells), metrics, stopped.clone()));
    if let Some(tls) = tls.clone() {
        tokio::spawn(tls.watch(stopped.clone()));
    }
    let mut ads = tokio::spawn(grpc::serve(
        listener,
        cells,
        Observers { roster, quarantine },
        reports,
        tls,
        stopped,
    ));

    tokio::select! {
        _ = signals.received() => {}
        ended = &mut follower => return ended?.context("--database-url"),
        ended = &mut usage_writer => return ended?.context("--database-url"),
        ended = &mut ads => return ended?.context("delta ADS"),
        ended = &mut observe => return ended?.context("health and metrics"),
    }
    tracing::info!("stopping: streams are told to connect again");
    stop.send_replace(true);
    let all = async {
        let _ = tokio::join!(
            ads,
            observe,
            follower,
            usage_writer,
            jwks_worker,
            jwks_saver,
            dns_worker,
            dns_saver,
            recorder
        );
        // After the tasks that change the served state.
        if let Some(state) = state {
            let _ = state.await;
        }
    };
    if tokio::time::timeout(GRACE, all).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
    tracing::info!("stopped");
    Ok(())
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
    dir: &Path,
    key: Option<SecretsKey>,
    cells: &Arc<Cells>,
    stop: &Stop,
) -> anyhow::Result<tokio::task::JoinHandle<()>> {
    let dir =
        StateDir::open(dir, key.map_or(Sealing::Clear, Sealing::Key)).context("--state-dir")?;
    lkg::serve_stored(&dir, cells, stop.clone());
    Ok(tokio::spawn(lkg::Writer::new(dir, Arc::clone(cells)).run(stop.clone())))
}

/// The Envoys that validate the served state, if the operator has given one.
async fn validation(
    config: &Validation,
    cells: &Arc<Cells>,
    quarantine: &Arc<Quarantine>,
    stop: &Stop,
) -> anyhow::Result<Option<Arc<Pool>>> {
    let Some(program) = &config.validate_envoy else { return Ok(None) };
    let envoy = Envoy::new(program);
    envoy.check().await.with_context(|| format!("--validate-envoy {}", program.display()))?;
    let pool = Arc::<Pool>::default();
    let (mut verdicts, workers) = pool.start(&envoy, cells, config.validate_workers, stop);
    let (cells, quarantine) = (Arc::clone(cells), Arc::clone(quarantine));
    tokio::spawn(async move {
        while let Some(verdict) = verdicts.recv().await {
            validate::refused_by_validation(&verdict);
            quarantine.refused_by_validation(&cells.group(Owner::Site(verdict.site)), &verdict);
        }
        workers.join_all().await;
    });
    Ok(Some(pool))
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
