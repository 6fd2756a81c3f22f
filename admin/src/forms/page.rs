//! Lists come in pages. The cursor is opaque to clients: it is the id after which the next page
//! begins.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::bounds;
use crate::forms::check::Check;
use crate::http::problem::Problem;

/// The first byte of a cursor, so that its form can change.
const CURSOR_FORM: u8 = 1;

/// The query of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// The most items to return.
    #[param(
        minimum = 1,
        maximum = 200,
        default = 50,
        required = false,
        nullable = false,
        value_type = i64
    )]
    limit: Option<String>,
    /// The `next_cursor` of the previous page.
    #[param(required = false, nullable = false, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

/// The rows to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    limit: u32,
    after: Option<Uuid>,
}

impl PageQuery {
    /// Reads the limit and the cursor.
    pub fn wanted(&self) -> Result<Wanted, Problem> {
        let mut check = Check::new();
        let limit = limit(&mut check, self.limit.as_deref());
        let mut after = None;
        if let Some(text) = &self.cursor {
            after = check.take("cursor", read(text).ok_or("is not a cursor that a list gave"));
        }
        check.finish()?;
        Ok(Wanted { limit, after })
    }
}

/// Reads the greatest number of items of a page.
pub fn limit(check: &mut Check, given: Option<&str>) -> u32 {
    let mut limit = bounds::PAGE_DEFAULT;
    if let Some(text) = given {
        limit = check
            .take("limit", text.parse::<i64>().map_err(|_| "must be a number"))
            .unwrap_or(limit);
        check.range("limit", limit, &bounds::PAGE);
    }
    u32::try_from(limit).unwrap_or_default()
}

impl Wanted {
    /// The rows to ask the store for: one more than the page, to know if there is a next one.
    pub fn rows(&self) -> store::Page {
        store::Page { limit: self.limit.saturating_add(1), after: self.after }
    }

    /// The page, made of the rows that the store gave. It ends before its limit if its items are
    /// large.
    pub fn page<R, T: From<R> + Serialize>(
        &self,
        rows: Vec<R>,
        id: impl Fn(&R) -> Uuid,
    ) -> Page<T> {
        let available = rows.len();
        let mut page = Page { items: Vec::new(), next_cursor: None };
        let mut bytes = 0_usize;
        let mut last = None;
        for row in rows.into_iter().take(self.limit as usize) {
            let here = id(&row);
            let item = T::from(row);
            bytes = bytes.saturating_add(json_bytes(&item));
            if bytes > bounds::PAGE_BYTES && !page.items.is_empty() {
                break;
            }
            page.items.push(item);
            last = Some(here);
        }
        page.next_cursor = last.filter(|_| page.items.len() < available).map(write);
        page
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

/// The length of the JSON of an item.
fn json_bytes(item: &impl Serialize) -> usize {
    let mut count = Count(0);
    // Writing cannot fail; an item that has no JSON fails later, when the answer is made.
    let _ = serde_json::to_writer(&mut count, item);
    count.0
}

/// Counts written bytes.
struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
        for wrong in
            ["", "AQ", "!", "00000000-0000-0000-0000-000000000007", "AgAAAAAAAAAAAAAAAAAAAAc"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    /// An id, and a text that is so long.
    #[derive(Serialize)]
    struct Row(u128, String);

    fn pages(lengths: &[usize], limit: u32) -> Vec<Vec<u128>> {
        let mut after = 0;
        let mut pages = Vec::new();
        loop {
            let rows = lengths
                .iter()
                .enumerate()
                .map(|(index, length)| Row(index as u128 + 1, "x".repeat(*length)));
            let rows: Vec<Row> =
                rows.filter(|row| row.0 > after).take(limit as usize + 1).collect();
            let page: Page<Row> =
                Wanted { limit, after: None }.page(rows, |row| Uuid::from_u128(row.0));
            pages.push(page.items.iter().map(|row| row.0).collect());
            let Some(cursor) = page.next_cursor else { return pages };
            after = read(&cursor).unwrap().as_u128();
        }
    }

    #[test]
    fn a_page_ends_at_its_limit_or_when_it_is_long() {
        assert_eq!(pages(&[], 2), [Vec::<u128>::new()]);
        assert_eq!(pages(&[1, 1], 2), [vec![1, 2]]);
        assert_eq!(pages(&[1, 1, 1], 2), [vec![1, 2], vec![3]]);
        let half = bounds::PAGE_BYTES / 2 - 100;
        assert_eq!(pages(&[half, half, half, 1], 10), [vec![1, 2], vec![3, 4]]);
        let whole = bounds::PAGE_BYTES;
        assert_eq!(pages(&[whole, whole, 1], 10), [vec![1], vec![2], vec![3]]);
    }

    #[test]
    fn a_limit_is_a_number_within_bounds() {
        for (limit, good) in
            [("1", true), ("200", true), ("0", false), ("201", false), ("x", false), ("-1", false)]
        {
            let query = PageQuery { limit: Some(limit.into()), cursor: None };
            assert_eq!(query.wanted().is_ok(), good, "{limit}");
        }
    }
}
