//! The facts that a look collects, and the findings that it comes to.

use std::fmt;

use store::envoy::StreamState;
use store::lookup::Held;

/// One step that is well, or is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// True if it is well.
    pub good: bool,
    /// The observation, and the remedy if it is not well.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", if self.good { "ok   " } else { "WRONG" }, self.text)
    }
}

/// The facts from the database.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// The last change of the log.
    pub(super) head: i64,
    /// The streams of all Envoys.
    pub(super) streams: Vec<StreamState>,
    /// The site that was asked about; `None` if it does not exist.
    pub(super) site: Option<SiteFacts>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct SiteFacts {
    pub(super) cells: Vec<String>,
    /// Why xds-server cannot make its resources.
    pub(super) untranslatable: Option<String>,
    pub(super) held: Option<Held>,
}
