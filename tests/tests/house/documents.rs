//! Documents name real things: paths and links lead somewhere, the tests of invariants exist, and
//! the pages that newcomers read stay short.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use stack::workspace_root;

use crate::{shares, sources};

/// README: a page that a visitor reads to its end.
const README_LINES: usize = 119;
const README_COLUMNS: usize = 119;
/// ARCHITECTURE: a quarter of an hour.
const ARCHITECTURE_WORDS: usize = 2_000;

/// A Markdown file, by its path from the root of the repository.
struct Document {
    path: PathBuf,
    text: String,
}

/// A piece of a document that names something, and the line on which it stands.
struct Named<'a> {
    line: usize,
    text: &'a str,
}

impl Document {
    fn read(path: &str) -> Document {
        Document { path: PathBuf::from(path), text: sources::read(path) }
    }

    /// Every Markdown file of the repository.
    fn all() -> Vec<Document> {
        let paths = sources::files("", "md");
        assert!(paths.len() > 40, "the documents were not found: {}", paths.len());
        paths.iter().map(|path| Document::read(path)).collect()
    }

    /// The lines outside of fenced blocks, numbered from 1.
    fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut fenced = false;
        self.text.lines().enumerate().filter_map(move |(index, line)| {
            let fence = line.trim_start().starts_with("```");
            fenced ^= fence;
            (!fenced && !fence).then_some((index + 1, line))
        })
    }

    /// The texts between backticks.
    fn code(&self) -> Vec<Named<'_>> {
        let mut spans = Vec::new();
        for (line, text) in self.prose() {
            let between = text.split('`').skip(1).step_by(2);
            spans.extend(between.map(|text| Named { line, text }));
        }
        spans
    }

    /// The targets of links that lead into the repository.
    fn links(&self) -> Vec<Named<'_>> {
        let mut links = Vec::new();
        for (line, text) in self.prose() {
            // A text between backticks is no link.
            for (index, part) in text.split('`').enumerate() {
                let starts = if index % 2 == 0 { part } else { "" };
                let targets = starts.split("](").skip(1).filter_map(|rest| rest.split(')').next());
                links.extend(targets.map(|text| Named { line, text }));
            }
        }
        links.retain(|link| !link.text.contains(':'));
        links
    }

    /// The anchors of its headings, as GitHub makes them.
    fn anchors(&self) -> BTreeSet<String> {
        let mut anchors = BTreeSet::new();
        let headings = self.prose().filter(|(_, line)| line.starts_with('#'));
        for (_, heading) in headings {
            let text = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
            let again = (1..).map(|number| format!("{anchor}-{number}"));
            let free = std::iter::once(anchor.clone())
                .chain(again)
                .find(|anchor| !anchors.contains(anchor));
            anchors.extend(free);
        }
        anchors
    }

    /// The lines of the paragraphs that begin with this text.
    fn lines_after(&self, start: &str) -> BTreeSet<usize> {
        let mut inside = false;
        self.prose()
            .filter_map(|(line, text)| {
                inside = text.starts_with(start) || (inside && !text.is_empty());
                inside.then_some(line)
            })
            .collect()
    }

    /// The folder from which its links lead.
    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

/// A path from the root without `.` and `..`; `None` if it leads out of the repository.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.to_str()?.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/").into())
}

/// The files and folders at the root of the repository, without those that a build or a run makes.
fn top_level() -> BTreeSet<String> {
    let entries = fs::read_dir(workspace_root()).expect("the root").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name != "target" && name != ".tenantry").collect()
}

/// The path of this repository that a text between backticks is, as far as it is fixed.
fn path_in<'a>(text: &'a str, top_level: &BTreeSet<String>) -> Option<&'a str> {
    let (first, _) = text.split_once('/')?;
    if !top_level.contains(first) || text.contains([' ', '$', '"']) {
        return None;
    }
    let text = text.split(':').next()?;
    // `<context>` and `...` stand for something.
    let fixed = match text.find(['<', '*', '{', '…']).or_else(|| text.find("...")) {
        Some(at) => text.get(..at)?.rsplit_once('/')?.0,
        None => text,
    };
    Some(fixed.trim_end_matches('/'))
}

fn fail_if(faults: &str, what: &str) {
    assert!(faults.is_empty(), "{what}\n{faults}");
}

#[test]
fn the_paths_that_documents_name_exist() {
    let (top_level, mut faults) = (top_level(), String::new());
    for document in Document::all() {
        for Named { line, text } in document.code() {
            let Some(path) = path_in(text, &top_level) else { continue };
            if !workspace_root().join(path).exists() {
                let _ = writeln!(faults, "{}:{line}: `{text}`", document.path.display());
            }
        }
    }
    fail_if(&faults, "These paths do not exist: correct them, or what they describe.");
}

