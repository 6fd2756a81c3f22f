use std::time::Duration;

use policy::cell::{CellName, DEFAULT};
use policy::settings::{Algorithm, Issuer};

use super::*;
use crate::cells::Group;
use crate::resource::route_name;

const URL: &str = "https://login.example.com/keys";
const OTHER: &str = "https://other.example.com/keys";
const SET: &str = r#"{"keys":[{"kid":"1"}]}"#;
const NEWER: &str = r#"{"keys":[{"kid":"2"}]}"#;

fn tenant(number: u128) -> TenantId {
    TenantId(Uuid::from_u128(number))
}

/// A site of a tenant whose issuers have these URLs; one more has its keys inline.
fn site(number: u128, tenant_number: u128, urls: &[&str]) -> DesiredSite {
    let settings = |url: Option<&str>| Issuer {
        issuer: url.unwrap_or("inline").to_owned(),
        jwks_uri: url.map(str::to_owned),
        jwks: url.is_none().then(|| serde_json::json!({"keys": ["inline"]})),
        algorithms: vec![Algorithm::RS256],
        audiences: Vec::new(),
        required_claims: BTreeMap::new(),
        leeway_seconds: 30,
        max_age_seconds: None,
        consumer_claim: "sub".to_owned(),
        require_consumer: true,
        scope_claim: "scope".to_owned(),
        upstream_headers: BTreeMap::new(),
    };
    let all = urls.iter().map(|url| Some(*url)).chain([None]);
    let issuer = |(place, url)| DesiredIssuer {
        id: IssuerId(Uuid::from_u128(place)),
        settings: settings(url),
        secret: None,
        fetched_jwks: None,
    };
    DesiredSite {
        tenant: tenant(tenant_number),
        tenant_settings: Default::default(),
        site: SiteId(Uuid::from_u128(number)),
        settings: Default::default(),
        hostnames: Vec::new(),
        forward_credentials: false,
        eager: false,
        issuers: (0..).zip(all).map(issuer).collect(),
        plans: Vec::new(),
        apis: BTreeMap::new(),
        upstreams: Vec::new(),
        routes: Vec::new(),
    }
}

fn placement() -> Arc<BTreeSet<CellName>> {
    Arc::new(BTreeSet::from([CellName::default()]))
}

/// Does with a site what the follower does.
fn publish(keyring: &Keyring, cells: &Cells, mut site: DesiredSite) {
    let mut held = keyring.hold();
    held.join(&mut site);
    let resources = translate::site(&site).unwrap();
    cells.apply(vec![Group::same(Owner::Site(site.site), placement(), resources)]);
}

fn policy(cells: &Cells, number: u128) -> Vec<u8> {
    let name = SiteId(Uuid::from_u128(number)).to_string();
    cells
        .join(DEFAULT)
        .hub
        .snapshot()
        .get(ResourceType::SitePolicy, &name)
        .unwrap()
        .body
        .value
        .clone()
}

/// The translation of the site if its issuers with this URL have this set.
fn translated(mut site: DesiredSite, url: &str, set: &str) -> Vec<u8> {
    for issuer in &mut site.issuers {
        if issuer.settings.jwks_uri.as_deref() == Some(url) {
            issuer.fetched_jwks = Some(set.to_owned());
        }
    }
    let resources = translate::site(&site).unwrap();
    resources
        .into_iter()
        .find(|named| named.kind == ResourceType::SitePolicy)
        .unwrap()
        .resource
        .body
        .value
        .clone()
}

fn demanded(keyring: &Keyring) -> Vec<(String, Vec<TenantId>)> {
    keyring
        .take_demands()
        .into_iter()
        .map(|demand| (demand.url.to_string(), demand.tenants.into_iter().collect()))
        .collect()
}

#[test]
fn a_set_is_pushed_to_the_sites_that_use_it_and_to_no_other() {
    let (keyring, cells) = (Keyring::default(), Cells::default());
    for site in
        [site(1, 1, &[URL]), site(2, 2, &[OTHER, URL, URL]), site(3, 2, &[OTHER]), site(4, 3, &[])]
    {
        publish(&keyring, &cells, site);
    }
    let before = [3, 4].map(|number| policy(&cells, number));
    assert_eq!(keyring.put(&cells, &URL.into(), &SET.into()), 2);
    assert_eq!(
        policy(&cells, 1),
        translated(site(1, 1, &[URL]), URL, SET),
        "as if it had been translated with it"
    );
    assert_eq!(policy(&cells, 2), translated(site(2, 2, &[OTHER, URL, URL]), URL, SET));
    assert_eq!([3, 4].map(|number| policy(&cells, number)), before);
    assert_eq!(keyring.put(&cells, &URL.into(), &SET.into()), 0, "the same set is no change");
    assert_eq!(keyring.put(&cells, &URL.into(), &NEWER.into()), 2);
    assert_eq!(policy(&cells, 1), translated(site(1, 1, &[URL]), URL, NEWER));
}

