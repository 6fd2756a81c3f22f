//! PostgreSQL servers for one run, in the temporary directory.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};

use crate::postgres::{Binaries, Cluster, ClusterSettings};
use crate::{ports, secret};

const PREFIX: &str = "tenantry-";

/// Locked by the process that a server belongs to, so that the next one can tell what is left over.
const IN_USE: &str = "in-use";

/// A server with the roles of Tenantry, which does not survive a crash of the machine. It ends with
/// this process at the latest; its directory goes with [`Cluster::destroy`], or else when a later
/// process calls this.
pub async fn new_cluster(name: &str) -> Result<Cluster> {
    let binaries = Binaries::find()?
        .context("PostgreSQL 15 or newer is not installed: apt-get install postgresql")?;
    sweep(&std::env::temp_dir());
    let dir = std::env::temp_dir().join(format!("{PREFIX}{name}-{}", std::process::id()));
    let (addr, password) = (ports::free(), secret::password());
    let cluster = Cluster::start(
        &binaries,
        ClusterSettings { dir: dir.clone(), addr, password, durable: false },
    )
    .await?;
    cluster.server().make_roles().await?;
    // Under another name until it is locked, so that nobody finds it unlocked.
    let draft = dir.join("in-use-soon");
    let mark = File::create(&draft)?;
    mark.lock()?;
    fs::rename(&draft, dir.join(IN_USE))?;
    // The kernel lets go of it when this process ends, in whatever way.
    std::mem::forget(mark);
    Ok(cluster)
}

/// Removes the directories whose processes are gone. Failing to is no reason to fail: they are only
/// in the way.
fn sweep(temp: &Path) {
    for entry in fs::read_dir(temp).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let unused =
            File::open(entry.path().join(IN_USE)).is_ok_and(|mark| mark.try_lock().is_ok());
        if unused {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_uses_is_swept() {
        let temp = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let dir = temp.path().join(name);
            fs::create_dir(&dir).unwrap();
            (File::create(dir.join(IN_USE)).unwrap(), dir)
        };
        let (mark, used) = make("tenantry-test-1");
        mark.lock().unwrap();
        let (_, left_over) = make("tenantry-test-2");
        let (_, not_ours) = make("other-3");
        sweep(temp.path());
        assert_eq!((used.exists(), left_over.exists(), not_ours.exists()), (true, false, true));
    }
}
