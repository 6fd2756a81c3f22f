//! Checks a chain row by row, without the database: each hash is computed again from what the row
//! says.

use thiserror::Error;
use uuid::Uuid;

use super::row::AuditRow;

/// What was known of a chain at an earlier time. A chain whose last rows were cut off is a chain
/// like any other; only what was noted elsewhere shows it.
#[derive(Clone, Debug, Default)]
pub struct Noted {
    /// The hash of the last row then, in hexadecimal digits.
    pub head: Option<String>,
    /// How many rows there were.
    pub rows: Option<i64>,
}

/// A chain in which nothing is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intact {
    /// Whose it is; `None` if there was no row.
    pub tenant: Option<Uuid>,
    /// How many rows it has.
    pub rows: i64,
    /// The hash of the last one; empty if there is none.
    pub head: String,
}

/// The first thing that is wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The fields do not come to the hash.
    #[error("row {seq} was edited: its fields do not come to its hash")]
    Edited {
        /// Its place.
        seq: i64,
    },
    /// A row is not there, and a later one is.
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
    /// There is another row in a place that was taken.
    #[error("row {seq} was inserted: there is a row {seq} before it")]
    Inserted {
        /// The place that both have.
        seq: i64,
    },
    /// The row is whole, and follows another row than the one before it.
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
        /// Whose chain that is.
        tenant: Uuid,
    },
    /// The line is no row.
    #[error("row {seq} cannot be read: {reason}")]
    Unreadable {
        /// The place where it stands.
        seq: i64,
        /// Why.
        reason: String,
    },
    /// The chain was longer.
    #[error("row {seq} is missing at the end: there were {noted} rows")]
    Truncated {
        /// The first place that is missing.
        seq: i64,
        /// How many rows there were.
        noted: i64,
    },
    /// The row that was the last one has another hash now, and so has everything that follows it.
    #[error(
        "row {seq} or one before it was replaced, with all hashes made anew: its hash was noted as {noted}"
    )]
    Rewritten {
        /// Its place.
        seq: i64,
        /// The hash that it had.
        noted: String,
    },
    /// No row has the hash that was noted.
    #[error(
        "the rows end at {rows}, and none has the noted hash {noted}: rows after it were cut off, or the chain was made anew"
    )]
    HeadNotFound {
        /// How many rows there are.
        rows: i64,
        /// The hash.
        noted: String,
    },
}

impl Fault {
    /// The first place at which the chain is not what it was; the one after the last row, if it
    /// ends too early.
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
    /// A checker that has seen nothing yet.
    pub fn new(noted: Noted) -> Self {
        Self { noted, ..Self::default() }
    }

    /// The place of the row that it takes next.
    pub fn next_seq(&self) -> i64 {
        self.rows.saturating_add(1)
    }

    /// Takes the next row.
    ///
    /// # Errors
    /// What is wrong with it. There is no going on after that.
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

    /// There are no more rows.
    ///
    /// # Errors
    /// The chain does not reach as far as was noted.
    pub fn end(self) -> Result<Intact, Fault> {
        let Self { noted, tenant, rows, head, noted_head_seen } = self;
        if let Some(noted) = noted.rows.filter(|noted| *noted > rows) {
            return Err(Fault::Truncated { seq: rows.saturating_add(1), noted });
        }
        match noted.head {
            // Of nothing, the hash is empty.
            Some(noted) if !noted_head_seen && !noted.is_empty() => {
                Err(Fault::HeadNotFound { rows, noted })
            }
            _ => Ok(Intact { tenant, rows, head }),
        }
    }
}