#[test]
fn a_site_that_changes_keeps_the_sets_that_were_read() {
    let (keyring, cells) = (Keyring::default(), Cells::default());
    publish(&keyring, &cells, site(1, 1, &[URL]));
    keyring.put(&cells, &URL.into(), &SET.into());
    let mut changed = site(1, 1, &[URL]);
    changed.settings.challenges = true;
    publish(&keyring, &cells, changed.clone());
    assert_eq!(policy(&cells, 1), translated(changed, URL, SET));
    // Its routes and all else are the follower's business.
    assert!(
        cells
            .join(DEFAULT)
            .hub
            .snapshot()
            .get(ResourceType::Route, &route_name(SiteId(Uuid::from_u128(1))))
            .is_some()
    );
}

#[test]
fn the_worker_hears_what_is_used_by_whom() {
    let (keyring, cells) = (Keyring::default(), Cells::default());
    publish(&keyring, &cells, site(1, 1, &[URL]));
    publish(&keyring, &cells, site(2, 2, &[URL, OTHER]));
    assert_eq!(
        demanded(&keyring),
        [(URL.to_owned(), vec![tenant(1), tenant(2)]), (OTHER.to_owned(), vec![tenant(2)])]
    );
    publish(&keyring, &cells, site(2, 2, &[URL, OTHER]));
    assert_eq!(demanded(&keyring), [], "nothing has changed");
    publish(&keyring, &cells, site(2, 2, &[OTHER]));
    assert_eq!(
        demanded(&keyring),
        [(URL.to_owned(), vec![tenant(1)])]
            .into_iter()
            .chain([(OTHER.to_owned(), vec![tenant(2)])])
            .collect::<Vec<_>>()
    );
    keyring.hold().remove(SiteId(Uuid::from_u128(1)));
    assert_eq!(demanded(&keyring), [(URL.to_owned(), vec![])]);
    assert_eq!(keyring.put(&cells, &URL.into(), &SET.into()), 0, "nobody wants it any more");
    publish(&keyring, &cells, site(2, 2, &[]));
    assert_eq!(demanded(&keyring), [(OTHER.to_owned(), vec![])]);
    assert_eq!((keyring.digests().len(), keyring.without_set()), (0, 0));
}

#[test]
fn a_url_that_comes_back_has_no_set_until_it_is_read_again() {
    let (keyring, cells) = (Keyring::default(), Cells::default());
    publish(&keyring, &cells, site(1, 1, &[URL]));
    keyring.put(&cells, &URL.into(), &SET.into());
    publish(&keyring, &cells, site(1, 1, &[]));
    publish(&keyring, &cells, site(1, 1, &[URL]));
    assert_eq!(keyring.without_set(), 1);
    assert_eq!(demanded(&keyring), [(URL.to_owned(), vec![tenant(1)])]);
}

#[test]
fn what_was_restored_is_there_from_the_first_translation_on() {
    let (keyring, cells) = (Keyring::default(), Cells::default());
    let known = Known { age: Duration::from_secs(60), lifetime: Duration::from_secs(3600) };
    let restored = |url| (digest(url), Restored { set: SET.into(), known });
    keyring.restore([restored(URL), restored("https://nobody.example.com/")]);
    publish(&keyring, &cells, site(1, 1, &[URL, OTHER]));
    keyring.forget_restored();
    assert_eq!(policy(&cells, 1), translated(site(1, 1, &[URL, OTHER]), URL, SET));
    let demands = keyring.take_demands();
    let known: Vec<_> = demands.iter().map(|demand| (&*demand.url, demand.known)).collect();
    assert_eq!(
        known,
        [
            (
                URL,
                Some(Known { age: Duration::from_secs(60), lifetime: Duration::from_secs(3600) })
            ),
            (OTHER, None)
        ]
    );
    assert_eq!(keyring.without_set(), 1);
}
