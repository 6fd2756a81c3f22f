//! `.tenantry/`: all that `up` keeps between runs, and the lock that says that it runs.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use stack::workspace_root;

#[derive(Debug)]
pub(crate) struct Home {
    dir: PathBuf,
}

/// The process that runs `up`. A pid alone may have been given to another process since, so its
/// start time is kept too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    pub(crate) pid: i32,
    /// In clock ticks since the machine started: field 22 of proc(5) `/proc/<pid>/stat`.
    pub(crate) started: u64,
}

/// Held for as long as `up` runs; the kernel releases it however `up` ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Home {
    /// `TENANTRY_HOME` names another folder, so that a second deployment can stand beside the
    /// first.
    pub(crate) fn open() -> Result<Home> {
        Home::at(
            std::env::var_os("TENANTRY_HOME")
                .map_or_else(|| workspace_root().join(".tenantry"), PathBuf::from),
        )
    }

    fn at(dir: PathBuf) -> Result<Home> {
        // PostgreSQL's account walks through here; what is secret in it is closed file by file.
        fs::DirBuilder::new().recursive(true).mode(0o755).create(&dir)?;
        Ok(Home { dir })
    }

    pub(crate) fn lock_file(&self) -> PathBuf {
        self.dir.join("lock")
    }

    /// The machine-readable result, there while the deployment serves.
    pub(crate) fn up_json(&self) -> PathBuf {
        self.dir.join("up.json")
    }

    /// The file that a detached `up` prints into.
    pub(crate) fn log(&self) -> PathBuf {
        self.dir.join("up.log")
    }

    pub(crate) fn part_log(&self, part: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{part}.log"))
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.dir.join("logs")
    }

    pub(crate) fn postgres(&self) -> PathBuf {
        self.dir.join("postgres")
    }

    /// Returns the folder of one database: another one under the same URL gets a folder of its own.
    pub(crate) fn database(&self, identity: &str) -> Result<PathBuf> {
        let dir = self.dir.join("databases").join(identity.replace('/', "-"));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        Ok(dir)
    }

    /// Returns the process that runs `up` at this moment.
    pub(crate) fn running(&self) -> Result<Option<Holder>> {
        let path = self.lock_file();
        let Ok(mut file) = File::open(&path) else { return Ok(None) };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(read_holder(&mut file, &path)?)),
            Err(TryLockError::Error(error)) => Err(error).context("asking for the lock of `up`"),
        }
    }

    /// Takes the lock, or says who has it.
    pub(crate) fn lock(&self) -> Result<Lock> {
        let path = self.lock_file();
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!(already_running(&read_holder(&mut file, &path)?))
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).context("taking the lock of `up`");
            }
        }
        let holder = Holder::this_process()?;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(&serde_json::to_vec(&holder)?)?;
        Ok(Lock { _file: file })
    }
}

pub(crate) fn already_running(holder: &Holder) -> String {
    format!(
        "`up` is running already (process {}); see .tenantry/up.json, or stop it with `cargo xtask \
         down`",
        holder.pid
    )
}

impl Holder {
    fn this_process() -> Result<Holder> {
        let pid = i32::try_from(std::process::id())?;
        Ok(Holder { pid, started: start_time(pid).context("reading /proc/self/stat")? })
    }

    /// True if the process is still the one that took the lock.
    pub(crate) fn is_alive(&self) -> bool {
        start_time(self.pid) == Some(self.started)
    }
}

fn read_holder(file: &mut File, path: &Path) -> Result<Holder> {
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    serde_json::from_str(&text)
        .with_context(|| format!("{} is held, but does not say by whom", path.display()))
}

fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Field 2 is the program's name in parentheses and may hold spaces: count from behind it.
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_seen_by_others_until_it_is_dropped() {
        let dir = std::env::temp_dir().join(format!("tenantry-home-{}", std::process::id()));
        let home = Home::at(dir.clone()).unwrap();
        assert_eq!(home.running().unwrap(), None);
        let lock = home.lock().unwrap();
        let holder = home.running().unwrap().unwrap();
        assert!(holder.is_alive());
        assert!(
            !Holder { started: holder.started + 1, ..holder }.is_alive(),
            "the pid of another process"
        );
        assert!(home.lock().unwrap_err().to_string().contains("running already"));
        drop(lock);
        assert_eq!(home.running().unwrap(), None);
        fs::remove_dir_all(dir).unwrap();
    }
}
