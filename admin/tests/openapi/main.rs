//! `/v1` is frozen: the API keeps the promises of `openapi/v1.json`. Additions are possible;
//! `cargo xtask golden` freezes them, too.

mod compatibility;
mod pages;

use std::path::PathBuf;

use serde_json::Value;

use compatibility::broken;

fn snapshot() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../openapi/v1.json")
}

/// The document as it is served now.
fn current() -> Value {
    let (_, document) = admin::api::openapi::assemble(admin::api::all());
    serde_json::from_str(&document.to_json().unwrap()).unwrap()
}

#[test]
fn nothing_that_v1_promised_is_broken() {
    let frozen: Value =
        serde_json::from_str(&std::fs::read_to_string(snapshot()).unwrap_or_else(|_| "{}".into()))
            .unwrap();
    let current = current();
    let broken = broken(&frozen, &current);
    assert!(
        broken.is_empty(),
        "these changes break clients of /v1; make them in a way that only adds, or in /v2 \
        (README.md says how):\n{}",
        broken.join("\n")
    );
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(snapshot(), serde_json::to_string_pretty(&current).unwrap() + "\n").unwrap();
    }
}

#[test]
fn the_snapshot_is_there_and_of_v1() {
    let frozen: Value =
        serde_json::from_str(&std::fs::read_to_string(snapshot()).expect("openapi/v1.json"))
            .unwrap();
    let operations: usize = frozen["paths"]
        .as_object()
        .unwrap()
        .values()
        .map(|item| item.as_object().unwrap().len())
        .sum();
    assert!(operations > 70, "{operations}");
}
