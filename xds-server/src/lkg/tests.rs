//! The promises of the files, on torn and on damaged ones.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use policy::id::{SiteId, TenantId, Uuid};
use proptest::prelude::*;
use store::seal::SecretsKey;
use tempfile::TempDir;

use super::{Commit, Entry, Journal, Loaded, Place, Sealing, State, StateDir, StateError};
use crate::resource::ResourceType;
use crate::snapshot::Owner;

/// The entries that a test stores in one transaction.
type Batch = Vec<(Place, Option<(Owner, Vec<u8>)>)>;

fn sealed() -> Sealing {
    Sealing::Key(SecretsKey::new([7; 32]))
}

fn entries(batch: &Batch) -> impl Iterator<Item = Entry<'_>> {
    batch.iter().map(|((cell, kind, name), content)| Entry {
        cell,
        kind: *kind,
        name,
        content: content.as_ref().map(|(owner, bytes)| (*owner, bytes.as_slice())),
    })
}

fn commit(seq: usize) -> Commit {
    Commit { seq: seq as i64, at_ms: 1_000 + seq as u64 }
}

/// A directory that holds these transactions: the first is its base.
fn written(sealing: &Sealing, batches: &[Batch]) -> (TempDir, u64) {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path(), sealing.clone()).unwrap();
    let mut journal: Option<Journal> = None;
    for (seq, batch) in batches.iter().enumerate() {
        match &mut journal {
            None => journal = Some(state.begin(entries(batch), commit(seq)).unwrap()),
            Some(journal) => journal.append(entries(batch), commit(seq)).unwrap(),
        }
    }
    let len_bytes = journal.map_or(0, |journal| journal.len_bytes());
    (dir, len_bytes)
}

fn load(dir: &Path, sealing: &Sealing) -> Result<Option<Loaded>, StateError> {
    StateDir::open(dir, sealing.clone()).unwrap().load()
}

/// The state after the first so many transactions.
fn expected(batches: &[Batch]) -> State {
    let mut state = State::default();
    for (seq, batch) in batches.iter().enumerate() {
        for (place, content) in batch {
            match content {
                Some(content) => state.resources.insert(place.clone(), content.clone()),
                None => state.resources.remove(place),
            };
        }
        state.commit = Some(commit(seq));
    }
    state
}

fn file(dir: &Path, kind: &str) -> PathBuf {
    dir.join(format!("{kind}-1"))
}

fn place(name: &str) -> Place {
    ("default".to_owned(), ResourceType::Host, name.to_owned())
}

fn put(name: &str, content: &str) -> (Place, Option<(Owner, Vec<u8>)>) {
    (place(name), Some((Owner::Site(SiteId(Uuid::from_u128(1))), content.into())))
}

fn three() -> Vec<Batch> {
    vec![
        vec![put("a", "1"), put("b", "1")],
        vec![put("a", "2")],
        vec![(place("b"), None), put("c", "1")],
    ]
}

fn owners() -> impl Strategy<Value = Owner> {
    prop_oneof![
        any::<u128>().prop_map(|number| Owner::Site(SiteId(Uuid::from_u128(number)))),
        any::<u128>().prop_map(|number| Owner::Listeners(TenantId(Uuid::from_u128(number)))),
        any::<u16>().prop_map(Owner::Bucket),
        any::<u16>().prop_map(Owner::Consumers),
        Just(Owner::Platform),
    ]
}

fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let kind = prop::sample::select(ResourceType::ALL.to_vec());
    let place = (prop::sample::select(vec!["default", "b"]), kind, "[a-c]")
        .prop_map(|(cell, kind, name)| (cell.to_owned(), kind, name));
    let content = prop::option::of((owners(), prop::collection::vec(any::<u8>(), 0..20)));
    prop::collection::vec(prop::collection::vec((place, content), 0..5), 1..6)
}

