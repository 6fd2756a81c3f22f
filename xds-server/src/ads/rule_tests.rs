//! The rules of the delta protocol, one test each (xDS protocol, "Incremental xDS").

use xds_api::pb::envoy::config::core::v3::Node;
use xds_api::pb::envoy::service::discovery::v3::DeltaDiscoveryRequest;

use super::batch::MAX_RESPONSE_BYTES;
use super::session::{Session, id, lazy_scope, request, routes, said, site};
use super::{Event, Stream, StreamError};
use crate::resource::ResourceType::{self, *};
use crate::resource::{Named, Resource};
use crate::snapshot::{Owner, Snapshot};
use crate::translate::{FILTER_NAME, LISTENER_NAME};

fn names(numbers: &[u128]) -> Vec<String> {
    numbers.iter().map(|number| id(*number).to_string()).collect()
}

#[test]
fn a_first_request_without_a_node_ends_the_stream() {
    for node in [None, Some(Node::default())] {
        let request = DeltaDiscoveryRequest { node, ..request(Listener) };
        assert_eq!(Stream::new().receive(&Snapshot::default(), &request), Err(StreamError::NoNode));
    }
}

#[test]
fn only_the_first_request_needs_a_node() {
    let mut session = Session::with_sites(&[1]);
    session.subscribe(Cluster, &[]);
    session.send(&DeltaDiscoveryRequest { node: None, ..request(ScopedRoute) });
    assert_eq!(session.settle().len(), 2);
}

#[test]
fn a_first_request_without_names_is_the_wildcard_for_some_types_only() {
    for kind in ResourceType::ALL {
        let mut session = Session::with_sites(&[1]);
        session.subscribe(kind, &[]);
        let wildcard = session.stream.subscription(kind).wildcard;
        assert_eq!(wildcard, !matches!(kind, Endpoints | Route | ExtensionConfig), "{kind}");
    }
}

#[test]
fn a_star_is_the_wildcard_too() {
    let mut session = Session::with_sites(&[1, 2]);
    session.subscribe(ScopedRoute, &["*"]);
    assert_eq!(said(&session.next()), (ScopedRoute, names(&[1, 2]), vec![]));
}

#[test]
fn a_first_request_with_names_is_no_wildcard() {
    let mut session = Session::with_sites(&[1, 2]);
    session.subscribe(ScopedRoute, &[&id(2).to_string()]);
    assert_eq!(session.settle(), [(ScopedRoute, names(&[2]), vec![])]);
}

#[test]
fn an_empty_wildcard_is_answered_once() {
    let mut session = Session::default();
    session.subscribe(Cluster, &[]);
    assert_eq!(session.settle(), [(Cluster, vec![], vec![])]);
}

#[test]
fn a_missing_resource_that_is_asked_for_by_name_is_said_to_be_gone() {
    let mut session = Session::default();
    session.subscribe(Endpoints, &["edge"]);
    assert_eq!(session.settle(), [(Endpoints, vec![], vec!["edge".to_owned()])]);
    // Again, because the client may have forgotten.
    session.subscribe(Endpoints, &["edge"]);
    assert_eq!(session.settle(), [(Endpoints, vec![], vec!["edge".to_owned()])]);
}

#[test]
fn a_resource_that_is_asked_for_again_is_sent_again() {
    let mut session = Session::envoy_with(&[1]);
    session.subscribe(Route, &[&routes(1)]);
    assert_eq!(session.settle(), [(Route, vec![routes(1)], vec![])]);
}

