//! Every target over its whole corpus, over random bytes, and over its corpus with random changes.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use policy_fuzz::{TARGETS, Target};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut inputs: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .map(|path| (path.clone(), fs::read(path).expect("a file")))
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "{} needs an input at least", folder.display());
    inputs
}

fn names(folder: &str) -> BTreeSet<String> {
    let entries =
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect("a folder");
    let stem = |path: PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
    entries.map(|entry| stem(entry.expect("an entry").path())).collect()
}

#[test]
fn every_target_has_a_corpus_and_a_program() {
    let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("corpus"), targets, "a folder under `corpus` for each entry of TARGETS");
    assert_eq!(
        names("fuzz_targets"),
        targets,
        "a program under `fuzz_targets` for each entry of TARGETS"
    );
    let manifest = include_str!("../Cargo.toml");
    for name in targets {
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "a [[bin]] for `{name}` in Cargo.toml"
        );
    }
}

#[test]
fn every_input_of_the_corpus_holds() {
    for (name, target) in TARGETS {
        for (path, input) in corpus(name) {
            // If the target panics, the last line names the input to look at.
            println!("{}", path.display());
            target(&input);
        }
    }
}

/// Bytes that a failed test prints as text.
#[derive(Clone)]
struct Input(Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

fn holds(target: Target, inputs: impl Strategy<Value = Vec<u8>>) {
    let run = |input: Input| {
        target(&input.0);
        Ok(())
    };
    // A failed input is printed, and should be added to the corpus.
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config)
        .run(&inputs.prop_map(Input), run)
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn random_bytes_hold() {
    for (name, target) in TARGETS {
        println!("{name}");
        holds(*target, proptest::collection::vec(any::<u8>(), 0..400));
    }
}

#[test]
fn the_corpus_holds_with_random_changes() {
    for (name, target) in TARGETS {
        println!("{name}");
        let inputs: Vec<_> = corpus(name).into_iter().map(|(_, input)| input).collect();
        let pieces = prop::sample::select(inputs.clone());
        let change =
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), pieces);
        let changes = proptest::collection::vec(change, 1..6);
        let changed = (prop::sample::select(inputs), changes).prop_map(|(mut input, changes)| {
            for (place, other, byte, piece) in changes {
                apply(&mut input, place.index(1 << 16), other.index(1 << 16), byte, &piece);
            }
            input
        });
        holds(*target, changed);
    }
}

/// One change: a byte set, inserted or removed, or the rest taken from another input.
fn apply(input: &mut Vec<u8>, place: usize, other: usize, byte: u8, piece: &[u8]) {
    let at = place % (input.len() + 1);
    match other % 4 {
        0 if at < input.len() => input[at] = byte,
        1 => input.insert(at, byte),
        2 if at < input.len() => drop(input.remove(at)),
        _ => {
            input.truncate(at);
            input.extend_from_slice(&piece[other % (piece.len() + 1)..]);
        }
    }
}
