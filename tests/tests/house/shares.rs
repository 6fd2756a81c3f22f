//! The page of shares names everything that tenants share: each cache, channel, semaphore and pool
//! in the code, and each table of PostgreSQL.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources;

pub(crate) const PAGE: &str = "docs/invariants/shares.md";

/// The folders of the code that serves tenants.
const ROOTS: [&str; 6] = [
    "admin/src",
    "crates/policy/src",
    "crates/service/src",
    "crates/store/src",
    "filter/src",
    "xds-server/src",
];

/// Calls that make something of which there is only so much.
const CALLS: [&str; 10] = [
    "mpsc::channel",
    "unbounded_channel",
    "broadcast::channel",
    "watch::channel",
    "Semaphore::new",
    "PgPoolOptions::new",
    "Cache::new",
    "Shares::new",
    "spawn_blocking(",
    "thread::Builder::new",
];

/// The last words of names of types that hold things of several tenants.
const HOLDERS: [&str; 11] = [
    "Book",
    "Buckets",
    "Cache",
    "Crowd",
    "Exchanges",
    "Hub",
    "Pending",
    "Pool",
    "Queue",
    "Roster",
    "Shortcuts",
];

/// Files that match, but hold nothing of tenants.
const NOTHING_SHARED: [(&str, &str); 1] =
    [("crates/policy/src/cache.rs", "the form of a cache; the rows name those that use it")];

/// The cells of a row.
const COLUMNS: [&str; 6] =
    ["resource", "bound", "a tenant's share", "over its share", "enforced in", "test"];

/// The rows of the page's tables, by line.
fn rows() -> BTreeMap<usize, Vec<String>> {
    let page = sources::read(PAGE);
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
    };
    let rows = page.lines().enumerate().filter(|(_, line)| line.starts_with('|'));
    rows.map(|(index, line)| (index + 1, cells(line)))
        .filter(|(_, cells)| cells[0] != COLUMNS[0] && !cells[0].starts_with("---"))
        .collect()
}

/// The texts between backticks of all rows.
fn named() -> BTreeSet<String> {
    let text: Vec<String> = rows().into_values().map(|cells| cells.join(" ")).collect();
    let text = text.join("\n");
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The first line of code that makes or defines something that is shared. Tests do not count.
fn first_match(code: &str) -> Option<(usize, &str)> {
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().enumerate();
    let mut lines = lines.filter(|(_, line)| !line.trim_start().starts_with("//"));
    lines.find(|(_, line)| CALLS.iter().any(|call| line.contains(call)) || defines_holder(line))
}

fn defines_holder(line: &str) -> bool {
    let Some((_, rest)) = line.split_once("struct ") else { return false };
    let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
    HOLDERS.iter().any(|holder| name.ends_with(holder))
}

/// The tables that the migrations create.
fn tables() -> BTreeSet<String> {
    let mut tables = BTreeSet::new();
    for file in sources::files("migrations", "sql") {
        for line in sources::read(&file).lines() {
            let line = line.trim_start().to_lowercase();
            let Some(rest) = line.strip_prefix("create table ") else { continue };
            let rest = rest.strip_prefix("if not exists ").unwrap_or(rest);
            tables.extend(rest.split([' ', '(']).next().map(str::to_owned));
        }
    }
    tables
}

#[test]
fn each_row_says_bound_share_answer_place_and_test() {
    let rows = rows();
    assert!(rows.len() > 30, "the rows of {PAGE} were not found: {}", rows.len());
    for (line, cells) in rows {
        assert_eq!(cells.len(), COLUMNS.len(), "{PAGE}:{line}: {cells:?}");
        for (column, cell) in COLUMNS.iter().zip(&cells) {
            assert!(!cell.is_empty(), "{PAGE}:{line}: say the {column}");
        }
        assert!(cells[4].contains('`'), "{PAGE}:{line}: name the file that enforces it");
    }
}

#[test]
fn the_tests_of_rows_exist() {
    let files = ["admin", "crates", "filter", "tests", "xds-server"];
    let code: Vec<_> = files.iter().flat_map(|root| sources::files(root, "rs")).collect();
    let code: Vec<_> = code.iter().map(|file| sources::read(file)).collect();
    for (line, cells) in rows() {
        for test in cells[5].split('`').skip(1).step_by(2).filter(|test| !test.contains('/')) {
            let function = format!("fn {test}(");
            let exists = code.iter().any(|code| code.contains(&function));
            assert!(exists, "{PAGE}:{line}: there is no test {test}");
        }
    }
}

#[test]
fn each_shared_resource_of_the_code_has_a_row() {
    let named = named();
    let mut without = Vec::new();
    let mut looked_at = 0;
    for file in ROOTS.iter().flat_map(|root| sources::files(root, "rs")) {
        if file.contains("tests") || NOTHING_SHARED.iter().any(|(other, _)| *other == file) {
            continue;
        }
        let code = sources::read(&file);
        let Some((index, line)) = first_match(&code) else { continue };
        looked_at += 1;
        if !named.contains(&file) {
            without.push(format!("{file}:{}: {}", index + 1, line.trim()));
        }
    }
    assert!(looked_at > 15, "shared resources were not found in the code: {looked_at}");
    assert!(
        without.is_empty(),
        "{}\n{} resources without a row in {PAGE}: say the bound, a tenant's share, what happens \
         over it, and the test",
        without.join("\n"),
        without.len()
    );
}

#[test]
fn each_table_has_a_row() {
    let (named, tables) = (named(), tables());
    assert!(tables.len() > 30, "the tables were not found: {}", tables.len());
    let without: Vec<_> =
        tables.iter().filter(|table| !named.contains(&format!("table {table}"))).collect();
    assert!(without.is_empty(), "tables without a row in {PAGE}: {without:?}");
    let gone: Vec<_> = named
        .iter()
        .filter_map(|name| name.strip_prefix("table "))
        .filter(|table| !tables.contains(*table))
        .collect();
    assert!(gone.is_empty(), "{PAGE} names tables that no migration creates: {gone:?}");
}

#[test]
fn a_resource_without_a_row_is_found_by_its_line() {
    let code = "//! A cache of `Cache::new`.\nlet a = 1;\nlet (to, from) = mpsc::channel(8);\n";
    assert_eq!(first_match(code), Some((2, "let (to, from) = mpsc::channel(8);")));
    assert_eq!(
        first_match("pub(crate) struct NameBook {\n"),
        Some((0, "pub(crate) struct NameBook {"))
    );
    assert_eq!(first_match("struct Bookings;\n#[cfg(test)]\nSemaphore::new(1)"), None);
}
