//! Environment variables that were renamed.

use thiserror::Error;

/// A variable is set that the program no longer reads.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{old} is no longer read: set {new} instead")]
pub struct OldVariable {
    /// The name that is set.
    pub old: &'static str,
    /// The name to set instead.
    pub new: &'static str,
}

/// Refuses an environment that sets a renamed variable by its old name alone: the program would
/// run with a default that its operator does not mean. An environment may set both, for a program
/// of an earlier release beside this one.
///
/// # Errors
/// `old` is set and `new` is not.
pub fn refuse_old_variable(
    old: &'static str,
    new: &'static str,
    is_set: impl Fn(&str) -> bool,
) -> Result<(), OldVariable> {
    if is_set(old) && !is_set(new) { Err(OldVariable { old, new }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_name_alone_is_refused_and_the_new_one_named() {
        let check = |set: &[&str]| {
            refuse_old_variable("OLD_LISTEN", "NEW_LISTEN", |name| set.contains(&name))
        };
        for good in [&[][..], &["NEW_LISTEN"], &["OLD_LISTEN", "NEW_LISTEN"]] {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
        let message = check(&["OLD_LISTEN"]).unwrap_err().to_string();
        assert_eq!(message, "OLD_LISTEN is no longer read: set NEW_LISTEN instead");
    }
}
