//! Lists come in pages. The cursor is opaque to clients: it is the id after which the next page begins.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::check::Check;
use crate::limits;
use crate::problem::Problem;

/// The first byte of a cursor, so that its form can change.
const CURSOR_FORM: u8 = 1;

/// The query of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many items to give at most.
    #[param(minimum = 1, maximum = 200, default = 50, required = false, nullable = false, value_type = i64)]
    limit: Option<String>,
    /// Where to go on: `next_cursor` of the page before.
    #[param(required = false, nullable = false, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

/// Which rows to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    limit: u32,
    after: Option<Uuid>,
}

impl PageQuery {
    /// Reads the limit and the cursor.
    pub fn wanted(&self) -> Result<Wanted, Problem> {
        let mut check = Check::new();
        let mut limit = limits::PAGE_DEFAULT;
        if let Some(text) = &self.limit {
            limit = check.take("limit", text.parse::<i64>().map_err(|_| "must be a number")).unwrap_or(limit);
            check.range("limit", limit, &limits::PAGE);
        }
        let mut after = None;
        if let Some(text) = &self.cursor {
            after = check.take("cursor", read(text).ok_or("is not a cursor that a list gave"));
        }
        check.finish()?;
        Ok(Wanted { limit: u32::try_from(limit).unwrap_or_default(), after })
    }
}

impl Wanted {
    /// What to ask the store for: one row more than the page, to know whether there is a next one.
    pub fn rows(&self) -> store::Page {
        store::Page { limit: self.limit.saturating_add(1), after: self.after }
    }

    /// The page, made of the rows that the store gave.
    pub fn page<R, T: From<R>>(&self, mut rows: Vec<R>, id: impl Fn(&R) -> Uuid) -> Page<T> {
        let limit = self.limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(|row| write(id(row)));
        Page { items: rows.into_iter().map(T::from).collect(), next_cursor }
    }
}

/// One page of a list, in the order in which the items were made.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    items: Vec<T>,
    /// Give this as `cursor` to get the next page; null on the last one.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

fn write(id: Uuid) -> String {
    let mut bytes = vec![CURSOR_FORM];
    bytes.extend_from_slice(id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read(cursor: &str) -> Option<Uuid> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (form, id) = bytes.split_first()?;
    if *form == CURSOR_FORM { Uuid::from_slice(id).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back() {
        let id = Uuid::from_u128(7);
        assert_eq!(read(&write(id)), Some(id));
        for wrong in ["", "AQ", "!", "00000000-0000-0000-0000-000000000007", "AgAAAAAAAAAAAAAAAAAAAAc"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_limit_is_a_number_within_bounds() {
        for (limit, good) in [("1", true), ("200", true), ("0", false), ("201", false), ("x", false), ("-1", false)] {
            let query = PageQuery { limit: Some(limit.into()), cursor: None };
            assert_eq!(query.wanted().is_ok(), good, "{limit}");
        }
    }
}
