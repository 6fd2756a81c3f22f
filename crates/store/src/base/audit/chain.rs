//! Checks a chain row by row, without the database: each hash is computed again from the fields of
//! its row.

use thiserror::Error;
use uuid::Uuid;

use super::row::AuditRow;

/// The head of a chain as noted at an earlier time. A chain whose last rows were cut off is a chain
/// like any other; only a note made elsewhere shows it.
#[derive(Clone, Debug, Default)]
pub struct Noted {
    /// The hash of the last row then, in hexadecimal digits.
    pub head: Option<String>,
    /// The number of rows then.
    pub rows: Option<i64>,
}

/// A chain in which nothing is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intact {
    /// The owner; `None` if there was no row.
    pub tenant: Option<Uuid>,
    /// The number of rows.
    pub rows: i64,
    /// The hash of the last one; empty if there is none.
    pub head: String,
}

/// The first fault of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The fields do not hash to the row's hash.
    #[error("row {seq} was edited: its fields do not come to its hash")]
    Edited {
        /// Its place.
        seq: i64,
    },
    /// A row is missing, and a later one is there.
    #[error("row {seq} is missing: row {found} stands in its place")]
    Missing {
        /// Its place.
        seq: i64,
        /// The row that is there instead.
        found: i64,
    },
    /// A row stands after a later one.
    #[error("row {seq} is out of order: row {found} stands in its place")]
    Reordered {
        /// Its place.
        seq: i64,
        /// The row that is there instead.
        found: i64,
    },
    /// Two rows have the same place.
    #[error("row {seq} was inserted: there is a row {seq} before it")]
    Inserted {
        /// The place that both have.
        seq: i64,
    },
    /// The row is intact, and does not follow the row before it.
    #[error("row {seq} does not follow the row before it: that one was replaced, or this one was")]
    Unlinked {
        /// Its place.
        seq: i64,
    },
    /// The row is of another chain.
    #[error("row {seq} is in the chain of {tenant}")]
    Foreign {
        /// Its place in that chain.
        seq: i64,
        /// The owner of that chain.
        tenant: Uuid,
    },
    /// The line is no row.
    #[error("row {seq} cannot be read: {reason}")]
    Unreadable {
        /// The place where it stands.
        seq: i64,
        /// The reason.
        reason: String,
    },
    /// The chain was longer.
    #[error("row {seq} is missing at the end: there were {noted} rows")]
    Truncated {
        /// The first place that is missing.
        seq: i64,
        /// The number of rows then.
        noted: i64,
    },
    /// The row that was the last has another hash now, and so has every row after it.
    #[error(
        "row {seq} or one before it was replaced, with all hashes made anew: its hash was noted \
         as {noted}"
    )]
    Rewritten {
        /// Its place.
        seq: i64,
        /// The hash that it had.
        noted: String,
    },
    /// No row has the hash that was noted.
    #[error(
        "the rows end at {rows}, and none has the noted hash {noted}: rows after it were cut off, \
         or the chain was made anew"
    )]
    HeadNotFound {
        /// The number of rows.
        rows: i64,
        /// The hash.
        noted: String,
    },
}

impl Fault {
    /// Returns the first place at which the chain is not as it was; the one after the last row, if
    /// it ends too early.
    pub fn seq(&self) -> i64 {
        match self {
            Self::Edited { seq }
            | Self::Missing { seq, .. }
            | Self::Reordered { seq, .. }
            | Self::Inserted { seq }
            | Self::Unlinked { seq }
            | Self::Foreign { seq, .. }
            | Self::Unreadable { seq, .. }
            | Self::Truncated { seq, .. }
            | Self::Rewritten { seq, .. } => *seq,
            Self::HeadNotFound { rows, .. } => rows.saturating_add(1),
        }
    }
}

/// Takes the rows of one chain in their order.
#[derive(Debug, Default)]
pub struct Checker {
    noted: Noted,
    tenant: Option<Uuid>,
    rows: i64,
    head: String,
    noted_head_seen: bool,
}

impl Checker {
    /// Makes a checker that has seen nothing yet.
    pub fn new(noted: Noted) -> Self {
        Self { noted, ..Self::default() }
    }

    /// Returns the place of the row that it takes next.
    pub fn next_seq(&self) -> i64 {
        self.rows.saturating_add(1)
    }

    /// Takes the next row.
    ///
    /// # Errors
    /// The fault of the row. The checker cannot go on after that.
    pub fn take(&mut self, row: &AuditRow) -> Result<(), Fault> {
        let (seq, next) = (row.seq, self.next_seq());
        if *self.tenant.get_or_insert(row.tenant_id) != row.tenant_id {
            return Err(Fault::Foreign { seq, tenant: row.tenant_id });
        }
        if seq > next {
            return Err(Fault::Missing { seq: next, found: seq });
        }
        if seq < next {
            return Err(if seq < 1 { Fault::Edited { seq } } else { Fault::Inserted { seq } });
        }
        if row.computed_hash().as_ref() != Some(&row.hash) {
            return Err(Fault::Edited { seq });
        }
        if row.prev_hash != self.head {
            return Err(Fault::Unlinked { seq });
        }
        if let Some(noted) = &self.noted.head {
            let same = *noted == row.hash;
            if self.noted.rows == Some(seq) && !same {
                return Err(Fault::Rewritten { seq, noted: noted.clone() });
            }
            self.noted_head_seen |= same;
        }
        self.rows = seq;
        self.head.clone_from(&row.hash);
        Ok(())
    }

    /// Ends the check after the last row.
    ///
    /// # Errors
    /// The fault of a chain that does not reach as far as was noted.
    pub fn end(self) -> Result<Intact, Fault> {
        let Self { noted, tenant, rows, head, noted_head_seen } = self;
        if let Some(noted) = noted.rows.filter(|noted| *noted > rows) {
            return Err(Fault::Truncated { seq: rows.saturating_add(1), noted });
        }
        match noted.head {
            // The hash of an empty chain is empty.
            Some(noted) if !noted_head_seen && !noted.is_empty() => {
                Err(Fault::HeadNotFound { rows, noted })
            }
            _ => Ok(Intact { tenant, rows, head }),
        }
    }
}
