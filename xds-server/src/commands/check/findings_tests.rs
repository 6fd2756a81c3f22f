use policy::id::Uuid;
use store::lookup::Held;

use super::*;

fn stream(node: &str, kind: StreamKind, cell: &str, acked_seq: Option<i64>) -> StreamState {
    let (node_id, cell, version) = (node.to_owned(), cell.to_owned(), String::new());
    StreamState { id: Uuid::nil(), node_id, kind, cell, version, acked_seq }
}

fn facts(ads: Option<i64>, mirror: Option<i64>) -> Facts {
    let streams = vec![
        stream("edge-1", StreamKind::Ads, "blue", ads),
        stream("edge-1", StreamKind::Mirror, "blue", mirror),
    ];
    Facts { head: 9, streams, site: None }
}

fn said(said: ReplicaState) -> Replica {
    Replica { url: "http://xds".to_owned(), said: Ok(said) }
}

/// Asserts that the finding is wrong, and says this.
fn is_wrong(finding: &Finding, part: &str) {
    assert!(!finding.good && finding.text.contains(part), "{finding}");
}

#[test]
fn a_replica_is_well_if_it_is_ready_up_to_date_and_has_envoys() {
    let well =
        ReplicaState { ready: true, readiness: "ready".to_owned(), applied: Some(9), streams: 2 };
    assert!(replica(&said(well.clone()), Some(9)).good);
    assert!(
        replica(&said(well.clone()), None).good,
        "without a database there is nothing to compare with"
    );
    is_wrong(&replica(&said(ReplicaState { ready: false, ..well.clone() }), Some(9)), "not ready");
    is_wrong(
        &replica(&said(ReplicaState { applied: Some(8), ..well.clone() }), Some(9)),
        "at change 8 of 9",
    );
    is_wrong(
        &replica(&said(ReplicaState { streams: 0, ..well }), Some(9)),
        "no Envoy is connected",
    );
    let silent = Replica { url: "http://xds".to_owned(), said: Err("refused".to_owned()) };
    is_wrong(&replica(&silent, Some(9)), "does not answer: refused");
}

#[test]
fn an_envoy_has_a_change_when_both_of_its_streams_have_answered_it() {
    assert!(envoys(None, &facts(Some(9), Some(9))).iter().all(|finding| finding.good));
    for (facts, part) in [
        (facts(Some(8), Some(9)), "through change 8 of 9 on its own stream"),
        (facts(Some(9), Some(7)), "through change 7 of 9 on the stream of its filter"),
        (facts(Some(9), None), "first sync on the stream of its filter"),
    ] {
        is_wrong(&envoys(Some("edge-1"), &facts)[0], part);
    }
    let mut half = facts(Some(9), Some(9));
    half.streams.pop();
    is_wrong(&envoys(None, &half)[0], "lacks the stream of its filter");
}

#[test]
fn an_envoy_that_is_not_connected_is_told_from_those_that_are() {
    is_wrong(&envoys(Some("edge-2"), &facts(Some(9), Some(9)))[0], "these are: edge-1");
    is_wrong(&envoys(None, &Facts::default())[0], "no Envoy is connected");
}

#[test]
fn an_envoy_of_another_cell_does_not_get_the_site() {
    let site = SiteFacts { cells: vec!["green".to_owned()], ..SiteFacts::default() };
    let facts = Facts { site: Some(site), ..facts(Some(9), Some(9)) };
    is_wrong(&envoys(None, &facts)[0], "of cell \"blue\", and the site is placed on green");
}

#[test]
fn a_site_is_wrong_with_the_reason() {
    let of = |site| Facts { site, ..Facts::default() };
    is_wrong(&site("shop", &of(None)), "there is no site");
    let untranslatable =
        SiteFacts { untranslatable: Some("no timeout".to_owned()), ..SiteFacts::default() };
    is_wrong(&site("shop", &of(Some(untranslatable))), "no timeout");
    let held = Held {
        resource_type: "cds".to_owned(),
        resource: "site/1/2".to_owned(),
        reason: "bad address".to_owned(),
        at: Default::default(),
        has_good: true,
        refused_by: vec!["edge-1".to_owned()],
    };
    let held = SiteFacts { held: Some(held), ..SiteFacts::default() };
    is_wrong(&site("shop", &of(Some(held))), "cds site/1/2 was refused by edge-1: bad address");
    assert!(site("shop", &of(Some(SiteFacts::default()))).good);
}
