//! The resources that are served of a site whose resources are refused, one test for each rule.

use std::collections::BTreeMap;

use policy::desired::DesiredSite;
use policy::id::{TenantId, Uuid};
use store::quarantine::Quarantined;

use super::*;
use crate::resource::{Resource, route_name};
use crate::snapshot::Owner;

fn desired(hostname: &str) -> DesiredSite {
    DesiredSite {
        tenant: TenantId(Uuid::from_u128(7)),
        tenant_settings: Default::default(),
        site: SiteId(Uuid::from_u128(1)),
        settings: Default::default(),
        issuers: Vec::new(),
        plans: Vec::new(),
        apis: Default::default(),
        hostnames: vec![hostname.to_owned()],
        forward_credentials: false,
        eager: false,
        upstreams: Vec::new(),
        routes: Vec::new(),
    }
}

fn routes(content: &str) -> Vec<Named> {
    let name = route_name(desired("").site);
    vec![Named {
        kind: ResourceType::Route,
        name,
        resource: Resource::new(ResourceType::Route, content.into()),
    }]
}

/// A replica with one site.
struct Replica {
    quarantine: Quarantine,
    roster: Arc<Roster>,
    snapshot: Snapshot,
    seq: i64,
}

impl Replica {
    fn new() -> Self {
        let roster = Arc::new(Roster::default());
        Self {
            quarantine: Quarantine::new(Arc::clone(&roster)),
            roster,
            snapshot: Snapshot::default(),
            seq: 0,
        }
    }

    /// Reads the site, whose resources have this content, with this row of the database.
    fn read(&mut self, content: &str, held: Option<&Quarantined>) -> String {
        self.seq += 1;
        let site = desired("now.gw.localhost");
        let before = || self.snapshot.group(Owner::Site(site.site));
        let admitted = self.quarantine.admit(
            &site,
            routes(content),
            &Wanted::default(),
            held,
            self.seq,
            before,
        );
        let (Admitted::Newest(resources) | Admitted::LastGood(resources)) = admitted else {
            panic!("{admitted:?}")
        };
        self.snapshot.apply(Owner::Site(site.site), resources);
        self.served()
    }

    fn served(&self) -> String {
        let name = route_name(desired("").site);
        let served = self.snapshot.get(ResourceType::Route, &name).expect("routes");
        String::from_utf8(served.body.value.clone()).unwrap()
    }

    /// A validating Envoy refuses this content; gives the row that the database has then, if it
    /// changes.
    fn refuse_by_validation(&self, content: &str) -> Option<Quarantined> {
        let site = desired("").site;
        let now = self.snapshot.group(Owner::Site(site));
        let verdict = Verdict { site, group: routes(content), reason: "no good".to_owned() };
        self.quarantine.refused_by_validation(&now, &verdict);
        let refusal = self.roster.take(false).refusals.into_values().next()?;
        assert_eq!(
            (refusal.node_id, refusal.reason.as_str()),
            (None, "a validating Envoy refuses it: no good")
        );
        Some(Quarantined { site: refusal.site, digest: refusal.digest, good: refusal.good })
    }

    fn accept(&self) {
        self.quarantine.accepted(desired("").site);
    }

    /// Has an Envoy refuse the served resources; returns the row that the database has then.
    fn refuse(&self) -> Quarantined {
        let name = route_name(desired("").site);
        let version =
            self.snapshot.get(ResourceType::Route, &name).expect("routes").version.clone();
        let kind = ResourceType::Route;
        let refused =
            Refused { node_id: "edge-1", kind, name: &name, version: &version, reason: "no good" };
        self.quarantine.refused(&self.snapshot, refused);
        let refusal = self.roster.take(false).refusals.into_values().next().expect("a refusal");
        Quarantined { site: refusal.site, digest: refusal.digest, good: refusal.good }
    }

    fn released(&self) -> BTreeMap<SiteId, [u8; 32]> {
        self.roster.take(false).released
    }
}

#[test]
fn what_was_refused_gives_way_to_what_was_good_before_on_every_replica() {
    let mut replica = Replica::new();
    replica.read("good", None);
    replica.read("bad", None);
    let held = replica.refuse();
    assert_eq!(replica.read("bad", Some(&held)), "good");
    assert_eq!(Replica::new().read("bad", Some(&held)), "good", "after a restart too");
}

#[test]
fn what_was_never_accepted_is_not_what_was_good_before() {
    let mut replica = Replica::new();
    for content in ["good", "bad", "worse"] {
        replica.read(content, None);
    }
    let held = replica.refuse();
    assert_eq!(replica.read("worse", Some(&held)), "good");
}

