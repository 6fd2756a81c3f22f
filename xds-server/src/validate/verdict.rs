//! The finding of a validating Envoy.

use policy::id::SiteId;

use crate::resource::Named;

/// Resources that Envoy would not take.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The site.
    pub site: SiteId,
    /// The resources that were served of it.
    pub group: Vec<Named>,
    /// Envoy's reason.
    pub reason: String,
}