fn sealings() -> impl Strategy<Value = Sealing> {
    any::<bool>().prop_map(|seal| if seal { sealed() } else { Sealing::Clear })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_was_written_is_read(batches in batches(), sealing in sealings()) {
        let (dir, _) = written(&sealing, &batches);
        let loaded = load(dir.path(), &sealing).unwrap().unwrap();
        prop_assert_eq!(loaded, Loaded { state: expected(&batches), torn_bytes: 0 });
    }

    #[test]
    fn a_journal_that_is_cut_off_holds_every_transaction_before_the_cut(
        batches in batches(),
        sealing in sealings(),
        cut in any::<prop::sample::Index>(),
        zeros in 0_usize..100,
    ) {
        let (dir, _) = written(&sealing, &batches);
        let path = file(dir.path(), "journal");
        let whole = fs::read(&path).unwrap();
        let cut = cut.index(whole.len() + 1);
        let mut torn = whole[..cut].to_vec();
        // The file may have got its blocks before their content.
        torn.resize(cut + zeros, 0);
        fs::write(&path, &torn).unwrap();
        let ends = journal_lengths(&sealing, &batches);
        let kept = ends.iter().filter(|end| **end <= cut as u64).count().max(1);
        match load(dir.path(), &sealing) {
            Ok(loaded) => {
                let loaded = loaded.unwrap();
                let complete = expected(&batches[..kept]);
                // Zeros that replace zeros cut nothing off.
                let next = expected(&batches[..(kept + 1).min(batches.len())]);
                prop_assert!(loaded.state == complete || loaded.state == next);
            }
            // A header that is half zeros cannot be told from a damaged one.
            Err(StateError::Damaged { .. }) => prop_assert!(zeros > 0),
            Err(error) => prop_assert!(false, "{error}"),
        }
    }

    #[test]
    fn a_byte_that_is_another_loses_the_last_transaction_at_the_most(
        batches in batches(),
        sealing in sealings(),
        at in any::<prop::sample::Index>(),
        flip in 1_u8..=255,
        in_base in any::<bool>()
    ) {
        let (dir, _) = written(&sealing, &batches);
        let path = file(dir.path(), if in_base { "base" } else { "journal" });
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        fs::write(&path, &bytes).unwrap();
        if let Ok(loaded) = load(dir.path(), &sealing) {
            prop_assert!(!in_base);
            let loaded = loaded.unwrap();
            prop_assert!(loaded.torn_bytes > 0);
            prop_assert_eq!(loaded.state, expected(&batches[..batches.len() - 1]));
        }
    }

    #[test]
    fn a_base_that_is_cut_off_is_refused(
        batches in batches(),
        sealing in sealings(),
        cut in any::<prop::sample::Index>(),
    ) {
        let (dir, _) = written(&sealing, &batches);
        let path = file(dir.path(), "base");
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..cut.index(whole.len())]).unwrap();
        let refused = matches!(load(dir.path(), &sealing), Err(StateError::Damaged { .. }));
        prop_assert!(refused);
    }

    #[test]
    fn any_bytes_are_refused_and_never_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        sealing in sealings(),
    ) {
        let (dir, _) = written(&sealing, &three());
        fs::write(file(dir.path(), "base"), &bytes).unwrap();
        prop_assert!(load(dir.path(), &sealing).is_err());
    }
}

/// The length of the journal after each transaction; the base has none of it.
fn journal_lengths(sealing: &Sealing, batches: &[Batch]) -> Vec<u64> {
    (1..=batches.len())
        .map(|count| written(sealing, &batches[..count]).1)
        .map(|len| len.max(1))
        .collect()
}

#[test]
fn an_empty_directory_has_no_state_and_is_closed_to_others() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("a/b");
    let state = StateDir::open(&dir, sealed()).unwrap();
    assert_eq!(state.load().unwrap(), None);
    let _journal = state.begin(entries(&three()[0]), commit(0)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(&dir), mode(&file(&dir, "base")), mode(&file(&dir, "journal"))),
        (0o700, 0o600, 0o600)
    );
}

