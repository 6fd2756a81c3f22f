//! Through which change a client has everything, one test for each rule.

use super::session::{Session, cluster, id, routes, said, site};
use crate::resource::ResourceType::*;
use crate::snapshot::Owner;
use crate::translate;

/// An Envoy that has loaded the routes of these sites, and knows of changes through number 1.
fn envoy(numbers: &[u128]) -> Session {
    let mut session = Session::envoy_with(numbers);
    session.reached(1);
    assert_eq!(session.stream.acked_seq(), Some(1));
    session
}

#[test]
fn nothing_is_acknowledged_before_the_first_answer() {
    let mut session = Session::with_sites(&[1]);
    session.reached(1);
    assert_eq!(session.stream.acked_seq(), None);
    session.subscribe(ScopedRoute, &[]);
    let response = session.next();
    assert_eq!(session.stream.acked_seq(), None);
    session.ack(&response);
    assert_eq!(session.stream.acked_seq(), Some(1));
}

#[test]
fn a_change_is_acknowledged_when_all_that_it_touched_is_answered() {
    let mut session = envoy(&[1]);
    session.apply(1, site(1, "c2", "e2", "r2"));
    session.reached(2);
    let (clusters, endpoints) = (session.next(), session.next());
    session.ack(&clusters);
    assert_eq!(session.stream.acked_seq(), Some(1), "the endpoints are not answered");
    session.ack(&endpoints);
    assert_eq!(session.stream.acked_seq(), Some(1), "the routes are not sent");
    let answer = session.next();
    session.ack(&answer);
    assert_eq!(session.stream.acked_seq(), Some(2));
}

#[test]
fn a_change_that_the_client_does_not_want_is_acknowledged_at_once() {
    let mut session = envoy(&[1]);
    session.subscribe(ScopedRoute, &[]);
    session.settle();
    session.apply(2, site(2, "c1", "e1", "r1"));
    session.reached(2);
    assert_eq!(session.stream.acked_seq(), Some(1), "its scope is wanted");
    session.settle();
    session.apply(2, site(2, "c2", "e2", "r2"));
    session.reached(3);
    assert_eq!(session.stream.acked_seq(), Some(3), "its routes and clusters are not");
}

#[test]
fn an_earlier_change_is_acknowledged_while_a_later_one_is_under_way() {
    let mut session = envoy(&[1]);
    session.apply(1, site(1, "c1", "e1", "r2"));
    session.reached(2);
    let earlier = session.next();
    session.apply(1, site(1, "c1", "e1", "r3"));
    session.reached(3);
    let later = session.next();
    session.ack(&earlier);
    assert_eq!(session.stream.acked_seq(), Some(2));
    session.ack(&later);
    assert_eq!(session.stream.acked_seq(), Some(3));
}

#[test]
fn a_change_that_was_skipped_is_acknowledged_with_the_one_that_replaced_it() {
    let mut session = envoy(&[1]);
    for (seq, content) in [(2, "r2"), (3, "r3")] {
        session.apply(1, site(1, "c1", "e1", content));
        session.reached(seq);
    }
    let response = session.next();
    assert_eq!(session.stream.acked_seq(), Some(1));
    session.ack(&response);
    assert_eq!(session.stream.acked_seq(), Some(3));
}

#[test]
fn a_refusal_is_an_answer_and_holds_up_neither_its_own_change_nor_another() {
    let mut session = envoy(&[1, 2]);
    session.apply(1, site(1, "bad", "e1", "r2"));
    session.reached(2);
    let clusters = session.next();
    session.nack(&clusters);
    session.settle();
    assert_eq!(
        session.stream.acked_seq(),
        Some(2),
        "the routes that wait for a good cluster hold nothing up"
    );
    session.apply(2, site(2, "c2", "e2", "r2"));
    session.reached(3);
    session.settle();
    assert_eq!(session.stream.acked_seq(), Some(3));
}

#[test]
fn what_a_refusal_held_back_counts_again_once_it_is_mended() {
    let mut session = envoy(&[1]);
    session.apply(1, site(1, "bad", "e1", "r2"));
    session.reached(2);
    let clusters = session.next();
    session.nack(&clusters);
    session.settle();
    session.apply(1, site(1, "c3", "e1", "r2"));
    session.reached(3);
    let (clusters, endpoints) = (session.next(), session.next());
    session.ack(&clusters);
    session.ack(&endpoints);
    assert_eq!(session.stream.acked_seq(), Some(2), "the routes are still to come");
    session.settle();
    assert_eq!(session.stream.acked_seq(), Some(3));
}

#[test]
fn removals_that_wait_for_refused_routes_hold_nothing_up() {
    let mut session = envoy(&[1]);
    let without_cluster =
        site(1, "c1", "e1", "bad").into_iter().filter(|named| named.name != cluster(1));
    session.apply(1, without_cluster.collect());
    session.reached(2);
    let response = session.next();
    assert_eq!(said(&response).1, [routes(1)]);
    assert_eq!(session.stream.acked_seq(), Some(1));
    session.nack(&response);
    session.settle();
    assert_eq!(session.stream.acked_seq(), Some(2));
}

#[test]
fn a_client_that_comes_back_has_nothing_until_it_has_what_it_missed() {
    let mut session = envoy(&[1]);
    session.apply(1, site(1, "c1", "e1", "r2"));
    session.reached(2);
    session.reconnect();
    session.resume(Cluster, &[], &[(&cluster(1), "c1")]);
    let nothing_new = session.next();
    session.resume(Endpoints, &[&cluster(1)], &[(&cluster(1), "e1")]);
    session.resume(Route, &[&routes(1)], &[(&routes(1), "r1")]);
    session.ack(&nothing_new);
    assert_eq!(session.stream.acked_seq(), None);
    session.settle();
    assert_eq!(session.stream.acked_seq(), Some(2));
}

#[test]
fn a_stream_that_missed_notices_counts_from_before_it_missed_them() {
    let mut session = envoy(&[1]);
    session.snapshot.apply(Owner::Site(id(1)), site(1, "c1", "e1", "r2"));
    session.snapshot.set_seq(5);
    let snapshot = &session.snapshot;
    session.stream.resync(snapshot);
    assert_eq!(session.stream.acked_seq(), Some(1));
    session.settle();
    assert_eq!(session.stream.acked_seq(), Some(5));
}

#[test]
fn the_filter_has_nothing_before_its_first_sync_is_complete() {
    let mut session = Session::with_sites(&[1]);
    session.snapshot.apply(Owner::Platform, translate::platform(&"gw.localhost".parse().unwrap()));
    session.reached(1);
    for kind in [SitePolicy, KeyBucket, ConsumerBucket, Host, Sync] {
        session.subscribe(kind, &["*"]);
    }
    while let Some(response) = session.poll() {
        assert_eq!(session.stream.acked_seq(), None);
        session.ack(&response);
    }
    assert_eq!(session.stream.acked_seq(), Some(1));
}
