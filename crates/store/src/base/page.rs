//! Pages of lists, which are in the order of the ids, that is of creation.

use uuid::Uuid;

/// A part of a list.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// The most rows. Ask for one more than is shown to learn about a next page.
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

    /// Returns the id before the page: the nil UUID is below every id, so one range condition
    /// serves all pages.
    pub(crate) fn after(self) -> Uuid {
        self.after.unwrap_or(Uuid::nil())
    }
}
