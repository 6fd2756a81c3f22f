//! The first start: without an operator token the API would be closed to everybody, so one is made,
//! and shown once.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use store::{Actor, Store, StoreError};
use thiserror::Error;

use crate::secret::{NoRandomness, OperatorToken};

/// The name of the token in the database.
const NAME: &str = "first start";

/// The reason why the first operator token could not be made.
#[derive(Debug, Error)]
pub enum BootstrapError {
    /// The database failed.
    #[error("the operator token could not be stored")]
    Store(#[from] StoreError),
    /// The file exists, or could not be written.
    #[error(
        "the new operator token could not be written to {path}; remove the file if it is left \
         over, or name another with --operator-token-file"
    )]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Standard output is closed.
    #[error("the new operator token could not be printed; give --operator-token-file")]
    Print(#[source] io::Error),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// Makes an operator token if there is none yet. It goes to the file if one is given, else to
/// standard output; never to the log.
pub async fn operator_token(store: &Store, file: Option<&Path>) -> Result<(), BootstrapError> {
    let token = OperatorToken::generate()?;
    let mut tx = store.platform(&Actor::system("first-start")).await?;
    if store::operator_token::create_first(&mut tx, NAME, &token.digest()).await?.is_none() {
        return Ok(());
    }
    // The token is shown before it is committed: a token that is in the database alone would be
    // lost for good.
    let Some(path) = file else {
        print(&token).map_err(BootstrapError::Print)?;
        return Ok(tx.commit().await?);
    };
    write_new(path, &token)
        .map_err(|source| BootstrapError::File { path: path.to_owned(), source })?;
    if let Err(error) = tx.commit().await {
        let _ = fs::remove_file(path);
        return Err(error.into());
    }
    tracing::info!(path = %path.display(), "made the first operator token");
    Ok(())
}

fn print(token: &OperatorToken) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "Operator token, shown only this once: {}", token.reveal())?;
    out.flush()
}

/// Writes a file that only its owner can read, and that did not exist.
fn write_new(path: &Path, token: &OperatorToken) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{}", token.reveal())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_token_file_is_private_and_never_overwritten() {
        let directory = std::env::temp_dir().join(format!("tenantry-token-{}", store::new_id()));
        fs::create_dir(&directory).unwrap();
        let path = directory.join("token");
        let token = OperatorToken::generate().unwrap();
        write_new(&path, &token).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&path).unwrap().trim(), token.reveal());
        assert_eq!(write_new(&path, &token).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        fs::remove_dir_all(&directory).unwrap();
    }
}
