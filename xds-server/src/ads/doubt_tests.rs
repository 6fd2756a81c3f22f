//! The responses of a stream while its snapshot may be older than the client's state.

use super::session::{Session, cluster, id, routes, said, site};
use crate::resource::ResourceType::{self, *};
use crate::resource::{Named, Resource};
use crate::snapshot::Owner;

const TYPES: [ResourceType; 5] = [SitePolicy, ConsumerBucket, KeyBucket, Host, Sync];

/// A snapshot with one site, a key and the mark of a complete sync, and a stream that doubts it.
fn doubting() -> Session {
    let mut session = Session::with_sites(&[1]);
    for (owner, kind, name) in
        [(Owner::Bucket(7), KeyBucket, "0007"), (Owner::Platform, Sync, "sync")]
    {
        let resource = Resource::new(kind, b"old".to_vec());
        session.snapshot.apply(owner, vec![Named { kind, name: name.to_owned(), resource }]);
    }
    session.reached(5);
    session.stream.doubt();
    session
}

#[test]
fn a_client_keeps_what_it_reports() {
    let mut session = doubting();
    let (cluster, routes) = (cluster(1), routes(1));
    session.resume(Cluster, &["*"], &[(&cluster, "newer")]);
    session.resume(Endpoints, &[&cluster], &[(&cluster, "newer")]);
    session.resume(ScopedRoute, &["*"], &[(&id(1).to_string(), "newer"), ("gone", "1")]);
    session.resume(Route, &[&routes], &[(&routes, "newer")]);
    for said in session.settle() {
        assert_eq!((&said.1, &said.2), (&Vec::new(), &Vec::new()), "{said:?}");
    }
    session.stream.trust(&session.snapshot);
    let said: Vec<_> = session.settle().into_iter().map(|said| said.0).collect();
    assert_eq!(
        said,
        [Cluster, Endpoints, ScopedRoute, Route],
        "what differs is sent when it is known to be newer"
    );
}

#[test]
fn a_mirror_in_sync_is_not_given_back_what_was_taken_from_it() {
    let mut session = doubting();
    for kind in TYPES {
        let has: &[(&str, &str)] = if kind == Sync { &[("sync", "old")] } else { &[] };
        session.resume(kind, &["*"], has);
    }
    assert!(session.settle().iter().all(|said| said.1.is_empty()), "the key may have been revoked");
    session.stream.trust(&session.snapshot);
    assert!(session.settle().contains(&(KeyBucket, vec!["0007".to_owned()], vec![])));
}

#[test]
fn a_mirror_that_begins_gets_everything() {
    let mut session = doubting();
    for kind in TYPES {
        assert_eq!(
            session.poll(),
            None,
            "{kind}: its state is not known before its last subscription"
        );
        session.resume(kind, &["*"], &[]);
    }
    let said = session.settle();
    for kind in [SitePolicy, KeyBucket, Host, Sync] {
        assert!(said.iter().any(|said| said.0 == kind && !said.1.is_empty()), "{kind}: {said:?}");
    }
}

#[test]
fn a_site_that_a_client_has_not_loaded_is_loaded() {
    let mut session = doubting();
    session.resume(Cluster, &["*"], &[]);
    session.resume(Route, &[&routes(1)], &[]);
    let response = session.next();
    assert_eq!(said(&response).1, [cluster(1)]);
}

#[test]
fn nobody_is_said_to_have_a_change_that_is_in_doubt() {
    let mut session = doubting();
    session.resume(ScopedRoute, &["*"], &[]);
    session.settle();
    assert_eq!(session.stream.acked_seq(), None);
    session.stream.trust(&session.snapshot);
    session.settle();
    assert_eq!(session.stream.acked_seq(), Some(5));
}

#[test]
fn what_changes_meanwhile_and_was_not_reported_is_sent() {
    let mut session = doubting();
    session.resume(ScopedRoute, &["*"], &[(&id(1).to_string(), "newer")]);
    session.settle();
    session.apply(1, site(1, "c2", "e2", "r2"));
    session.apply(2, site(2, "c1", "e1", "r1"));
    assert_eq!(session.settle(), [(ScopedRoute, vec![id(2).to_string()], vec![])]);
}
