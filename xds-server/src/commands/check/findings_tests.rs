use super::*;

fn said(said: Said) -> Replica {
    Replica { url: "http://xds".to_owned(), said: Ok(said) }
}

/// Whether it is wrong, and says this.
fn is_wrong(finding: &Finding, part: &str) {
    assert!(!finding.good && finding.text.contains(part), "{finding}");
}

#[test]
fn a_replica_is_well_if_it_is_ready_up_to_date_and_has_envoys() {
    let well = Said { ready: true, readiness: "ready".to_owned(), applied: Some(9), streams: 2 };
    assert!(replica(&said(well.clone()), Some(9)).good);
    assert!(replica(&said(well.clone()), None).good, "without a database there is nothing to compare with");
    is_wrong(&replica(&said(Said { ready: false, ..well.clone() }), Some(9)), "not ready");
    is_wrong(&replica(&said(Said { applied: Some(8), ..well.clone() }), Some(9)), "at change 8 of 9");
    is_wrong(&replica(&said(Said { streams: 0, ..well }), Some(9)), "no Envoy is connected");
    let silent = Replica { url: "http://xds".to_owned(), said: Err("refused".to_owned()) };
    is_wrong(&replica(&silent, Some(9)), "does not answer: refused");
}

#[test]
fn a_site_is_wrong_with_the_reason() {
    let of = |site| Facts { site, ..Facts::default() };
    is_wrong(&site("shop", &of(None)), "there is no site");
    let untranslatable = SiteFacts { untranslatable: Some("no timeout".to_owned()), ..SiteFacts::default() };
    is_wrong(&site("shop", &of(Some(untranslatable))), "no timeout");
    assert!(site("shop", &of(Some(SiteFacts::default()))).good);
}
