//! The limits of a platform plan that the database itself keeps.

/// The limits of a platform plan that the database holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanLimit {
    /// Sites.
    Sites,
    /// Routes in all sites.
    Routes,
    /// Keys that work.
    Keys,
    /// Members.
    Members,
    /// The bytes of the configuration.
    ConfigBytes,
}

impl PlanLimit {
    pub(crate) const ALL: [Self; 5] =
        [Self::Sites, Self::Routes, Self::Keys, Self::Members, Self::ConfigBytes];

    /// Returns the name of the limit in the plan.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sites => "sites",
            Self::Routes => "routes",
            Self::Keys => "keys",
            Self::Members => "members",
            Self::ConfigBytes => "config_bytes",
        }
    }
}