#[test]
fn a_directory_belongs_to_one_program() {
    let dir = tempfile::tempdir().unwrap();
    let first = StateDir::open(dir.path(), sealed()).unwrap();
    assert!(matches!(StateDir::open(dir.path(), sealed()), Err(StateError::InUse { .. })));
    drop(first);
    assert!(StateDir::open(dir.path(), sealed()).is_ok());
}

#[test]
fn a_new_base_replaces_base_and_journal() {
    let (dir, _) = written(&sealed(), &three());
    let state = StateDir::open(dir.path(), sealed()).unwrap();
    let journal = state.begin(entries(&vec![put("z", "9")]), commit(9)).unwrap();
    assert!(journal.base_len_bytes() > 0);
    let mut names: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["base-2", "journal-2", "lock"]);
    let loaded = state.load().unwrap().unwrap().state;
    assert_eq!((loaded.resources.len(), loaded.commit), (1, Some(commit(9))));
}

#[test]
fn a_base_that_was_not_finished_changes_nothing() {
    let (dir, _) = written(&sealed(), &three());
    fs::write(dir.path().join("base-2.tmp"), b"half of it").unwrap();
    fs::write(dir.path().join("journal-2"), b"").unwrap();
    assert_eq!(load(dir.path(), &sealed()).unwrap().unwrap().state, expected(&three()));
    let state = StateDir::open(dir.path(), sealed()).unwrap();
    let _journal = state.begin(entries(&three()[0]), commit(0)).unwrap();
    assert!(!dir.path().join("base-2.tmp").exists());
}

#[test]
fn a_journal_of_another_base_is_refused() {
    let (dir, _) = written(&Sealing::Clear, &three());
    let journal = fs::read(file(dir.path(), "journal")).unwrap();
    let state = StateDir::open(dir.path(), Sealing::Clear).unwrap();
    let _journal = state.begin(entries(&three()[0]), commit(0)).unwrap();
    fs::write(dir.path().join("journal-2"), journal).unwrap();
    assert!(matches!(state.load(), Err(StateError::Damaged { .. })));
}

#[test]
fn a_transaction_of_many_frames_is_there_as_a_whole_or_not_at_all() {
    let large =
        |byte: u8| (place(&byte.to_string()), Some((Owner::Bucket(1), vec![byte; 700_000])));
    let batches = vec![vec![put("a", "1")], (0..5).map(large).collect()];
    let (dir, _) = written(&sealed(), &batches);
    assert_eq!(load(dir.path(), &sealed()).unwrap().unwrap().state, expected(&batches));
    let path = file(dir.path(), "journal");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let loaded = load(dir.path(), &sealed()).unwrap().unwrap();
    assert_eq!(loaded.state, expected(&batches[..1]));
    assert!(loaded.torn_bytes > 3_000_000);
}

#[test]
fn what_is_sealed_opens_with_its_key_alone_and_shows_nothing() {
    let (dir, _) = written(&sealed(), &[vec![put("a", "hunter2")], vec![put("b", "hunter2")]]);
    for kind in ["base", "journal"] {
        let bytes = fs::read(file(dir.path(), kind)).unwrap();
        assert!(!bytes.windows(7).any(|part| part == b"hunter2"));
    }
    for other in [Sealing::Clear, Sealing::Key(SecretsKey::new([8; 32]))] {
        assert!(matches!(load(dir.path(), &other), Err(StateError::NotOpened { .. })));
    }
    let (clear, _) = written(&Sealing::Clear, &three());
    assert!(matches!(load(clear.path(), &sealed()), Err(StateError::NotOpened { .. })));
}

#[test]
fn another_format_is_named_as_such() {
    let (dir, _) = written(&Sealing::Clear, &three());
    let path = file(dir.path(), "base");
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 2;
    let checksum = crc32fast::hash(&bytes[..20]).to_le_bytes();
    bytes[20..24].copy_from_slice(&checksum);
    fs::write(&path, bytes).unwrap();
    assert!(matches!(load(dir.path(), &Sealing::Clear), Err(StateError::OtherFormat { .. })));
}
