//! Environment variables that were renamed.

use std::ffi::OsString;

use thiserror::Error;

/// A variable is set that the program no longer reads.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{old} is no longer read: set {new} instead, and remove {old}")]
pub struct OldVariable {
    /// The name that is set.
    pub old: &'static str,
    /// The name to set instead.
    pub new: &'static str,
}

/// Refuses a start with a renamed variable: the program would silently run with a default. `env`
/// reads the environment, as [`std::env::var_os`] does.
///
/// # Errors
/// When `old` is set, to whatever value, whether `new` is set or not.
pub fn refuse_old_variable(
    old: &'static str,
    new: &'static str,
    env: impl FnOnce(&'static str) -> Option<OsString>,
) -> Result<(), OldVariable> {
    match env(old) {
        Some(_) => Err(OldVariable { old, new }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_name_is_named() {
        let refused = refuse_old_variable("TENANTRY_LISTEN", "TENANTRY_ADMIN_LISTEN", |name| {
            (name == "TENANTRY_LISTEN").then(|| OsString::from("127.0.0.1:1"))
        });
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("TENANTRY_LISTEN is no longer read"), "{message}");
        assert!(message.contains("set TENANTRY_ADMIN_LISTEN"), "{message}");
        assert_eq!(refuse_old_variable("TENANTRY_LISTEN", "X", |_| None), Ok(()));
    }
}
