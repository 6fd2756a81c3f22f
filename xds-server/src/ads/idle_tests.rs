//! The rules by which a client lets go of idle sites, one test each.

use std::collections::BTreeSet;

use prost::Message as _;
use xds_api::pb::envoy::config::route::v3::ScopedRouteConfiguration;
use xds_api::pb::envoy::service::discovery::v3::DeltaDiscoveryResponse;

use super::session::{Session, cluster, id, lazy_scope, routes, said, site};
use crate::resource::Named;
use crate::resource::ResourceType::*;
use crate::translate;

/// An Envoy that has loaded these sites, as a look for idle ones has seen.
fn envoy(numbers: &[u128]) -> Session {
    let mut session = Session::envoy_with(numbers);
    assert_eq!(look(&mut session, &[]), 0, "what was not there at the look before is not idle");
    session
}

fn look(session: &mut Session, used: &[u128]) -> usize {
    let used: BTreeSet<_> = used.iter().map(|number| id(*number)).collect();
    session.stream.evict_idle(&session.snapshot, &used)
}

/// The next response, which has to be one scope: whether that is loaded on demand.
fn next_scope(session: &mut Session, number: u128) -> (DeltaDiscoveryResponse, bool) {
    let response = session.next();
    assert_eq!(said(&response), (ScopedRoute, vec![id(number).to_string()], vec![]));
    let body = response.resources[0].resource.clone().expect("a body");
    let scope = ScopedRouteConfiguration::decode(body.value.as_slice()).expect("a scope");
    (response, scope.on_demand)
}

#[test]
fn an_idle_site_is_sent_as_eager_and_then_as_it_is_and_its_clusters_go() {
    let mut session = envoy(&[1, 2]);
    assert_eq!(look(&mut session, &[2]), 1);
    let (response, on_demand) = next_scope(&mut session, 1);
    assert!(!on_demand);
    assert!(session.poll().is_none(), "the other waits for the answer");
    session.ack(&response);
    let (response, on_demand) = next_scope(&mut session, 1);
    assert!(on_demand);
    session.unsubscribe(Route, &[&routes(1)]);
    session.ack(&response);
    assert_eq!(session.settle(), [(Cluster, vec![], vec![cluster(1)])]);
    assert_eq!(look(&mut session, &[]), 1, "the other was loaded before, and is idle now");
}

#[test]
fn a_site_that_is_used_is_kept() {
    let mut session = envoy(&[1]);
    for _ in 0..3 {
        assert_eq!(look(&mut session, &[1]), 0);
    }
    assert!(session.poll().is_none());
}

#[test]
fn a_site_that_was_loaded_since_the_last_look_is_kept() {
    let mut session = envoy(&[1]);
    session.apply(2, site(2, "c1", "e1", "r1"));
    session.subscribe(Route, &[&routes(2)]);
    session.settle();
    assert_eq!(look(&mut session, &[1]), 0);
    assert_eq!(look(&mut session, &[1]), 1);
}

#[test]
fn an_eager_site_is_kept() {
    let mut session = envoy(&[1]);
    let mut eager = site(1, "c1", "e1", "r1");
    eager.retain(|named| named.kind != ScopedRoute);
    let resource = translate::eager(&lazy_scope(1).resource).expect("a lazy one");
    eager.push(Named { kind: ScopedRoute, name: id(1).to_string(), resource });
    session.apply(1, eager);
    session.settle();
    assert_eq!(look(&mut session, &[]), 0);
}

#[test]
fn a_client_that_refuses_to_let_go_has_the_scope_as_it_is() {
    let mut session = envoy(&[1]);
    look(&mut session, &[]);
    let (response, _) = next_scope(&mut session, 1);
    session.nack(&response);
    session.settle();
    let held = &session.stream.subscription(ScopedRoute).held[&id(1).to_string()];
    assert!(!held.has_refused(&lazy_scope(1).resource.version));
    assert!(session.poll().is_none());
}

#[test]
fn a_look_while_the_client_is_letting_go_changes_nothing() {
    let mut session = envoy(&[1]);
    assert_eq!(look(&mut session, &[]), 1);
    let (response, _) = next_scope(&mut session, 1);
    assert_eq!(look(&mut session, &[]), 0);
    session.ack(&response);
    assert_eq!(look(&mut session, &[]), 0);
    let (response, on_demand) = next_scope(&mut session, 1);
    assert!(on_demand);
    session.ack(&response);
    assert!(session.poll().is_none());
}

#[test]
fn a_site_that_is_removed_while_the_client_lets_go_of_it_is_gone() {
    let mut session = envoy(&[1]);
    look(&mut session, &[]);
    let (response, _) = next_scope(&mut session, 1);
    session.apply(1, vec![]);
    session.ack(&response);
    let all = session.settle();
    assert!(all.contains(&(ScopedRoute, vec![], vec![id(1).to_string()])), "{all:?}");
    assert!(!session.stream.subscription(ScopedRoute).held.contains_key(&id(1).to_string()));
}

#[test]
fn a_site_whose_routes_are_under_way_is_kept() {
    let mut session = envoy(&[1]);
    assert_eq!(look(&mut session, &[]), 1);
    for _ in 0..2 {
        let (response, _) = next_scope(&mut session, 1);
        session.ack(&response);
    }
    session.unsubscribe(Route, &[&routes(1)]);
    session.settle();

    session.subscribe(Route, &[&routes(1)]);
    assert_eq!(look(&mut session, &[]), 0);
    assert_eq!(look(&mut session, &[]), 0, "requests wait for routes that were not sent yet");
    session.settle();
    assert_eq!(look(&mut session, &[]), 0, "it was not loaded at the look before");
    assert_eq!(look(&mut session, &[]), 1);
}
