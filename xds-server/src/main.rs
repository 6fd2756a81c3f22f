//! The program: flags, log, and the tasks that make up the server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use xds_server::config::{Cli, Command, Serve};
use xds_server::follow::Follower;
use xds_server::hub::Hub;
use xds_server::{grpc, observe, usage};

/// How long open streams may take to end. They are told why, and need a round trip.
const GRACE: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let filter = EnvFilter::try_new(&cli.log).with_context(|| format!("--log {}", cli.log))?;
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
    match cli.command {
        Command::Serve(config) => serve(config).await,
    }
}

async fn serve(config: Serve) -> anyhow::Result<()> {
    // Before anything that takes time, so that a signal during the start is not lost.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let metrics = observe::install()?;
    let listener = TcpListener::bind(config.listen).await.with_context(|| format!("--listen {}", config.listen))?;
    let http = TcpListener::bind(config.http_listen).await;
    let http = http.with_context(|| format!("--http-listen {}", config.http_listen))?;
    tracing::info!(listen = %listener.local_addr()?, http_listen = %http.local_addr()?, "serving");

    let hub = Arc::new(Hub::default());
    let (stop, stopped) = watch::channel(false);
    let url = config.database_url.reveal().to_owned();
    let follower = Follower::new(url, config.base_domain.as_str().to_owned(), Arc::clone(&hub));
    let mut follower = tokio::spawn(follower.run(stopped.clone()));
    let mut observe = tokio::spawn(observe::serve(http, Arc::clone(&hub), metrics, stopped.clone()));
    let (reports, writer) = usage::channel();
    let url = config.database_url.reveal().to_owned();
    let mut writer = tokio::spawn(writer.run(url, stopped.clone()));
    let mut ads = tokio::spawn(grpc::serve(listener, hub, reports, stopped));

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        ended = &mut follower => return ended?.context("--database-url"),
        ended = &mut writer => return ended?.context("--database-url"),
        ended = &mut ads => return ended?.context("delta ADS"),
        ended = &mut observe => return ended?.context("health and metrics"),
    }
    tracing::info!("stopping: streams are told to connect again");
    stop.send_replace(true);
    let all = async { tokio::join!(ads, observe, follower, writer) };
    if tokio::time::timeout(GRACE, all).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
    tracing::info!("stopped");
    Ok(())
}
