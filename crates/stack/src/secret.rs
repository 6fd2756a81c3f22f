//! Random passwords and files that only their owner may read.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use rand::Rng;
use rand::distr::Alphanumeric;

/// 32 alphanumeric characters (190 bits): needs no quoting in SQL, URLs or shells.
const PASSWORD_CHARS: usize = 32;

pub fn password() -> String {
    rand::rng().sample_iter(Alphanumeric).take(PASSWORD_CHARS).map(char::from).collect()
}

/// A key of 32 random bytes in hexadecimal digits, mode 0600: made if the file is not there.
pub fn key_file(path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let key: [u8; 32] = rand::rng().random();
    let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    write_private(path, format!("{digits}\n").as_bytes())
}

/// Writes `content` to `path`, mode 0600, so that a reader sees either the old file or the whole
/// new one.
pub fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let _ = fs::remove_file(&draft);
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}
