//! Which credentials a request needs, as the filter uses it.

use crate::settings::Method;
use crate::wire::{self, RequirementMode, method_bit};

/// Which credentials a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// None.
    Public,
    /// One of these.
    AnyOf(Methods),
    /// All of these.
    AllOf(Methods),
}

/// A set of ways to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Methods(u32);

impl Methods {
    /// Whether the set has the method.
    pub fn has(self, method: Method) -> bool {
        self.0 & method_bit(method) != 0
    }
}

impl Requirement {
    /// Reads a pushed requirement; what it does not know is something that nobody has.
    pub fn decode(requirement: &wire::Requirement) -> Self {
        match requirement.mode() {
            RequirementMode::Public => Self::Public,
            RequirementMode::AnyOf => Self::AnyOf(Methods(requirement.methods)),
            RequirementMode::AllOf if requirement.methods != 0 => {
                Self::AllOf(Methods(requirement.methods))
            }
            RequirementMode::AllOf | RequirementMode::Unknown => Self::AnyOf(Methods(0)),
        }
    }

    /// Whether this way to authenticate can be of use.
    pub fn names(self, method: Method) -> bool {
        match self {
            Self::Public => false,
            Self::AnyOf(methods) | Self::AllOf(methods) => methods.has(method),
        }
    }
}

impl Default for Requirement {
    fn default() -> Self {
        Self::AnyOf(Methods(method_bit(Method::Key)))
    }
}
