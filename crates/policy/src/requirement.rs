//! The credentials that a request needs, as the filter uses them.

use crate::settings::AuthMethod;
use crate::wire::{self, RequirementMode};

/// The credentials that a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// None.
    Public,
    /// One of these.
    AnyOf(AuthMethods),
    /// All of these.
    AllOf(AuthMethods),
}

/// A set of ways to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthMethods(u32);

impl AuthMethods {
    /// The set of these methods.
    pub fn of(methods: &[AuthMethod]) -> Self {
        Self(methods.iter().fold(0, |all, method| all | bit(*method)))
    }

    /// The bits of [`wire::Requirement::methods`].
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Returns true if the set has the method.
    pub fn has(self, method: AuthMethod) -> bool {
        self.0 & bit(method) != 0
    }
}

/// The bit of a method in [`wire::Requirement::methods`].
const fn bit(method: AuthMethod) -> u32 {
    match method {
        AuthMethod::Key => 1,
        AuthMethod::Jwt => 2,
        AuthMethod::Signature => 4,
    }
}

impl Requirement {
    /// Reads a pushed requirement; an unknown one is met by nobody.
    pub fn decode(requirement: &wire::Requirement) -> Self {
        match requirement.mode() {
            RequirementMode::Public => Self::Public,
            RequirementMode::AnyOf => Self::AnyOf(AuthMethods(requirement.methods)),
            RequirementMode::AllOf if requirement.methods != 0 => {
                Self::AllOf(AuthMethods(requirement.methods))
            }
            RequirementMode::AllOf | RequirementMode::Unknown => Self::AnyOf(AuthMethods(0)),
        }
    }

    /// Returns true if this way to authenticate can be of use.
    pub fn names(self, method: AuthMethod) -> bool {
        match self {
            Self::Public => false,
            Self::AnyOf(methods) | Self::AllOf(methods) => methods.has(method),
        }
    }
}

impl Default for Requirement {
    fn default() -> Self {
        Self::AnyOf(AuthMethods(bit(AuthMethod::Key)))
    }
}
