use std::collections::BTreeMap;

use super::*;
use crate::id::Uuid;
use crate::key::{ApiKey, CredentialKind, Environment};
use crate::wire::{PolicyRoute, SitePolicy};

/// Two tenants: site 1 and 2 of tenant 10, site 3 of tenant 20; a key for each, with the site's number as seed.
struct World {
    hosts: BTreeMap<&'static str, HostEntry>,
    keys: Vec<KeyRecord>,
    sites: BTreeMap<SiteId, Rc<Site>>,
}

impl State for World {
    fn host(&mut self, name: &str) -> Option<HostEntry> {
        self.hosts.get(name).copied()
    }

    fn key(&mut self, digest: &Digest) -> Option<KeyRecord> {
        self.keys.iter().find(|key| key.digest == *digest).copied()
    }

    fn site(&mut self, id: SiteId) -> Option<Rc<Site>> {
        self.sites.get(&id).cloned()
    }
}

fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn key(number: u8) -> ApiKey {
    ApiKey::from_random(Environment::Live, &[number; 64]).expect("a key")
}

fn world() -> World {
    let site = |number: u128, tenant: u128, forward_credentials| {
        let routes = ["/v1/orders/{id}", "/v1/orders"].iter().zip(1..);
        let policy = SitePolicy {
            tenant: uuid(tenant).as_bytes().to_vec(),
            forward_credentials,
            routes: routes
                .map(|(path, route)| PolicyRoute {
                    id: uuid(number * 100 + route).as_bytes().to_vec(),
                    methods: 1,
                    path: (*path).to_owned(),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        };
        let id = SiteId(uuid(number));
        (id, Rc::new(Site::decode(id, &prost::Message::encode_to_vec(&policy)).expect("a policy")))
    };
    let record = |number: u8| KeyRecord {
        digest: key(number).digest(),
        site: SiteId(uuid(number.into())),
        consumer: ConsumerId(uuid(number.into())),
        key: KeyId(uuid(number.into())),
        expires_at_ms: Some(1000),
        plan: 0,
        kind: CredentialKind::ApiKey,
        has_details: false,
    };
    World {
        hosts: BTreeMap::from([
            ("one.example", HostEntry::Site(SiteId(uuid(1)))),
            ("two.example", HostEntry::Site(SiteId(uuid(2)))),
            ("three.example", HostEntry::Site(SiteId(uuid(3)))),
            ("gone.example", HostEntry::Site(SiteId(uuid(4)))),
            ("api.example", HostEntry::SharedApi),
        ]),
        keys: (1..=4).map(record).collect(),
        sites: BTreeMap::from([site(1, 10, false), site(2, 10, true), site(3, 20, false)]),
    }
}

fn ask<'a>(host: &'a str, method: &'a str, path: &'a str, key: Option<&'a str>) -> Decision<'a> {
    let mut headers = vec![(":authority", host), (":method", method), (":path", path)];
    headers.extend(key.map(|key| ("x-api-key", key)));
    let request = Request::read(headers.into_iter().map(|(name, value)| (name, value.as_bytes())));
    decide(&request, &mut world(), 999)
}

#[test]
fn a_key_on_its_sites_host_is_let_go_with_its_identity() {
    let one = key(1);
    let Decision::Forward(forward) = ask("One.example:80", "GET", "/v1/orders/7?x=1", Some(one.reveal())) else {
        panic!("refused");
    };
    let expected = Forward {
        tenant: TenantId(uuid(10)),
        site: SiteId(uuid(1)),
        route: RouteId(uuid(101)),
        consumer: ConsumerId(uuid(1)),
        key: KeyId(uuid(1)),
        move_key: None,
    };
    assert_eq!(forward, expected);
}

#[test]
fn a_bearer_key_is_moved_to_where_envoy_removes_it_unless_the_site_wants_it() {
    for (number, host) in [(1, "one.example"), (2, "two.example")] {
        let key = key(number);
        let bearer = format!("Bearer {}", key.reveal());
        let headers = [(":authority", host), (":path", "/v1/orders"), (":method", "GET"), ("authorization", &bearer)];
        let request = Request::read(headers.iter().map(|(name, value)| (*name, value.as_bytes())));
        let decision = decide(&request, &mut world(), 0);
        let Decision::Forward(forward) = decision else { panic!("{decision:?}") };
        let moved = (number == 1).then_some(KeyText(key.reveal().as_bytes()));
        assert_eq!(forward.move_key, moved, "only site 2 forwards credentials");
    }
}

#[test]
fn on_the_shared_host_the_key_tells_the_site() {
    for number in [1_u8, 3] {
        let key = key(number);
        let decision = ask("api.example", "GET", "/v1/orders", Some(key.reveal()));
        let Decision::Forward(forward) = decision else { panic!("{number}: {decision:?}") };
        assert_eq!(forward.site, SiteId(uuid(number.into())));
    }
}

#[test]
fn an_unknown_host_is_not_found_whatever_the_credential() {
    let one = key(1);
    for host in ["other.example", "gone.example", "", "one.example,two.example"] {
        for key in [None, Some(one.reveal()), Some("junk")] {
            assert_eq!(ask(host, "GET", "/v1/orders", key), Decision::Refuse(Refusal::UnknownHost), "{host}");
        }
    }
}

#[test]
fn every_failure_to_authenticate_is_the_same_refusal() {
    let (foreign, sibling, unknown, siteless) = (key(3), key(2), key(9), key(4));
    let keys = [None, Some("junk"), Some(foreign.reveal()), Some(sibling.reveal()), Some(unknown.reveal())];
    for key in keys {
        for path in ["/v1/orders", "/none", "/%2F"] {
            assert_eq!(ask("one.example", "GET", path, key), Decision::Refuse(Refusal::Forbidden));
        }
    }
    for key in [None, Some("junk"), Some(unknown.reveal()), Some(siteless.reveal())] {
        assert_eq!(ask("api.example", "GET", "/v1/orders", key), Decision::Refuse(Refusal::Forbidden));
    }
}

#[test]
fn an_expired_key_is_refused() {
    let text = key(1);
    let headers =
        [(":authority", "one.example"), (":path", "/v1/orders"), (":method", "GET"), ("x-api-key", text.reveal())];
    let request = Request::read(headers.iter().map(|(name, value)| (*name, value.as_bytes())));
    assert_eq!(decide(&request, &mut world(), 1000), Decision::Refuse(Refusal::Forbidden));
}

#[test]
fn only_who_is_authenticated_learns_of_paths_and_methods() {
    let key = key(1);
    let refused = |method, path| ask("one.example", method, path, Some(key.reveal()));
    assert_eq!(refused("GET", "/v1/other"), Decision::Refuse(Refusal::NoRoute));
    assert_eq!(refused("GET", "/v1/orders/a%2Fb"), Decision::Refuse(Refusal::MalformedPath));
    let allowed = Methods::named("GET").expect("a method");
    assert_eq!(refused("PUT", "/v1/orders"), Decision::Refuse(Refusal::MethodNotAllowed(allowed)));
    assert_eq!(refused("BREW", "/v1/orders"), Decision::Refuse(Refusal::MethodNotAllowed(allowed)));
}

#[test]
fn bodies_are_problem_details_with_the_status_that_is_sent() {
    let refusals = [
        Refusal::NotReady,
        Refusal::UnknownHost,
        Refusal::Forbidden,
        Refusal::MalformedPath,
        Refusal::NoRoute,
        Refusal::MethodNotAllowed(Methods::ALL),
    ];
    for refusal in refusals {
        assert!(refusal.body().contains(&format!(r#""status":{}"#, refusal.status())), "{refusal:?}");
    }
}
