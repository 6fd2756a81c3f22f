//! The states of a tenant.

use serde::{Deserialize, Serialize};

/// The state of a tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is served.
    #[default]
    Active,
    /// Its traffic is refused, and its members may only read.
    Suspended,
    /// It is served until a time that its members see, and erased after it.
    Closing,
}

impl Status {
    /// Returns the word for it in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Closing => "closing",
        }
    }

    /// Reads what a CHECK of the table has let in.
    pub(crate) fn of_row(text: &str) -> Self {
        match text {
            "suspended" => Self::Suspended,
            "closing" => Self::Closing,
            _ => Self::Active,
        }
    }
}