#[test]
fn what_was_accepted_is_what_was_good_before() {
    let mut replica = Replica::new();
    for content in ["good", "better"] {
        replica.read(content, None);
        replica.accept();
    }
    replica.read("bad", None);
    let held = replica.refuse();
    assert_eq!(replica.read("bad", Some(&held)), "better");
}

#[test]
fn a_site_recovers_when_something_else_is_accepted() {
    let mut replica = Replica::new();
    replica.read("good", None);
    replica.read("bad", None);
    let held = replica.refuse();
    replica.read("bad", Some(&held));
    assert_eq!(replica.read("mended", Some(&held)), "mended");
    assert!(replica.released().is_empty(), "nobody has accepted it yet");
    replica.accept();
    assert_eq!(replica.released(), BTreeMap::from([(held.site, held.digest)]));
}

#[test]
fn a_second_bad_edit_leaves_the_last_good_one_as_it_is() {
    let mut replica = Replica::new();
    replica.read("good", None);
    replica.read("bad", None);
    let held = replica.refuse();
    replica.read("bad", Some(&held));
    replica.read("worse", Some(&held));
    let held = replica.refuse();
    assert_eq!(replica.read("worse", Some(&held)), "good");
}

#[test]
fn going_back_to_what_was_good_needs_nobodys_acceptance() {
    let mut replica = Replica::new();
    replica.read("good", None);
    replica.read("bad", None);
    let held = replica.refuse();
    replica.read("bad", Some(&held));
    assert_eq!(replica.read("good", Some(&held)), "good");
    assert_eq!(replica.released().len(), 1);
}

#[test]
fn without_anything_better_what_was_refused_stays_so_that_who_has_something_keeps_it() {
    let mut replica = Replica::new();
    replica.read("bad", None);
    let held = replica.refuse();
    assert_eq!(held.good, None);
    assert_eq!(replica.read("bad", Some(&held)), "bad");
}

#[test]
fn the_refusal_of_what_is_served_no_more_says_nothing() {
    let mut replica = Replica::new();
    replica.read("good", None);
    replica.read("bad", None);
    let name = route_name(desired("").site);
    let version = Version::of(b"older");
    let kind = ResourceType::Route;
    let refused =
        Refused { node_id: "edge-1", kind, name: &name, version: &version, reason: "no good" };
    replica.quarantine.refused(&replica.snapshot, refused);
    assert!(replica.roster.take(false).refusals.is_empty());
}

#[test]
fn the_last_good_resources_have_the_hostnames_of_today() {
    let mut replica = Replica::new();
    replica.read("good", None);
    replica.read("bad", None);
    let held = replica.refuse();
    let mut other = Replica::new();
    other.read("bad", Some(&held));
    assert!(other.snapshot.get(ResourceType::Host, "now.gw.localhost").is_some());
}

#[test]
fn a_site_that_cannot_be_translated_keeps_what_it_had_and_a_restart_finds_it() {
    let mut replica = Replica::new();
    replica.read("good", None);
    let site = desired("now.gw.localhost");
    let before = || replica.snapshot.group(Owner::Site(site.site));
    let admitted = replica.quarantine.failed(
        site.site,
        Some((&site, &Wanted::default())),
        "a reason".to_owned(),
        None,
        2,
        before,
    );
    assert!(matches!(admitted, Admitted::Kept));
    let refusal = replica.roster.take(false).refusals.into_values().next().expect("a refusal");
    let held = Quarantined { site: site.site, digest: refusal.digest, good: refusal.good };
    let fresh = Replica::new();
    let admitted = fresh.quarantine.failed(
        site.site,
        Some((&site, &Wanted::default())),
        "a reason".to_owned(),
        Some(&held),
        2,
        Vec::new,
    );
    let Admitted::LastGood(group) = admitted else { panic!("{admitted:?}") };
    assert!(group.iter().any(|named| named.resource.body.value == b"good"));
    assert_eq!(fresh.roster.take(false).still.len(), 1);
}

#[test]
fn what_a_validating_envoy_refuses_gives_way_to_what_was_good() {
    let mut replica = Replica::new();
    replica.read("good", None);
    replica.accept();
    replica.read("bad", None);
    let held = replica.refuse_by_validation("bad").expect("a row");
    assert_eq!(replica.read("bad", Some(&held)), "good");
}

#[test]
fn what_a_validating_envoy_says_does_not_count_against_who_serves_or_of_what_is_not_served() {
    let mut replica = Replica::new();
    replica.read("first", None);
    replica.read("newest", None);
    assert!(replica.refuse_by_validation("first").is_none(), "something else is served");
    replica.accept();
    assert!(replica.refuse_by_validation("newest").is_none(), "an Envoy has accepted it");
}
