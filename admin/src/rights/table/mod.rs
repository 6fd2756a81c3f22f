//! The permission table: one row for each operation, a file for each context. The router asks it
//! before each request and the OpenAPI document shows it. Tests fail if an operation has no row, if
//! a row has no operation, or if any principal gets another answer than its row says.

mod accounts;
mod clients;
mod insight;
mod platform;
mod publishing;
mod tenancy;

use std::time::Duration;

use super::permissions::Who;
use crate::bounds;

/// The rows, by context.
const TABLE: &[&[Operation]] = &[
    platform::OPERATIONS,
    accounts::OPERATIONS,
    tenancy::OPERATIONS,
    publishing::OPERATIONS,
    clients::OPERATIONS,
    insight::OPERATIONS,
];

/// Facts about an operation that follow neither from its method nor from its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The `operationId`.
    pub id: &'static str,
    /// The callers that may use it.
    pub who: Who,
    /// The time that a request may take, without `?wait=`.
    pub time: Duration,
    /// Answers beside those that its method and path bring: status, and name in the document.
    pub answers: &'static [(&'static str, &'static str)],
}

/// A row: 30 seconds, and only the answers that method and path bring.
const fn row(id: &'static str, who: Who) -> Operation {
    Operation { id, who, time: bounds::REQUEST_TIME, answers: &[] }
}

impl Operation {
    const fn takes(self, time: Duration) -> Self {
        Self { time, ..self }
    }

    const fn answers(self, answers: &'static [(&'static str, &'static str)]) -> Self {
        Self { answers, ..self }
    }
}

/// All operations.
pub fn all() -> impl Iterator<Item = &'static Operation> {
    TABLE.iter().copied().flatten()
}

/// The operation with this id; `None` if it has no row.
pub fn find(id: &str) -> Option<&'static Operation> {
    all().find(|operation| operation.id == id)
}

/// The callers that may use the operation with this id; `None` if it has no row.
pub fn who(id: &str) -> Option<Who> {
    find(id).map(|operation| operation.who)
}
