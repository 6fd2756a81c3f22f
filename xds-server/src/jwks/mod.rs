//! The keys of token issuers that publish them by a URL (`jwks_uri`): read, kept fresh, and pushed.
//!
//! A request never waits for a key: the filter has the set that was fetched last. So a key that an
//! issuer begins to sign with is known here one lifetime of the set later, at the latest. The
//! lifetime is the issuer's `Cache-Control: max-age`, between [`MIN_LIFETIME`] and
//! [`MAX_LIFETIME`], [`DEFAULT_LIFETIME`] if there is none, and never more than the operator allows
//! (`--jwks-max-lifetime-s`). Issuers publish a key some time before they use it, for the same
//! reason. A key that an issuer takes away ends within the same time.
//!
//! While an issuer cannot be reached, or its answer is no JWK Set, the last good set stays. It
//! outlives this program too, in the table `jwks_cache`, so that no Envoy loses a working issuer
//! because this program was started again in a bad moment.
//!
//! | part | what it does |
//! |---|---|
//! | `fetch`, `lifetime`, `set` | one reading of a URL, and what is taken from the answer |
//! | `keyring` | the sets, who uses them, and putting them into what is pushed |
//! | `saver` | writing them to the database |
//! | `worker` | the task that moves all of them |

mod fetch;
mod keyring;
mod lifetime;
pub(crate) mod report;
mod saver;
mod set;
mod worker;

pub use fetch::{FetchError, FetchSettings, Fetched, Fetcher, FetcherError, TIMEOUT};
pub use keyring::{HeldKeyring, Keyring, Restored};
pub use lifetime::{DEFAULT_LIFETIME, MAX_LIFETIME, MIN_LIFETIME, lifetime};
pub use saver::Saver;
pub use set::{KeySet, SetError};
pub use worker::Worker;

pub use crate::schedule::Known;
