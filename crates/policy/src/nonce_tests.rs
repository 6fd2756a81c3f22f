use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::id::Uuid;

/// Shared data as Envoy has it, in which other workers may do something between a worker's read and
/// its write.
#[derive(Default)]
struct Shared {
    values: HashMap<String, (Vec<u8>, u32)>,
    /// The requests of others before the writes to come; for each write, some requests.
    between: Vec<Vec<Request>>,
    log: Vec<(Request, Outcome)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Request {
    site: u128,
    keyid: &'static str,
    nonce: &'static str,
    until_ms: u64,
    now_ms: u64,
}

/// The parts by which one nonce is told from all others.
fn name(request: &Request) -> (u128, &str, &str) {
    (request.site, request.keyid, request.nonce)
}

impl Shared {
    fn ask(&mut self, request: Request) -> Outcome {
        let Request { site, keyid, nonce, until_ms, now_ms } = request;
        let outcome = accept(self, SiteId(Uuid::from_u128(site)), keyid, nonce, until_ms, now_ms);
        self.log.push((request, outcome));
        outcome
    }
}

impl Cells for Shared {
    fn read(&mut self, name: &str) -> Option<(Vec<u8>, u32)> {
        self.values.get(name).cloned()
    }

    fn write(&mut self, name: &str, value: &[u8], cas: Option<u32>) -> bool {
        for request in self.between.pop().unwrap_or_default() {
            let _ = self.ask(request);
        }
        let known = self.values.get(name).map(|(_, cas)| *cas);
        if known != cas {
            return false;
        }
        self.values.insert(name.to_owned(), (value.to_vec(), known.unwrap_or(0) + 1));
        true
    }
}

const SITE: u128 = 1;
const NOW_MS: u64 = 1_700_000_000_000;

fn request(nonce: &'static str, until_ms: u64, now_ms: u64) -> Request {
    Request { site: SITE, keyid: "k", nonce, until_ms, now_ms }
}

#[test]
fn a_nonce_is_accepted_once_until_it_ends() {
    let mut shared = Shared::default();
    let until_ms = NOW_MS + 5000;
    assert_eq!(shared.ask(request("a", until_ms, NOW_MS)), Outcome::Accepted);
    assert_eq!(shared.ask(request("a", until_ms, NOW_MS)), Outcome::Replayed);
    assert_eq!(shared.ask(request("a", until_ms + 9000, NOW_MS + 4999)), Outcome::Replayed);
    assert_eq!(shared.ask(request("a", until_ms + 9000, until_ms)), Outcome::Accepted);
    assert_eq!(shared.ask(request("b", until_ms, NOW_MS)), Outcome::Accepted);
}

#[test]
fn the_same_nonce_of_another_key_or_site_is_another() {
    let mut shared = Shared::default();
    let first = request("a", NOW_MS + 5000, NOW_MS);
    for other in [first, Request { keyid: "l", ..first }, Request { site: 2, ..first }] {
        assert_eq!(shared.ask(other), Outcome::Accepted);
        assert_eq!(shared.ask(other), Outcome::Replayed);
    }
    assert_eq!(shared.ask(Request { keyid: "ka", nonce: "", ..first }), Outcome::Accepted);
    assert_eq!(shared.ask(Request { keyid: "", nonce: "ka", ..first }), Outcome::Accepted);
}

/// A worker that stands still between its clock and the cell, or a clock that goes back, is no way
/// to a second time.
#[test]
fn what_was_dropped_is_refused_by_its_end() {
    let mut shared = Shared::default();
    let until_ms = NOW_MS + 5000;
    assert_eq!(shared.ask(request("a", until_ms, NOW_MS)), Outcome::Accepted);
    // The same nonce in a later signature makes the cell drop the first.
    assert_eq!(shared.ask(request("a", until_ms + 1000, until_ms)), Outcome::Accepted);
    assert_eq!(shared.ask(request("a", until_ms + 2000, until_ms + 1000)), Outcome::Accepted);
    assert_eq!(shared.ask(request("a", until_ms, NOW_MS)), Outcome::Replayed);
    assert_eq!(shared.ask(request("a", until_ms + 1000, NOW_MS)), Outcome::Replayed);
}

#[test]
fn an_end_in_the_past_or_beyond_all_time_is_refused() {
    let mut shared = Shared::default();
    assert_eq!(shared.ask(request("a", u64::MAX, NOW_MS)), Outcome::NoRoom);
    assert_eq!(shared.ask(request("a", 0, NOW_MS)), Outcome::Replayed);
    assert!(shared.values.is_empty());
}

#[test]
fn a_full_cell_refuses_until_something_in_it_ends_and_others_go_on() {
    let site = SiteId(Uuid::from_u128(SITE));
    let target = Place::of(site, "k", "0").name;
    let mut same = (0..)
        .map(|n: u32| n.to_string())
        .filter(|nonce| Place::of(site, "k", nonce).name == target);
    let mut shared = Shared::default();
    let mut ask = |site, nonce: &str, until_ms, now_ms| {
        accept(&mut shared, site, "k", nonce, until_ms, now_ms)
    };
    for place in 0..CELL_NONCES_MAX as u64 {
        let nonce = same.next().expect("numbers do not end");
        assert_eq!(ask(site, &nonce, NOW_MS + 5000 + place * 1000, NOW_MS), Outcome::Accepted);
    }
    let late = same.next().expect("numbers do not end");
    assert_eq!(ask(site, &late, NOW_MS + 900_000, NOW_MS), Outcome::NoRoom);
    assert_eq!(ask(site, "0", NOW_MS + 5000, NOW_MS), Outcome::Replayed);
    let other = SiteId(Uuid::from_u128(2));
    assert_eq!(ask(other, "0", NOW_MS + 5000, NOW_MS), Outcome::Accepted);
    assert_eq!(ask(site, &late, NOW_MS + 900_000, NOW_MS + 5000), Outcome::Accepted);
}

#[test]
fn a_cell_that_changes_all_the_time_refuses() {
    struct Restless;
    impl Cells for Restless {
        fn read(&mut self, _: &str) -> Option<(Vec<u8>, u32)> {
            None
        }
        fn write(&mut self, _: &str, _: &[u8], _: Option<u32>) -> bool {
            false
        }
    }
    let site = SiteId(Uuid::from_u128(SITE));
    assert_eq!(accept(&mut Restless, site, "k", "a", NOW_MS + 1, NOW_MS), Outcome::NoRoom);
}

#[test]
fn a_cell_that_cannot_be_read_refuses() {
    let mut shared = Shared::default();
    let place = Place::of(SiteId(Uuid::from_u128(SITE)), "k", "a");
    for value in [vec![0; 3], vec![0; 5], vec![0; 4 + (CELL_NONCES_MAX + 1) * ENTRY_LEN]] {
        shared.values.insert(place.name.clone(), (value.clone(), 1));
        assert_eq!(shared.ask(request("a", NOW_MS + 1, NOW_MS)), Outcome::NoRoom);
        assert_eq!(shared.values[&place.name].0, value);
    }
}

fn any_request() -> impl Strategy<Value = Request> {
    let nonce = prop::sample::select(vec!["a", "b", "c"]);
    let keyid = prop::sample::select(vec!["k", "l"]);
    // Workers' clocks go back and forth, and ends lie before and after them.
    (1_u128..=2, keyid, nonce, 0_u64..8, 0_u64..8).prop_map(|(site, keyid, nonce, now, until)| {
        Request {
            site,
            keyid,
            nonce,
            until_ms: NOW_MS + until * 1000,
            now_ms: NOW_MS + now * 1000 + 500,
        }
    })
}

fn interleaved() -> impl Strategy<Value = Vec<Vec<Request>>> {
    proptest::collection::vec(proptest::collection::vec(any_request(), 0..4), 0..30)
}

fn run(requests: &[Request], between: Vec<Vec<Request>>) -> Shared {
    let mut shared = Shared { between, ..Shared::default() };
    for request in requests {
        let _ = shared.ask(*request);
    }
    shared
}

proptest! {
    /// The slow, obvious model is the log: no request in it may have been accepted that a model
    /// with a set of all that was ever accepted, and no clock, would call a replay.
    #[test]
    fn nothing_is_accepted_twice_over_any_interleaving(
        requests in proptest::collection::vec(any_request(), 1..40),
        between in interleaved(),
    ) {
        let shared = run(&requests, between);
        let log = shared.log.iter();
        let accepted: Vec<_> =
            log.filter(|(_, outcome)| *outcome == Outcome::Accepted).collect();
        for (at, (first, _)) in accepted.iter().enumerate() {
            for (second, _) in &accepted[at + 1..] {
                let same = name(first) == name(second);
                prop_assert!(!same || first.until_ms != second.until_ms, "{:?} twice", first);
            }
        }
    }

    /// With one clock, a nonce is accepted exactly if it is not among those that were accepted and
    /// have not ended.
    #[test]
    fn with_one_clock_a_new_nonce_is_accepted(
        mut requests in proptest::collection::vec(any_request(), 1..40),
    ) {
        requests.sort_by_key(|request| request.now_ms);
        let mut live: Vec<Request> = Vec::new();
        let mut shared = Shared::default();
        for request in requests {
            let replayed = live.iter().any(|known| {
                let same = name(known) == name(&request);
                same && known.until_ms > request.now_ms
            });
            // A request that has ended already is not asked for.
            if request.until_ms <= request.now_ms {
                continue;
            }
            let expected = if replayed { Outcome::Replayed } else { Outcome::Accepted };
            prop_assert_eq!(shared.ask(request), expected, "{:?} after {:?}", request, live);
            if !replayed {
                live.push(request);
            }
        }
    }

    /// The nonces of one site change nothing for another.
    #[test]
    fn sites_do_not_notice_each_other(requests in proptest::collection::vec(any_request(), 1..40)) {
        let of = |shared: &Shared, site| -> Vec<_> {
            shared.log.iter().filter(|(request, _)| request.site == site).copied().collect()
        };
        let (first, second): (Vec<Request>, Vec<Request>) =
            requests.iter().partition(|request| request.site == 1);
        let together = run(&requests, Vec::new());
        prop_assert_eq!(of(&together, 1), run(&first, Vec::new()).log);
        prop_assert_eq!(of(&together, 2), run(&second, Vec::new()).log);
    }

    #[test]
    fn any_bytes_are_a_cell_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        if let Some(cell) = Cell::decode(&bytes) {
            prop_assert!(bytes.is_empty() || cell.encode() == bytes);
        }
    }
}
