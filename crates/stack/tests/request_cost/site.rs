//! A site as the bench has it: ten routes, a plan with a rate and a quota, keys or tokens; and the
//! shared data that the mirror writes for it.

use policy::id::{ConsumerId, KeyId, SiteId, Uuid};
use policy::key::{ApiKey, CredentialKind, Environment, KeyRecord, bucket_name, pack_bucket};
use policy::method::Methods;
use policy::mirror::{Action, Left, Mirror};
use policy::mirror_wire::{Any, DeltaDiscoveryResponse, Resource};
use policy::requirement::AuthMethods;
use policy::settings::AuthMethod;
use policy::wire::{self, Dimension, DimensionKind, LimitRule, Measure, RequirementMode, type_url};
use prost::Message;

/// Its hostname.
pub(crate) const HOST: &str = "s0.gw.example.com";

const TENANT: u128 = 0x0190_0000_0000_7000_8001_0000_0000_0001;
const SITE: u128 = 0x0190_0000_0000_7000_8002_0000_0000_0001;
const CONSUMER: u128 = 0x0190_0000_0000_7000_8008_0000_0000_0001;
const KEY: u128 = 0x0190_0000_0000_7000_8009_0000_0000_0000;
const ROUTE: u128 = 0x0190_0000_0000_7000_8007_0000_0000_0000;
const API: u128 = 0x0190_0000_0000_7000_8005_0000_0000_0000;

const ROUTES: [&str; 10] = [
    "/products",
    "/products/{id}",
    "/products/{id}/reviews",
    "/orders",
    "/orders/{id}",
    "/orders/{id}/items/{item}",
    "/customers/{id}",
    "/search",
    "/carts/{id}",
    "/files/{*path}",
];

/// This number of keys, always the same ones.
pub(crate) fn keys(count: u8) -> Vec<ApiKey> {
    let bytes = |number: u8| -> Vec<u8> {
        (0..64).map(|place: u8| place.wrapping_mul(37) ^ number).collect()
    };
    (0..count)
        .map(|number| ApiKey::from_random(Environment::Live, &bytes(number)).expect("enough bytes"))
        .collect()
}

/// The shared data of the mirror after it has got everything.
pub(crate) fn shared_data(keys: &[ApiKey]) -> Vec<(String, Vec<u8>)> {
    let (mut mirror, mut actions) =
        Mirror::start("node".to_owned(), "default".to_owned(), &Left::default());
    let site = Uuid::from_u128(SITE);
    let mut told = vec![
        (type_url::SITE_POLICY, site.to_string(), policy().encode_to_vec()),
        (type_url::HOST, HOST.to_owned(), wire::Host::of_site(SiteId(site)).encode_to_vec()),
    ];
    for (number, key) in keys.iter().enumerate() {
        let bucket = wire::KeyBucket { records: pack_bucket(&[record(key, number as u128)]) };
        told.push((
            type_url::KEY_BUCKET,
            bucket_name(key.digest().bucket()),
            bucket.encode_to_vec(),
        ));
    }
    told.push((type_url::SYNC, wire::SYNC_NAME.to_owned(), Vec::new()));
    for (type_url, name, value) in told {
        actions.extend(mirror.received(&message(type_url, name, value)));
    }
    writes(actions)
}

/// The shared data after the revocation of a key that was alone in its bucket.
pub(crate) fn revoked(key: &ApiKey) -> Vec<(String, Vec<u8>)> {
    removed(type_url::KEY_BUCKET, bucket_name(key.digest().bucket()))
}

/// The shared data after the removal of the host.
pub(crate) fn host_removed() -> Vec<(String, Vec<u8>)> {
    removed(type_url::HOST, HOST.to_owned())
}

fn removed(type_url: &str, name: String) -> Vec<(String, Vec<u8>)> {
    let (mut mirror, _) = Mirror::start("node".to_owned(), "default".to_owned(), &Left::default());
    let removed = DeltaDiscoveryResponse {
        type_url: type_url.to_owned(),
        nonce: "n".to_owned(),
        removed_resources: vec![name],
        ..DeltaDiscoveryResponse::default()
    };
    writes(mirror.received(&removed.encode_to_vec()))
}

fn message(type_url: &str, name: String, value: Vec<u8>) -> Vec<u8> {
    let content = Any { type_url: type_url.to_owned(), value };
    let resource = Resource { version: "1".to_owned(), resource: Some(content), name };
    let response = DeltaDiscoveryResponse {
        resources: vec![resource],
        type_url: type_url.to_owned(),
        nonce: "n".to_owned(),
        removed_resources: Vec::new(),
    };
    response.encode_to_vec()
}

fn writes(actions: Vec<Action>) -> Vec<(String, Vec<u8>)> {
    let write = |action| match action {
        Action::Write(name, value) => Some((name, value)),
        Action::Send(_) | Action::Reconnect => None,
    };
    actions.into_iter().filter_map(write).collect()
}

fn id(number: u128) -> Vec<u8> {
    Uuid::from_u128(number).as_bytes().to_vec()
}

fn record(key: &ApiKey, number: u128) -> KeyRecord {
    KeyRecord {
        digest: key.digest(),
        site: SiteId(Uuid::from_u128(SITE)),
        consumer: ConsumerId(Uuid::from_u128(CONSUMER)),
        key: KeyId(Uuid::from_u128(KEY + number)),
        expires_at_ms: None,
        plan: 1,
        kind: CredentialKind::ApiKey,
        has_details: false,
    }
}

fn policy() -> wire::SitePolicy {
    let route = |(number, path): (usize, &&str)| wire::PolicyRoute {
        id: id(ROUTE + number as u128),
        methods: Methods::ALL.bits(),
        path: format!("/shop/v1{path}"),
        ..wire::PolicyRoute::default()
    };
    let by = || vec![Dimension { kind: DimensionKind::Consumer.into(), name: String::new() }];
    let limit = |id, name: &str, measure: Measure, requests, burst| LimitRule {
        id,
        name: name.to_owned(),
        measure: measure.into(),
        requests,
        burst,
        by: by(),
        in_utc: false,
    };
    let limits = vec![
        limit(0x1234_5678_9abc_def0, "burst", Measure::PerSecond, 100_000_000, 100_000_000),
        limit(0x0fed_cba9_8765_4321, "monthly", Measure::Month, 1_000_000_000_000, 0),
    ];
    let methods = [AuthMethod::Key, AuthMethod::Jwt];
    wire::SitePolicy {
        tenant: id(TENANT),
        routes: ROUTES.iter().enumerate().map(route).collect(),
        requirement: Some(wire::Requirement {
            mode: RequirementMode::AnyOf.into(),
            methods: AuthMethods::of(&methods).bits(),
        }),
        plans: vec![wire::Plan { number: 1, limits }],
        apis: vec![wire::ApiPolicy { id: id(API), limits: Vec::new() }],
        ..wire::SitePolicy::default()
    }
}
