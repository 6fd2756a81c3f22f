//! Finding PostgreSQL's programs.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

/// The oldest release that the migrations and `security_invoker` views work on.
pub const MIN_MAJOR: u32 = 15;

/// Debian keeps each release's server programs here, outside PATH.
const DEBIAN_ROOT: &str = "/usr/lib/postgresql";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    dir: PathBuf,
    pub major: u32,
}

impl Binaries {
    /// The newest installed release that is new enough; `None` when there is none.
    pub fn find() -> Result<Option<Binaries>> {
        let on_path = env::var_os("PATH")
            .map(|path| env::split_paths(&path).collect::<Vec<_>>())
            .unwrap_or_default();
        let debian = fs::read_dir(DEBIAN_ROOT)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path().join("bin"));
        Ok(on_path
            .into_iter()
            .chain(debian)
            .filter_map(|dir| Binaries::at(&dir))
            .filter(|found| found.major >= MIN_MAJOR)
            .max_by_key(|found| found.major))
    }

    /// True if the server can make this extension.
    pub fn has_extension(&self, name: &str) -> bool {
        let debian = PathBuf::from(format!("/usr/share/postgresql/{}", self.major));
        let beside = ["../share", "../share/postgresql"].map(|share| self.dir.join(share));
        let file = format!("extension/{name}.control");
        beside.into_iter().chain([debian]).any(|share| share.join(&file).is_file())
    }

    fn at(dir: &Path) -> Option<Binaries> {
        if !dir.join("initdb").is_file() {
            return None;
        }
        let output = Command::new(dir.join("postgres")).arg("--version").output().ok()?;
        let major = major_version(&String::from_utf8_lossy(&output.stdout))?;
        Some(Binaries { dir: dir.to_owned(), major })
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// The 15 of `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`.
fn major_version(text: &str) -> Option<u32> {
    let version = text.split_once("(PostgreSQL) ")?.1;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::major_version;

    #[test]
    fn major_version_is_read_from_releases_and_betas() {
        assert_eq!(
            major_version("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(major_version("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major_version("something else"), None);
    }
}
