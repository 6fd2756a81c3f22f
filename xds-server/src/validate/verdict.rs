//! The finding of a validating Envoy.

use policy::id::SiteId;

use crate::resource::Named;

/// What Envoy would not take.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The site.
    pub site: SiteId,
    /// What was served of it.
    pub group: Vec<Named>,
    /// What Envoy says of it.
    pub reason: String,
}
