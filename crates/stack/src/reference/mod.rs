//! Pages of `docs/` that are made from the code: the flags of the programs, their metrics, the
//! permissions.
//!
//! A page has regions, each between `<!-- begin: <name> -->` and `<!-- end: <name> -->`, and each
//! made by one test. The rest of the page is written by hand.

mod flag_tables;
mod metric_table;

use std::fs;

use crate::workspace_root;

pub use flag_tables::flag_tables;
pub use metric_table::{Metric, described_metrics, metric_table};

/// Compares a region of a page with the text that the code makes. With `UPDATE_GOLDEN` set, as
/// `cargo xtask golden` does, it writes the text into the page.
///
/// # Panics
/// If the page differs, or has no such region.
pub fn hold(page: &str, region: &str, text: &str) {
    let path = workspace_root().join(page);
    let current = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
    let wanted = replaced(&current, region, text).unwrap_or_else(|| {
        panic!("{page} has no region `<!-- begin: {region} -->`, or no end of it")
    });
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, wanted).unwrap_or_else(|error| panic!("{page}: {error}"));
    } else {
        assert!(
            current == wanted,
            "{page} does not say what the code does ({region}): run `cargo xtask golden`, and \
             review the difference"
        );
    }
}

/// The page with another text in a region; `None` if the region is not there.
fn replaced(page: &str, region: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- begin: {region} -->"), format!("<!-- end: {region} -->"));
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n\n{}\n\n{end}{after}", text.trim()))
}

/// A text as it stands in a cell of a table: one line, without what would end the cell.
fn cell(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace('|', "\\|").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_replaced_and_nothing_else() {
        let page = "# Flags\n<!-- begin: a -->\nold\n<!-- end: a -->\nby hand\n";
        let new = replaced(page, "a", "new\n").unwrap();
        assert_eq!(new, "# Flags\n<!-- begin: a -->\n\nnew\n\n<!-- end: a -->\nby hand\n");
        assert_eq!(replaced(&new, "a", "new").unwrap(), new, "twice is once");
        assert_eq!(replaced(page, "b", "new"), None);
    }
}
