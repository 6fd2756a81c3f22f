//! The servers that a bench needs besides Envoy, as processes of their own, so that the CPU time of
//! each can be told apart.

mod callouts;
mod upstream;

use std::convert::Infallible;
use std::net::SocketAddr;

use anyhow::Result;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    /// Answers every request over HTTP/1.1 with the same few bytes, as cheaply as can be
    Upstream {
        #[arg(long)]
        listen: SocketAddr,
    },
    /// Says yes to every `ext_authz` check and every rate limit request over gRPC
    Callouts {
        #[arg(long)]
        listen: SocketAddr,
    },
}

impl Part {
    /// The arguments that make this program such a part.
    pub(super) fn args(&self) -> Vec<String> {
        let (name, listen) = match self {
            Self::Upstream { listen } => ("upstream", listen),
            Self::Callouts { listen } => ("callouts", listen),
        };
        ["bench-part", name, "--listen", &listen.to_string()].map(str::to_owned).to_vec()
    }
}

/// Runs it until this process is ended. One thread each: more would only hide what they cost.
pub(crate) fn run_forever(part: &Part) -> Result<Infallible> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match part {
            Part::Upstream { listen } => upstream::serve(*listen).await,
            Part::Callouts { listen } => callouts::serve(*listen).await,
        }
    })
}
