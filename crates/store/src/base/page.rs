//! Pages of lists, which are in the order of the ids, that is of creation.

use uuid::Uuid;

/// Which part of a list to read.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// How many rows at most. Ask for one more than is shown to learn whether there is a next page.
    pub limit: u32,
    /// The id of the last row of the page before; `None` for the first page.
    pub after: Option<Uuid>,
}

impl Page {
    /// The first page.
    pub fn first(limit: u32) -> Self {
        Self { limit, after: None }
    }

    pub(crate) fn limit(self) -> i64 {
        i64::from(self.limit)
    }

    /// The id that precedes the page: the nil UUID is below every id, so that one range condition
    /// serves all pages.
    pub(crate) fn after(self) -> Uuid {
        self.after.unwrap_or(Uuid::nil())
    }
}
