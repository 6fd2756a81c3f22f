//! The program: flags, log, and one of its commands.

#![cfg_attr(not(test), deny(clippy::unwrap_used))]

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser as _;
use service::ambient;
use service::jobs::Jobs;
use service::signals::ShutdownSignals;
use store::Pooling;
use store::seal::SecretsKey;
use tokio::net::TcpListener;

use admin::config::{self, AuditCommand, Cli, Command, Migrate, Serve};
use admin::jobs::deliver_mail::Mailer;
use admin::mail::{Links, Smtp, SmtpAuthorities};
use admin::serve::Limits;
use admin::service::Options;
use admin::signup::Mode;

/// The time that jobs get to end when the program stops.
const JOBS_GRACE: Duration = Duration::from_secs(5);
/// The time for the export of the last spans.
const TRACES_GRACE: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let traces = match service::logging::install(&cli.log.log, "tenantry-admin") {
        Ok(traces) => traces,
        Err(error) => {
            eprintln!("{:#}", anyhow::Error::new(error));
            return ExitCode::FAILURE;
        }
    };
    let code = run(cli.command).await;
    traces.shut_down(TRACES_GRACE).await;
    code
}

async fn run(command: Command) -> ExitCode {
    let outcome = match command {
        Command::Serve(config) => serve(*config).await,
        Command::Migrate(config) => migrate(config).await,
        // Its result is an exit code of its own.
        Command::Audit(config) => match config.command {
            AuditCommand::Verify(config) => return admin::commands::audit::verify(&config).await,
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The mail server, if the operator has named one.
fn smtp(config: &Serve) -> anyhow::Result<Option<Smtp>> {
    let (Some(url), Some(from)) = (&config.smtp_url, config.mail_from.clone()) else {
        return Ok(None);
    };
    let authorities = smtp_authorities(config.smtp_ca_file.as_deref()).context("--smtp-ca-file")?;
    Ok(Some(Smtp::new(url, from, authorities).context("--smtp-url")?))
}

/// Reads the authorities of the mail server, if there is a file of them.
fn smtp_authorities(file: Option<&Path>) -> anyhow::Result<SmtpAuthorities> {
    let Some(file) = file else { return Ok(SmtpAuthorities::default()) };
    let pem = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    SmtpAuthorities::from_pem(&pem).map_err(anyhow::Error::msg)
}

async fn migrate(config: Migrate) -> anyhow::Result<()> {
    store::migrate(config.database_url.reveal())
        .await
        .context("the database could not be brought up to date")?;
    tracing::info!("the database is up to date");
    Ok(())
}

async fn serve(config: Serve) -> anyhow::Result<()> {
    config::check_variables(|name| std::env::var_os(name).is_some())?;
    // Before anything that takes time, so that a signal during the start is not lost.
    let mut signals = ShutdownSignals::install()?;
    let secrets = config
        .secrets_key_file
        .as_deref()
        .map(SecretsKey::read)
        .transpose()
        .context("--secrets-key-file")?;
    let pooling = if config.database_pooler { Pooling::Transaction } else { Pooling::Session };
    let store = store::Store::connect_through(
        config.database_url.reveal(),
        config.database_connections,
        pooling,
    )
    .await
    .context("the database cannot be used")?
    .traced_by(service::traces::current);
    admin::commands::first_operator::operator_token(&store, config.operator_token_file.as_deref())
        .await?;
    admin::metrics::install()?;
    let secrets = secrets.map(Arc::new);
    let links = Links(config.mail_link_base.clone());
    let mailer = smtp(&config)?
        .zip(secrets.clone())
        .map(|(smtp, secrets)| Mailer::new(store.clone(), secrets, smtp, links.clone(), clock));
    anyhow::ensure!(
        mailer.is_some() || config.signup == Mode::Closed,
        "--signup needs --smtp-url: addresses are proven by e-mail"
    );
    let limits = Limits {
        proxies: config.rate_limits.trusted_proxies.iter().copied().collect(),
        ..Limits::default()
    };
    let options = Options {
        signup: config.signup,
        sends_mail: mailer.is_some(),
        links,
        base_domain: config.base_domain,
        allow_http_jwks: config.allow_http_jwks,
        upstream_addresses: config.upstreams.rules(),
        secrets,
        rate_limits: config.rate_limits.allowed(),
    };
    let jobs = Jobs::new(ambient::now, ambient::fraction);
    let router = admin::service::service(store.clone(), options, clock, &jobs)?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("--listen {}", config.listen))?;
    tracing::info!(listen = %listener.local_addr()?, "serving");
    admin::jobs::start(&jobs, &store, mailer, clock);
    let mut ended = None;
    admin::serve::serve(listener, router, limits, async {
        tokio::select! {
            signal = signals.received() => {
                tracing::info!(signal, "stopping: open requests may finish");
            }
            end = jobs.fatal() => ended = Some(end),
        }
    })
    .await;
    jobs.shut_down(JOBS_GRACE).await;
    match ended {
        Some(end) => Err(end).context("the program cannot go on"),
        None => {
            tracing::info!("stopped");
            Ok(())
        }
    }
}

/// The clock of the program, which is handed to all that needs the time.
fn clock() -> chrono::DateTime<chrono::Utc> {
    ambient::now().into()
}
