//! Cells: groups of Envoys that serve the same tenants, by their names.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// The cell of a tenant that was placed in no other.
pub const DEFAULT: &str = "default";

/// The longest name: it is a DNS label, so that it can be part of a hostname or of a URI as it is.
const MAX_LEN: usize = 63;

/// The name of a cell: the `node.cluster` of its Envoys. Clones share the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellName(Arc<str>);

/// A text that cannot name a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the name of a cell is 1 to 63 lower-case letters, digits and hyphens, with no hyphen at \
     either end"
)]
pub struct CellNameError;

impl CellName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for CellName {
    fn default() -> Self {
        Self(DEFAULT.into())
    }
}

impl FromStr for CellName {
    type Err = CellNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let hyphen_at_an_end = text.starts_with('-') || text.ends_with('-');
        if (1..=MAX_LEN).contains(&text.len()) && text.bytes().all(allowed) && !hyphen_at_an_end {
            Ok(Self(text.into()))
        } else {
            Err(CellNameError)
        }
    }
}

impl fmt::Display for CellName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CellName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_named_by_a_dns_label() {
        let longest = "a".repeat(63);
        for good in [DEFAULT, "a", "eu-1", "0", longest.as_str()] {
            assert_eq!(good.parse::<CellName>().map(|name| name.to_string()), Ok(good.to_owned()));
        }
        let too_long = "a".repeat(64);
        for bad in ["", "-a", "a-", "A", "a.b", "a/b", "ä", "a b", too_long.as_str()] {
            assert_eq!(bad.parse::<CellName>(), Err(CellNameError), "{bad}");
        }
    }
}
