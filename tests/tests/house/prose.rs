//! The form of comments: the first word of each, and the length of lines.

use crate::sources;

/// A comment says something of something: it begins with its subject, or with what the item does.
const NOT_FIRST: [&str; 9] =
    ["What", "Who", "Whoever", "Whether", "How", "Where", "When", "Which", "Whose"];

/// Columns of a line, as `rustfmt.toml` has them.
const COLUMNS: usize = 100;

/// The text of a line that is a comment.
fn comment(line: &str) -> Option<&str> {
    let line = line.trim_start();
    ["///", "//!", "//"].iter().find_map(|mark| line.strip_prefix(mark)).map(str::trim)
}

fn rust_files() -> Vec<String> {
    let files = sources::files("", "rs");
    assert!(files.len() > 500, "the source files were not found: {}", files.len());
    files
}

#[test]
fn no_comment_begins_with_a_question_word() {
    let mut found = Vec::new();
    for file in rust_files() {
        for (number, line) in sources::read(&file).lines().enumerate() {
            let word = comment(line).and_then(|text| text.split(' ').next()).unwrap_or_default();
            if NOT_FIRST.contains(&word.trim_end_matches(',')) {
                found.push(format!("{file}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(
        found.is_empty(),
        "{}\n{} comments; begin each with a noun, or with a verb that says what the item does",
        found.join("\n"),
        found.len()
    );
}

#[test]
fn no_line_is_longer_than_the_page() {
    let mut found = Vec::new();
    for file in rust_files() {
        for (number, line) in sources::read(&file).lines().enumerate() {
            if line.chars().count() > COLUMNS && !cannot_be_broken(line) {
                found.push(format!("{file}:{}: {} columns", number + 1, line.chars().count()));
            }
        }
    }
    assert!(found.is_empty(), "{}\n{} lines over {COLUMNS}", found.join("\n"), found.len());
}

/// True for a row of a table, and for a line of which one word alone is most: a URL, a digest, the
/// text of a wire format.
fn cannot_be_broken(line: &str) -> bool {
    comment(line).is_some_and(|text| text.starts_with('|'))
        || line.split_whitespace().any(|word| word.len() > COLUMNS / 2)
}
