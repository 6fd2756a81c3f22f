//! The program: flags, log, and one of its commands.

#![cfg_attr(not(test), deny(clippy::unwrap_used))]

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};
use store::Pooling;
use store::seal::SecretsKey;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use admin::config::{AuditCommand, Cli, Command, Migrate, Serve};
use admin::jobs::deliver_mail::Mailer;
use admin::mail::{Links, Smtp, SmtpAuthorities};
use admin::service::Options;
use admin::signup::Mode;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = match EnvFilter::try_new(&cli.log) {
        Ok(filter) => filter,
        Err(error) => Cli::command()
            .error(ErrorKind::InvalidValue, format!("--log `{}`: {error}", cli.log))
            .exit(),
    };
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, message = panic.payload_as_str().unwrap_or_default(), "panic");
    }));
    let outcome = match cli.command {
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
    Serve::refuse_old_variable(|name| std::env::var_os(name).is_some())?;
    // Before anything that takes time, so that a signal during the start is not lost.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
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
    .context("the database cannot be used")?;
    admin::commands::first_operator::operator_token(&store, config.operator_token_file.as_deref())
        .await?;
    admin::metrics::install()?;
    let secrets = secrets.map(Arc::new);
    let smtp = match (&config.smtp_url, config.mail_from) {
        (Some(url), Some(from)) => {
            let authorities =
                smtp_authorities(config.smtp_ca_file.as_deref()).context("--smtp-ca-file")?;
            Some(Smtp::new(url, from, authorities).context("--smtp-url")?)
        }
        _ => None,
    };
    let links = Links(config.mail_link_base);
    let mailer = smtp.zip(secrets.clone()).map(|(smtp, secrets)| {
        Mailer::new(store.clone(), secrets, smtp, links.clone(), chrono::Utc::now)
    });
    anyhow::ensure!(
        mailer.is_some() || config.signup == Mode::Closed,
        "--signup needs --smtp-url: addresses are proven by e-mail"
    );
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
    let router = admin::service::service(store.clone(), options, chrono::Utc::now)?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("--listen {}", config.listen))?;
    tracing::info!(listen = %listener.local_addr()?, "serving");
    let jobs = admin::jobs::start(&store, mailer, chrono::Utc::now);
    admin::serve::serve(listener, router, async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: open requests may finish");
    })
    .await;
    drop(jobs);
    tracing::info!("stopped");
    Ok(())
}
