//! The OS account that PostgreSQL runs as. PostgreSQL refuses to run as root, so root has to step
//! down for it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result, bail};
use nix::unistd::{Gid, Uid, User, chown, geteuid};

/// Accounts that root steps down to, best first: Debian's `postgresql` package makes `postgres`;
/// `nobody` always exists.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// Anybody may enter the directory (the `x` bit for others).
const OTHERS_MAY_ENTER: u32 = 0o001;

#[derive(Debug, Clone)]
pub struct Account {
    pub name: String,
    pub uid: Uid,
    pub gid: Gid,
}

impl Account {
    /// The account to step down to, or `None` when this program is not root and needs no other.
    pub fn for_postgres() -> Result<Option<Account>> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        for name in CANDIDATES {
            if let Some(user) =
                User::from_name(name).with_context(|| format!("looking up the user {name}"))?
            {
                return Ok(Some(Account { name: user.name, uid: user.uid, gid: user.gid }));
            }
        }
        bail!(
            "PostgreSQL does not run as root, and neither of the users {CANDIDATES:?} exists: \
             create one of them"
        )
    }

    /// Makes `dir` (and what leads to it), gives it to this account and closes it for everybody
    /// else.
    pub fn own_dir(account: Option<&Account>, dir: &Path) -> Result<()> {
        fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
        if let Some(account) = account {
            chown(dir, Some(account.uid), Some(account.gid))
                .with_context(|| format!("giving {} to {}", dir.display(), account.name))?;
        }
        Ok(())
    }

    /// True if this account can walk to `dir` (which need not exist yet). A checkout under `/root`,
    /// which is closed for others, is the usual case in which it cannot.
    pub fn can_reach(&self, dir: &Path) -> bool {
        dir.ancestors().skip(1).filter_map(|above| fs::metadata(above).ok()).all(|above| {
            above.mode() & OTHERS_MAY_ENTER != 0
                || (above.uid() == self.uid.as_raw() && above.mode() & 0o100 != 0)
        })
    }
}
