//! The order of responses: clusters before routes, routes before the removal of clusters,
//! everything before `Sync`.

use super::session::{Said, Session, cluster, id, routes, said, site};
use crate::resource::{
    Named, Resource,
    ResourceType::{self, *},
};
use crate::snapshot::Owner;
use crate::translate;

fn kinds(said: &[Said]) -> Vec<ResourceType> {
    said.iter().map(|(kind, ..)| *kind).collect()
}

#[test]
fn the_clusters_of_a_site_are_sent_once_its_routes_are_asked_for() {
    let mut session = Session::with_sites(&[1, 2]);
    session.subscribe(Cluster, &[]);
    assert_eq!(session.settle(), [(Cluster, vec![], vec![])]);
    session.subscribe(Route, &[&routes(2)]);
    assert_eq!(
        session.settle(),
        [
            (Cluster, vec![cluster(2)], vec![]),
            (Endpoints, vec![cluster(2)], vec![]),
            (Route, vec![routes(2)], vec![]),
        ]
    );
}

#[test]
fn routes_wait_for_the_answer_to_their_clusters_and_endpoints() {
    let mut session = Session::envoy_with(&[1]);
    session.apply(1, site(1, "c2", "e2", "r2"));
    let clusters = session.next();
    let endpoints = session.next();
    assert_eq!((said(&clusters).0, said(&endpoints).0), (Cluster, Endpoints));
    assert!(session.poll().is_none());
    session.ack(&endpoints);
    assert!(session.poll().is_none());
    session.ack(&clusters);
    assert_eq!(said(&session.next()), (Route, vec![routes(1)], vec![]));
}

#[test]
fn routes_wait_for_the_latest_clusters() {
    let mut session = Session::envoy_with(&[1]);
    session.apply(1, site(1, "c2", "e1", "r2"));
    let clusters = session.next();
    session.apply(1, site(1, "c3", "e1", "r3"));
    session.ack(&clusters);
    let said: Vec<_> = session.settle();
    assert_eq!(kinds(&said), [Cluster, Endpoints, Route]);
}

#[test]
fn a_response_holds_the_clusters_of_one_site() {
    let mut session = Session::envoy_with(&[1, 2]);
    for number in [1, 2] {
        session.apply(number, site(number, "c2", "e1", "r1"));
    }
    let first = session.next();
    let second = session.next();
    assert_eq!(said(&first), (Cluster, vec![cluster(1)], vec![]));
    assert_eq!(said(&second), (Cluster, vec![cluster(2)], vec![]));
}

#[test]
fn a_cluster_that_changes_is_sent_its_endpoints_again_as_it_warms_again() {
    let mut session = Session::envoy_with(&[1]);
    session.apply(1, site(1, "c2", "e1", "r1"));
    assert_eq!(
        session.settle(),
        [(Cluster, vec![cluster(1)], vec![]), (Endpoints, vec![cluster(1)], vec![])]
    );
}

#[test]
fn a_refused_cluster_holds_the_new_routes_back_and_a_good_one_lets_them_go() {
    let mut session = Session::envoy_with(&[1]);
    session.apply(1, site(1, "bad", "e1", "r2"));
    let clusters = session.next();
    session.nack(&clusters);
    assert!(!kinds(&session.settle()).contains(&Route));
    session.apply(1, site(1, "c3", "e1", "r2"));
    assert!(kinds(&session.settle()).contains(&Route));
}

#[test]
fn a_client_without_routes_gets_them_even_if_a_cluster_is_refused() {
    let mut session = Session::with_sites(&[1]);
    session.subscribe(Cluster, &[]);
    session.settle();
    session.subscribe(Route, &[&routes(1)]);
    let clusters = session.next();
    session.nack(&clusters);
    assert_eq!(session.settle(), [(Route, vec![routes(1)], vec![])]);
}

#[test]
fn a_cluster_goes_after_the_routes_that_no_longer_lead_to_it() {
    let mut session = Session::envoy_with(&[1]);
    let without: Vec<_> = site(1, "", "", "r2")
        .into_iter()
        .filter(|named| !matches!(named.kind, Cluster | Endpoints))
        .collect();
    session.apply(1, without);
    let route = session.next();
    assert_eq!(said(&route), (Route, vec![routes(1)], vec![]));
    assert!(session.poll().is_none());
    session.ack(&route);
    assert_eq!(session.settle()[0], (Cluster, vec![], vec![cluster(1)]));
}

#[test]
fn a_cluster_stays_while_new_routes_are_refused() {
    let mut session = Session::envoy_with(&[1]);
    let without: Vec<_> = site(1, "", "", "bad")
        .into_iter()
        .filter(|named| !matches!(named.kind, Cluster | Endpoints))
        .collect();
    session.apply(1, without);
    let route = session.next();
    session.nack(&route);
    assert_eq!(session.settle(), []);
}

#[test]
fn a_site_that_goes_answers_404_first_and_then_loses_its_clusters() {
    let mut session = Session::envoy_with(&[1, 2]);
    session.apply(1, vec![]);
    let said = session.settle();
    assert_eq!(
        said,
        [
            (ScopedRoute, vec![], vec![id(1).to_string()]),
            (Route, vec![routes(1)], vec![]),
            (Cluster, vec![], vec![cluster(1)]),
        ]
    );
}