#[test]
fn the_routes_of_an_unknown_site_are_there_and_answer_404() {
    let mut session = Session::default();
    session.subscribe(Route, &[&routes(9)]);
    let response = session.next();
    assert_eq!(said(&response), (Route, vec![routes(9)], vec![]));
    let body = &response.resources[0].resource.as_ref().unwrap().value;
    assert!(String::from_utf8_lossy(body).contains(r#""status":404"#));
}

#[test]
fn nothing_is_sent_after_it_was_unsubscribed() {
    let mut session = Session::envoy_with(&[1]);
    session.unsubscribe(Route, &[&routes(1)]);
    session.settle();
    session.apply(1, site(1, "c1", "e1", "r2"));
    assert!(session.settle().iter().all(|(kind, ..)| *kind != Route));
}

#[test]
fn a_name_that_is_unsubscribed_under_a_wildcard_is_said_to_exist() {
    let mut session = Session::with_sites(&[1]);
    let name = id(1).to_string();
    session.subscribe(ScopedRoute, &["*", &name]);
    session.settle();
    session.unsubscribe(ScopedRoute, &[&name]);
    assert_eq!(session.settle(), [(ScopedRoute, names(&[1]), vec![])]);
}

#[test]
fn after_the_wildcard_is_unsubscribed_only_names_count() {
    let mut session = Session::with_sites(&[1, 2]);
    session.subscribe(ScopedRoute, &["*", &id(1).to_string()]);
    session.settle();
    session.unsubscribe(ScopedRoute, &["*"]);
    session.apply(1, vec![]);
    session.apply(2, vec![]);
    assert_eq!(session.settle(), [(ScopedRoute, vec![], names(&[1]))]);
}

#[test]
fn a_client_that_comes_back_is_sent_what_differs_and_told_what_is_gone() {
    let mut session = Session::with_sites(&[1, 2, 4]);
    let [one, two, three] = [1, 2, 3].map(|number| id(number).to_string());
    let scope =
        |number| String::from_utf8(lazy_scope(number).resource.body.value.clone()).expect("text");
    session.resume(ScopedRoute, &[], &[(&one, &scope(1)), (&two, "old"), (&three, &scope(3))]);
    assert_eq!(session.settle(), [(ScopedRoute, names(&[2, 4]), names(&[3]))]);
}

#[test]
fn a_client_that_comes_back_with_names_is_sent_what_differs() {
    let mut session = Session::with_sites(&[1, 2]);
    session.resume(Route, &[&routes(1), &routes(2)], &[(&routes(1), "r1"), (&routes(2), "r0")]);
    assert_eq!(session.settle(), [(Route, vec![routes(2)], vec![])]);
}

#[test]
fn an_answer_with_a_stale_nonce_is_ignored_but_its_subscriptions_count() {
    let mut session = Session::envoy_with(&[1]);
    session.apply(1, site(1, "c1", "e1", "r2"));
    let response = session.next();
    let events = session.send(&DeltaDiscoveryRequest {
        response_nonce: "77".to_owned(),
        resource_names_subscribe: vec![routes(9)],
        ..request(Route)
    });
    assert_eq!(events, [Event::StaleNonce { kind: Route }]);
    assert_eq!(said(&session.next()).1, [routes(9)]);
    assert_eq!(session.ack(&response), [Event::Ack { kind: Route, sites: vec![id(1)] }]);
    assert_eq!(session.ack(&response), [Event::StaleNonce { kind: Route }]);
}

#[test]
fn a_nonce_of_an_earlier_stream_says_nothing() {
    let mut session = Session::with_sites(&[1]);
    let first = DeltaDiscoveryRequest { response_nonce: "1".to_owned(), ..request(ScopedRoute) };
    assert_eq!(session.send(&first), []);
    assert_eq!(session.settle().len(), 1);
}

#[test]
fn what_was_refused_is_not_sent_again_until_it_changes() {
    let mut session = Session::envoy_with(&[1]);
    session.apply(1, site(1, "c1", "e1", "bad"));
    let response = session.next();
    let events = session.nack(&response);
    let Event::Nack { kind, resources, message } = &events[0] else { panic!("{events:?}") };
    assert_eq!(
        (*kind, resources[0].0.as_str(), message.as_str()),
        (Route, routes(1).as_str(), "no good")
    );
    assert_eq!(session.settle(), []);
    session.stream.resync(&session.snapshot);
    assert_eq!(session.settle(), []);

    session.apply(1, site(1, "c1", "e1", "good"));
    assert_eq!(session.settle(), [(Route, vec![routes(1)], vec![])]);
}

#[test]
fn a_client_that_has_refused_the_only_routes_that_it_was_sent_is_sent_some_that_answer() {
    let mut session = Session::default();
    session.apply(1, site(1, "c1", "e1", "bad"));
    session.subscribe(Route, &[&routes(1)]);
    let bad = session.next();
    session.nack(&bad);
    let instead = session.next();
    let body = &instead.resources[0].resource.as_ref().unwrap().value;
    assert!(String::from_utf8_lossy(body).contains(r#""status":404"#));
    session.ack(&instead);
    assert_eq!(session.settle(), []);
    session.stream.resync(&session.snapshot);
    assert_eq!(session.settle(), [], "what was refused is not tried again");
    session.apply(1, site(1, "c1", "e1", "good"));
    assert_eq!(session.settle(), [(Route, vec![routes(1)], vec![])]);
}

#[test]
fn what_was_good_before_a_refusal_is_sent_again_because_the_refusal_may_be_partial() {
    let mut session = Session::envoy_with(&[1]);
    session.apply(1, site(1, "c1", "e1", "bad"));
    let response = session.next();
    session.nack(&response);
    session.apply(1, site(1, "c1", "e1", "r1"));
    assert_eq!(session.settle(), [(Route, vec![routes(1)], vec![])]);
}

#[test]
fn a_refusal_of_one_site_holds_up_no_other() {
    let mut session = Session::envoy_with(&[1, 2]);
    session.apply(1, site(1, "bad", "e1", "r2"));
    let response = session.next();
    session.nack(&response);
    session.apply(2, site(2, "c2", "e2", "r2"));
    let said = session.settle();
    assert!(said.contains(&(Route, vec![routes(2)], vec![])), "{said:?}");
}

#[test]
fn what_was_refused_together_is_tried_alone_so_that_only_the_bad_one_stays_refused() {
    let mut session = Session::with_sites(&[1, 2, 3]);
    session.subscribe(SitePolicy, &[]);
    let all = session.next();
    assert_eq!(said(&all).1, names(&[1, 2, 3]));
    session.nack(&all);
    let alone: Vec<_> = (0..3).map(|_| session.next()).collect();
    let each: Vec<_> = alone.iter().map(|response| said(response).1).collect();
    assert_eq!(each, [names(&[1]), names(&[2]), names(&[3])]);
    session.ack(&alone[0]);
    session.nack(&alone[1]);
    session.ack(&alone[2]);
    assert_eq!(session.settle(), []);
}

#[test]
fn changes_while_the_client_does_not_read_are_one_change() {
    let mut session = Session::envoy_with(&[1]);
    for version in ["r2", "r3", "r4"] {
        session.apply(1, site(1, "c1", "e1", version));
    }
    let response = session.next();
    assert_eq!(response.resources[0].resource.as_ref().unwrap().value, b"r4");
    session.ack(&response);
    assert!(session.poll().is_none());
}

#[test]
fn a_stream_that_missed_notices_catches_up() {
    let mut session = Session::envoy_with(&[1, 2]);
    session.snapshot.apply(Owner::Site(id(1)), site(1, "c1", "e1", "r2"));
    session.snapshot.apply(Owner::Site(id(2)), vec![]);
    session.snapshot.apply(Owner::Site(id(3)), site(3, "c1", "e1", "r1"));
    session.stream.resync(&session.snapshot);
    let said = session.settle();
    assert!(said.contains(&(Route, vec![routes(1)], vec![])), "{said:?}");
    assert!(said.contains(&(ScopedRoute, names(&[3]), names(&[2]))), "{said:?}");
}

#[test]
fn a_large_answer_is_split() {
    let mut session = Session::default();
    let large = |number: u16| Named {
        kind: KeyBucket,
        name: format!("{number:04x}"),
        resource: Resource::new(KeyBucket, vec![0; 300_000]),
    };
    for number in 0..7 {
        session.snapshot.apply(Owner::Bucket(number), vec![large(number)]);
    }
    session.subscribe(KeyBucket, &[]);
    let mut counts = Vec::new();
    while let Some(response) = session.poll() {
        assert!(prost::Message::encoded_len(&response) <= MAX_RESPONSE_BYTES);
        counts.push(response.resources.len());
    }
    assert_eq!(counts, [3, 3, 1]);
}

#[test]
fn unanswered_responses_are_bounded() {
    let numbers: Vec<u128> = (1..=40).collect();
    let mut session = Session::with_sites(&numbers);
    session.subscribe(Route, &["*"]);
    let mut responses = Vec::new();
    while let Some(response) = session.poll() {
        responses.push(response);
    }
    assert_eq!(responses.len(), 8);
    session.ack(&responses[0]);
    assert_eq!(said(&session.next()), (Route, vec![routes(9)], vec![]));
}

#[test]
fn the_listener_and_the_filter_are_those_of_the_node() {
    let mut session = Session::default();
    session.subscribe(Listener, &[]);
    session.subscribe(ExtensionConfig, &[FILTER_NAME]);
    let said = session.settle();
    assert_eq!(said[0], (ExtensionConfig, vec![FILTER_NAME.to_owned()], vec![]));
    assert_eq!(said[1], (Listener, vec![LISTENER_NAME.to_owned()], vec![]));
}

#[test]
fn a_type_that_is_not_served_is_reported_and_ignored() {
    let mut session = Session::default();
    let type_url = "type.googleapis.com/envoy.service.runtime.v3.Runtime".to_owned();
    let events =
        session.send(&DeltaDiscoveryRequest { type_url: type_url.clone(), ..request(Listener) });
    assert_eq!(events, [Event::UnknownType { type_url }]);
    assert!(session.poll().is_none());
}

#[test]
fn a_bucket_that_no_vm_has_room_for_is_absent_to_clients_and_holds_up_no_other() {
    let bucket = |number: u16, bytes: usize| Named {
        kind: KeyBucket,
        name: format!("{number:04x}"),
        resource: Resource::new(KeyBucket, vec![1; bytes]),
    };
    let mut session = Session::default();
    for number in [1, 2] {
        session.snapshot.apply(Owner::Bucket(number), vec![bucket(number, 10)]);
    }
    session.subscribe(KeyBucket, &["*"]);
    assert_eq!(session.settle().len(), 1);
    for (number, bytes) in [(1, policy::bounds::BUCKET_BYTES + 1), (2, 20)] {
        let changed = session.snapshot.apply(Owner::Bucket(number), vec![bucket(number, bytes)]);
        session.stream.changed(&changed);
    }
    let (names, removed) = (vec!["0002".to_owned()], vec!["0001".to_owned()]);
    assert_eq!(session.settle(), [(KeyBucket, names, removed)]);
}
