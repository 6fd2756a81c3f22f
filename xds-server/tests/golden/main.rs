//! Golden files: in each folder beside this file, `output.json` is the translation of `input.json`.
//!
//! After an intended change run `cargo xtask golden`, then read the diff. It writes every
//! `output.json` anew and removes those without an input.

mod descriptors;
mod input;
mod pages;
mod render;

use std::path::{Path, PathBuf};

use input::Input;
use xds_server::resource::Named;
use xds_server::translate;

/// Set by `cargo xtask golden`.
const UPDATE: &str = "UPDATE_GOLDEN";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn cases() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).expect("the folder of the golden files");
    let mut cases: Vec<_> =
        entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir()).collect();
    cases.sort();
    cases
}

fn translated(input: &Input) -> Result<Vec<Named>, String> {
    match input {
        Input::Site(site) => translate::site(&site.desired()).map_err(|error| error.to_string()),
        Input::Bucket(bucket) => {
            Ok(translate::bucket(&bucket.desired()).resource.into_iter().collect())
        }
        Input::Consumers(consumers) => {
            Ok(translate::consumers(&consumers.desired()).resource.into_iter().collect())
        }
        Input::Platform { base_domain } => {
            Ok(translate::platform(&base_domain.parse().expect("a base domain")))
        }
        Input::NoSuchSite { name } => Ok(vec![translate::no_such_site(name)]),
        Input::Edge(edge) => {
            let edge = edge.settings();
            Ok(vec![translate::listener(&edge), translate::extension_config(&edge)])
        }
    }
}

#[test]
fn golden_outputs_are_what_their_inputs_are_translated_to() {
    let update = std::env::var_os(UPDATE).is_some();
    let mut wrong = Vec::new();
    for case in cases() {
        let (input, output) = (case.join("input.json"), case.join("output.json"));
        if !input.exists() {
            assert!(
                update,
                "{} has no input.json: remove it, or run `cargo xtask golden`",
                case.display()
            );
            std::fs::remove_dir_all(&case).expect("a folder that can be removed");
            continue;
        }
        let now = render::resources(&translated(&input::read(&input)));
        if update {
            std::fs::write(&output, now).expect("a file that can be written");
        } else if std::fs::read_to_string(&output).ok() != Some(now) {
            wrong.push(case.file_name().expect("a name").to_owned());
        }
    }
    assert!(
        wrong.is_empty(),
        "{wrong:?} are translated differently: run `cargo xtask golden`, and read the diff"
    );
}

#[test]
fn shuffled_input_gives_identical_bytes() {
    for case in cases() {
        let Input::Site(site) = input::read(&case.join("input.json")) else { continue };
        let ordered = site.desired();
        let mut shuffled = ordered.clone();
        shuffled.routes.reverse();
        shuffled.hostnames.reverse();
        shuffled.upstreams.reverse();
        shuffled.issuers.reverse();
        shuffled.plans.reverse();
        for upstream in &mut shuffled.upstreams {
            upstream.endpoints.reverse();
        }
        // It is translated twice, as a hash map has another order each time.
        for _ in 0..2 {
            assert_eq!(translate::site(&ordered), translate::site(&shuffled), "{}", case.display());
        }
    }
}
