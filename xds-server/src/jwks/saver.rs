//! Sets on their way to the database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use store::{Reader, StoreError, jwks_cache};

use super::report;
use crate::saver::{SavedRow, TextDigest};

/// The sets that are to be written, by their URLs.
pub type Saver = crate::saver::Saver<SavedSet>;

/// The new content of a URL's row.
#[derive(Clone, Debug)]
pub enum SavedSet {
    /// It holds this set.
    Set {
        /// The JWK Set, in JSON.
        set: Arc<str>,
        /// The time of reading.
        read_at: Instant,
        /// For how long it is good.
        lifetime: Duration,
    },
    /// It goes.
    Gone,
}

impl SavedRow for SavedSet {
    const WHAT: &'static str = "JWK Sets";
    const ERRORS: &'static str = report::JWKS_SAVE_ERRORS;

    async fn save(&self, reader: &Reader, digest: &TextDigest) -> Result<(), StoreError> {
        match self {
            Self::Set { set, read_at, lifetime } => {
                jwks_cache::put(reader, digest, set, read_at.elapsed(), *lifetime).await
            }
            Self::Gone => jwks_cache::remove(reader, digest).await,
        }
    }
}