#[test]
fn the_links_of_documents_lead_to_files_and_headings() {
    let mut faults = String::new();
    for document in Document::all() {
        for Named { line, text } in document.links() {
            let (target, anchor) = text
                .split_once('#')
                .map_or((text, None), |(target, anchor)| (target, Some(anchor)));
            let to = match target {
                "" => Some(document.path.clone()),
                target => normal(&document.folder().join(target)),
            };
            let exists = to.as_ref().is_some_and(|to| workspace_root().join(to).exists());
            let leads = match (&to, anchor) {
                (Some(to), Some(anchor)) if exists && to.extension().is_some_and(|e| e == "md") => {
                    Document::read(&to.to_string_lossy()).anchors().contains(anchor)
                }
                _ => exists,
            };
            if !leads {
                let _ = writeln!(faults, "{}:{line}: ({text})", document.path.display());
            }
        }
    }
    fail_if(&faults, "These links lead nowhere.");
}

#[test]
fn every_page_of_docs_is_linked_from_another() {
    let documents = Document::all();
    let linked: BTreeSet<PathBuf> = documents
        .iter()
        .flat_map(|document| {
            let targets = document.links().into_iter().filter_map(|link| {
                let target = link.text.split('#').next().filter(|target| !target.is_empty())?;
                normal(&document.folder().join(target)).filter(|to| *to != document.path)
            });
            targets.collect::<Vec<_>>()
        })
        .collect();
    let pages = documents.iter().map(|document| &document.path);
    let lost: Vec<_> =
        pages.filter(|path| path.starts_with("docs") && !linked.contains(*path)).collect();
    assert!(lost.is_empty(), "nobody finds these pages; link them from docs/README.md: {lost:?}");
}

/// A word such as `a_rule_that_a_test_states`.
fn is_test_name(text: &str) -> bool {
    text.matches('_').count() >= 2
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Returns true if a file, or a file in a folder, has a function of this name.
fn has_function(path: &Path, name: &str) -> bool {
    if path.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        return entries.into_iter().any(|entry| has_function(&entry.path(), name));
    }
    fs::read_to_string(path).is_ok_and(|text| text.contains(&format!("fn {name}(")))
}

#[test]
fn the_tests_that_invariants_name_exist() {
    let (top_level, mut faults, mut named) = (top_level(), String::new(), 0);
    let documents = Document::all();
    let invariants =
        documents.iter().filter(|document| document.path.starts_with("docs/invariants"));
    for document in invariants {
        let mut file = PathBuf::new();
        let lines = document.lines_after("**Test.**");
        for Named { line, text } in document.code() {
            if !lines.contains(&line) {
                continue;
            }
            if let Some(path) = path_in(text, &top_level) {
                file = workspace_root().join(path);
            } else if is_test_name(text) && file.extension().is_some_and(|e| e == "rs") {
                named += 1;
                if !has_function(&file, text) {
                    let _ = writeln!(faults, "{}:{line}: {text}", document.path.display());
                }
            }
        }
    }
    fail_if(&faults, "The file that stands before each of these has no such test.");
    assert!(named >= 100, "only {named} tests were found in docs/invariants");
}

#[test]
fn every_invariant_has_its_four_parts() {
    let mut faults = String::new();
    let documents = Document::all();
    // Its tables have their own form, and their own test.
    let invariants = documents.iter().filter(|document| {
        document.path.starts_with("docs/invariants") && document.path != Path::new(shares::PAGE)
    });
    for document in invariants {
        for invariant in document.text.split("\n## ").skip(1) {
            let title = invariant.lines().next().unwrap_or_default();
            for part in ["**Rule.**", "**Why.**", "**Where.**", "**Test.**"] {
                if invariant.matches(part).count() != 1 {
                    let _ = writeln!(faults, "{}: {title}: {part}", document.path.display());
                }
            }
        }
    }
    fail_if(&faults, "Each invariant has a rule, a reason, a place and a test, once each.");
}

#[test]
fn the_first_pages_are_short() {
    let readme = Document::read("README.md").text;
    let lines = readme.lines().count();
    assert!(lines <= README_LINES, "README.md has {lines} lines: move something to docs/");
    for (index, line) in readme.lines().enumerate() {
        let columns = line.chars().count();
        assert!(columns <= README_COLUMNS, "README.md:{}: {columns} columns", index + 1);
    }
    let words = Document::read("ARCHITECTURE.md").text.split_whitespace().count();
    assert!(
        words <= ARCHITECTURE_WORDS,
        "ARCHITECTURE.md has {words} words, and may have {ARCHITECTURE_WORDS}: move something to \
         docs/"
    );
}

#[test]
fn a_path_is_told_from_other_words() {
    let top_level: BTreeSet<_> = ["admin", "crates"].map(str::to_owned).into();
    for (text, path) in [
        ("admin/src/main.rs", Some("admin/src/main.rs")),
        ("admin/src/api/", Some("admin/src/api")),
        ("admin/src/main.rs:12", Some("admin/src/main.rs")),
        ("admin/src/api/<context>/<noun>/<verb>.rs", Some("admin/src/api")),
        ("crates/store/src/*", Some("crates/store/src")),
        ("site/<id>", None),
        ("/v1/tenants", None),
        ("admin serve", None),
    ] {
        assert_eq!(path_in(text, &top_level), path, "{text}");
    }
}