#[test]
fn clusters_go_when_nobody_asks_for_the_routes_any_more() {
    let mut session = Session::envoy_with(&[1]);
    session.unsubscribe(Route, &[&routes(1)]);
    assert_eq!(session.settle()[0], (Cluster, vec![], vec![cluster(1)]));
}

#[test]
fn an_envoy_that_comes_back_keeps_its_clusters_though_it_asks_for_them_before_the_routes() {
    let mut session = Session::envoy_with(&[1, 2]);
    session.reconnect();
    session.resume(Cluster, &[], &[(&cluster(1), "c1"), (&cluster(2), "c1")]);
    assert_eq!(said(&session.next()), (Cluster, vec![], vec![]));
    session.resume(
        Endpoints,
        &[&cluster(1), &cluster(2)],
        &[(&cluster(1), "e1"), (&cluster(2), "e1")],
    );
    assert!(session.poll().is_none());
    // It has come to need site 1 alone.
    session.resume(Route, &[&routes(1)], &[(&routes(1), "r1")]);
    assert_eq!(session.settle()[0], (Cluster, vec![], vec![cluster(2)]));
}

#[test]
fn clusters_of_an_envoy_that_comes_back_and_asks_for_no_routes_go() {
    let mut session = Session::with_sites(&[1]);
    session.resume(Cluster, &[], &[(&cluster(1), "c1")]);
    let empty = session.next();
    session.ack(&empty);
    assert_eq!(session.settle(), [(Cluster, vec![], vec![cluster(1)])]);
}

#[test]
fn an_envoy_that_comes_back_gets_new_routes_before_it_loses_the_clusters_under_the_old_ones() {
    let mut session = Session::envoy_with(&[1]);
    session.reconnect();
    session.apply(1, vec![]);
    session.resume(Cluster, &[], &[(&cluster(1), "c1")]);
    session.resume(Endpoints, &[&cluster(1)], &[(&cluster(1), "e1")]);
    assert_eq!(said(&session.next()), (Cluster, vec![], vec![]));
    session.resume(Route, &[&routes(1)], &[(&routes(1), "r1")]);
    let said = session.settle();
    assert_eq!(said, [(Route, vec![routes(1)], vec![]), (Cluster, vec![], vec![cluster(1)])]);
}

#[test]
fn routes_that_changed_while_an_envoy_was_away_wait_for_endpoints_that_it_reports_later() {
    let mut session = Session::envoy_with(&[1]);
    session.reconnect();
    session.apply(1, site(1, "c1", "e1", "r2"));
    session.resume(Cluster, &[], &[(&cluster(1), "c1")]);
    session.resume(Route, &[&routes(1)], &[(&routes(1), "r1")]);
    assert_eq!(session.settle(), [(Cluster, vec![], vec![])]);
    session.resume(Endpoints, &[&cluster(1)], &[(&cluster(1), "e1")]);
    assert_eq!(session.settle(), [(Route, vec![routes(1)], vec![])]);
}

#[test]
fn sync_is_sent_when_all_else_of_the_filter_is_answered() {
    let mut session = Session::with_sites(&[1]);
    session.snapshot.apply(Owner::Platform, translate::platform(&"gw.localhost".parse().unwrap()));
    session.subscribe(Sync, &[]);
    for kind in [KeyBucket, Host, ConsumerBucket] {
        session.subscribe(kind, &[]);
    }
    assert_eq!(kinds(&session.settle()), [ConsumerBucket, KeyBucket, Host]);
    session.subscribe(SitePolicy, &[]);
    let policies = session.next();
    assert_eq!(said(&policies).0, SitePolicy);
    assert!(session.poll().is_none());
    session.ack(&policies);
    assert_eq!(session.settle(), [(Sync, vec!["sync".to_owned()], vec![])]);
    // Later changes are no first sync.
    session.apply(1, site(1, "c1", "e1", "r2"));
    assert_eq!(kinds(&session.settle()), [SitePolicy]);
}

#[test]
fn the_consumers_go_before_the_keys_that_lead_to_them() {
    let mut session = Session::default();
    for kind in [KeyBucket, ConsumerBucket] {
        session.subscribe(kind, &[]);
    }
    session.settle();
    let named =
        |kind| Named { kind, name: "0001".to_owned(), resource: Resource::new(kind, vec![1]) };
    for (owner, kind) in [(Owner::Bucket(1), KeyBucket), (Owner::Consumers(1), ConsumerBucket)] {
        let changed = session.snapshot.apply(owner, vec![named(kind)]);
        session.stream.changed(&changed);
    }
    assert_eq!(kinds(&session.settle()), [ConsumerBucket, KeyBucket]);
}

#[test]
fn a_policy_goes_before_the_host_that_leads_to_it() {
    let mut session = Session::default();
    for kind in [Host, SitePolicy, KeyBucket] {
        session.subscribe(kind, &[]);
    }
    session.settle();
    session.apply(1, site(1, "c1", "e1", "r1"));
    assert_eq!(kinds(&session.settle()), [SitePolicy, Host]);
}
