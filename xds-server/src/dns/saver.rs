//! Answers on their way to the database.

use std::net::IpAddr;

use store::{Reader, StoreError, dns_cache};

use super::report;
use crate::saver::{SavedRow, TextDigest};

/// The answers that are to be written, by the names.
pub type Saver = crate::saver::Saver<SavedAddresses>;

/// The addresses of a name; none, and its row goes.
#[derive(Clone, Debug)]
pub struct SavedAddresses(pub(super) Option<Vec<IpAddr>>);

impl SavedRow for SavedAddresses {
    const WHAT: &'static str = "addresses of names";
    const ERRORS: &'static str = report::DNS_SAVE_ERRORS;

    async fn save(&self, reader: &Reader, digest: &TextDigest) -> Result<(), StoreError> {
        match &self.0 {
            Some(addresses) => dns_cache::put(reader, digest, addresses).await,
            None => dns_cache::remove(reader, digest).await,
        }
    }
}
