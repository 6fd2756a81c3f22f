//! Sites with issuers, and the key sets that are pushed for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use policy::cell::{CellName, DEFAULT};
use policy::desired::{DesiredIssuer, DesiredSite};
use policy::id::{IssuerId, SiteId, TenantId, Uuid};
use policy::settings::{self, Algorithm};
use policy::wire::SitePolicy;
use prost::Message as _;
use xds_server::cells::{Cells, Group};
use xds_server::jwks::Keyring;
use xds_server::resource::ResourceType;
use xds_server::snapshot::Owner;
use xds_server::translate;

/// The time that a step may take which should happen soon.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn issuer_settings(url: &str) -> settings::Issuer {
    settings::Issuer {
        issuer: "https://issuer.example.com/".to_owned(),
        jwks_uri: Some(url.to_owned()),
        jwks: None,
        algorithms: vec![Algorithm::RS256],
        audiences: Vec::new(),
        required_claims: BTreeMap::new(),
        leeway_seconds: 30,
        max_age_seconds: None,
        consumer_claim: "sub".to_owned(),
        require_consumer: true,
        scope_claim: "scope".to_owned(),
        upstream_headers: BTreeMap::new(),
    }
}

/// A site of the tenant with the same number, with issuers at these URLs.
pub(crate) fn site(number: u128, urls: &[String]) -> DesiredSite {
    let issuer = |(place, url): (u128, &String)| DesiredIssuer {
        id: IssuerId(Uuid::from_u128(place)),
        settings: issuer_settings(url),
        secret: None,
        fetched_jwks: None,
    };
    DesiredSite {
        tenant: TenantId(Uuid::from_u128(number)),
        tenant_settings: Default::default(),
        site: SiteId(Uuid::from_u128(number)),
        settings: Default::default(),
        hostnames: Vec::new(),
        forward_credentials: false,
        eager: false,
        issuers: (0..).zip(urls).map(issuer).collect(),
        plans: Vec::new(),
        apis: BTreeMap::new(),
        upstreams: Vec::new(),
        routes: Vec::new(),
    }
}

/// Serves a site, as the follower does.
pub(crate) fn publish(keyring: &Keyring, cells: &Cells, mut site: DesiredSite) {
    let mut held = keyring.hold();
    held.join(&mut site);
    let resources = translate::site(&site).expect("a site that is right");
    let placement = Arc::new(BTreeSet::from([CellName::default()]));
    cells.apply(vec![Group::same(Owner::Site(site.site), placement, resources)]);
}

/// The set that is pushed for the first issuer of a site.
pub(crate) fn pushed(cells: &Cells, site: SiteId) -> String {
    let hub = cells.join(DEFAULT).hub;
    let snapshot = hub.snapshot();
    let Some(policy) = snapshot.get(ResourceType::SitePolicy, &site.to_string()) else {
        return String::new();
    };
    let policy = SitePolicy::decode(policy.body.value.as_slice()).expect("a policy");
    policy.issuers.first().map(|issuer| issuer.jwks.clone()).unwrap_or_default()
}

pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < PATIENCE, "still not so after {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
