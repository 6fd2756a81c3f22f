//! `tenantry-admin audit verify`: checks that the log is as it was written. From an export, without
//! a database or a network; or in a database.

mod file;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use policy::id::TenantId;
use store::audit::chain::{Fault, Intact, Noted};
use store::{Actor, Store};

pub use file::verify_lines;

use crate::config::VerifyAudit;

/// A chain is not as it was written.
const BROKEN: u8 = 1;
/// The chain could not be checked: the file or the database cannot be read. Wrong flags end the
/// program with the same number.
const UNKNOWN: u8 = 2;

/// Verifies the chains that the flags name, and prints the result of each on a line of standard
/// output.
pub async fn verify(config: &VerifyAudit) -> ExitCode {
    let noted = Noted { head: config.head.clone().map(|head| head.0), rows: config.rows };
    let intact = match &config.file {
        Some(path) => of_file(path, noted),
        None => of_database(config, noted).await,
    };
    match intact {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(BROKEN),
        Err(error) => {
            eprintln!("UNKNOWN {error:#}");
            ExitCode::from(UNKNOWN)
        }
    }
}

fn of_file(path: &Path, noted: Noted) -> anyhow::Result<bool> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let verdict =
        verify_lines(BufReader::new(file), noted).with_context(|| path.display().to_string())?;
    Ok(say(None, &verdict))
}

async fn of_database(config: &VerifyAudit, noted: Noted) -> anyhow::Result<bool> {
    let url =
        config.database_url.as_ref().context("give the file of an export, or --database-url")?;
    let store = Store::connect(url.reveal(), 1).await.context("the database cannot be used")?;
    let actor = Actor::system("audit-verify");
    let tenants = match config.tenant {
        Some(tenant) => vec![tenant],
        None => store::audit::chains(&mut store.audit(&actor).await?).await?,
    };
    let mut intact = true;
    for tenant in tenants {
        // For each a transaction of its own, so that none is open for as long as the whole log
        // takes.
        let mut tx = store.audit(&actor).await?;
        intact &= say(Some(tenant), &store::audit::verify(&mut tx, tenant, noted.clone()).await?);
    }
    Ok(intact)
}

/// Prints a verdict; whether it is a good one.
fn say(tenant: Option<TenantId>, verdict: &Result<Intact, Fault>) -> bool {
    match verdict {
        Ok(Intact { tenant: found, rows, head }) => {
            let tenant = found
                .or(tenant.map(Into::into))
                .map(|tenant| format!(" tenant {tenant}"))
                .unwrap_or_default();
            let head = if head.is_empty() { "none" } else { head };
            println!("INTACT rows {rows} head {head}{tenant}");
        }
        Err(fault) => {
            let tenant = tenant.map(|tenant| format!(" tenant {tenant}")).unwrap_or_default();
            println!("BROKEN at {}{tenant}: {fault}", fault.seq());
        }
    }
    verdict.is_ok()
}
