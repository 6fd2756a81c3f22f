//! Decisions in a small world: settings go through the pushed formats, limits and nonces through
//! cells.

mod base;
mod credentials;
mod limits;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::*;
use crate::concurrency::Gate;
use crate::consumer::Consumer;
use crate::desired::{
    DesiredConsumer, DesiredConsumers, DesiredIssuer, DesiredPlan, DesiredRoute, DesiredSigningKey,
    DesiredSite, Secret,
};
use crate::id::{ApiId, IssuerId, PlanId, UpstreamId, Uuid};
use crate::jwt::{self, Verified};
use crate::key::{ApiKey, CredentialKind, Environment, KeyRecord};
use crate::limit::{Cells, Check, Limiter, Seed, Verdict};
use crate::nonce;
use crate::settings::{PlatformRequests, SigningAlgorithm, SiteSettings, TenantSettings};
use crate::wire::{ConsumerBucket, SitePolicy};

/// The shared secret of the one issuer, and of the one signing key.
const SECRET: &[u8] =
    b"an entirely secret text of more than 64 bytes, as some algorithms ask for it";

#[derive(Default)]
struct Map(BTreeMap<String, (Vec<u8>, u32)>);

impl Cells for Map {
    fn read(&mut self, name: &str) -> Option<(Vec<u8>, u32)> {
        self.0.get(name).cloned()
    }

    fn write(&mut self, name: &str, value: &[u8], cas: Option<u32>) -> bool {
        let known = self.0.get(name).map(|(_, version)| *version);
        let same = known == cas;
        if same {
            self.0.insert(name.to_owned(), (value.to_vec(), known.unwrap_or(0) + 1));
        }
        same
    }
}

/// One tenant with site 1, which has the host one.example, and another one with site 2.
struct World {
    sites: BTreeMap<SiteId, DesiredSite>,
    consumers: Vec<DesiredConsumer>,
    keys: Vec<KeyRecord>,
    address: Option<IpAddr>,
    seed: Seed,
    limiter: Limiter,
    gate: Gate,
    cells: Map,
}

fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn key(number: u8) -> ApiKey {
    ApiKey::from_random(Environment::Live, &[number; 64]).expect("a key")
}

/// A site with `GET /v1/orders/{id}` and `GET /v1/orders`, whose settings are these.
fn site(number: u128, settings: Value, routes: [Value; 2]) -> DesiredSite {
    let route = |(at, (template, settings)): (usize, (&str, Value))| DesiredRoute {
        id: RouteId(uuid(number * 100 + at as u128)),
        api: ApiId(uuid(number)),
        settings: serde_json::from_value(settings).expect("settings of a route"),
        methods: Methods::named("GET").expect("a method"),
        prefix: "/v1".to_owned(),
        template: template.to_owned(),
        strip_prefix: true,
        upstream: UpstreamId(uuid(1)),
    };
    DesiredSite {
        tenant: TenantId(uuid(number * 10)),
        tenant_settings: TenantSettings::default(),
        site: SiteId(uuid(number)),
        settings: serde_json::from_value::<SiteSettings>(settings).expect("settings of a site"),
        hostnames: Vec::new(),
        forward_credentials: false,
        eager: false,
        issuers: Vec::new(),
        plans: Vec::new(),
        apis: BTreeMap::from([(ApiId(uuid(number)), Default::default())]),
        upstreams: Vec::new(),
        routes: ["/orders/{id}", "/orders"]
            .into_iter()
            .zip(routes)
            .enumerate()
            .map(route)
            .collect(),
    }
}

fn record(number: u8, digest: Digest, kind: CredentialKind) -> KeyRecord {
    let id = uuid(number.into());
    KeyRecord {
        digest,
        site: SiteId(id),
        consumer: ConsumerId(id),
        key: KeyId(id),
        expires_at_ms: Some(1_000_000_000),
        plan: 0,
        kind,
        has_details: false,
    }
}

impl World {
    /// With these settings for site 1 and its two routes; key 1 is of site 1, key 2 of site 2, key
    /// 3 of no site that there is.
    fn new(settings: Value, routes: [Value; 2]) -> Self {
        let seed = Seed::new([7; 16]);
        let sites = [site(1, settings, routes), site(2, json!({}), [json!({}), json!({})])];
        Self {
            sites: sites.into_iter().map(|site| (site.site, site)).collect(),
            consumers: Vec::new(),
            keys: (1..=3)
                .map(|number| record(number, key(number).digest(), CredentialKind::ApiKey))
                .collect(),
            address: None,
            seed,
            limiter: Limiter::new(seed),
            gate: Gate::new(seed, 1, 1000),
            cells: Map::default(),
        }
    }

    fn plain() -> Self {
        Self::new(json!({}), [json!({}), json!({})])
    }

    fn site_one(&mut self) -> &mut DesiredSite {
        self.sites.get_mut(&SiteId(uuid(1))).expect("site 1")
    }

    /// Adds the facts about consumer 1.
    fn with_consumer(mut self, settings: Value, key_settings: Value) -> Self {
        self.consumers.push(DesiredConsumer {
            tenant: TenantId(uuid(1)),
            id: ConsumerId(uuid(1)),
            site: SiteId(uuid(1)),
            settings: serde_json::from_value(settings).expect("settings of a consumer"),
            keys: BTreeMap::from([(
                KeyId(uuid(1)),
                serde_json::from_value(key_settings).expect("settings of a key"),
            )]),
            signing_keys: vec![DesiredSigningKey {
                id: KeyId(uuid(1)),
                algorithm: SigningAlgorithm::HmacSha256,
                material: Secret(SECRET.to_vec()),
            }],
        });
        self.keys.push(record(
            1,
            Digest::of_signing_key(KeyId(uuid(1))),
            CredentialKind::SigningKey,
        ));
        for key in self.keys.iter_mut().filter(|key| key.consumer == ConsumerId(uuid(1))) {
            key.has_details = true;
        }
        self
    }

    /// An issuer, by whose tokens the subject `app-1` is consumer 1.
    fn with_issuer(mut self, more: Value) -> Self {
        let mut settings = json!({"issuer": "https://i.example/", "algorithms": ["HS256"]});
        settings
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        self.site_one().issuers.push(DesiredIssuer {
            id: IssuerId(uuid(1)),
            settings: serde_json::from_value(settings).expect("an issuer"),
            secret: Some(Secret(SECRET.to_vec())),
            fetched_jwks: None,
        });
        let digest = Digest::of_subject(SiteId(uuid(1)), "https://i.example/", "app-1");
        self.keys.push(record(1, digest, CredentialKind::Subject));
        self
    }

    fn with_plan(mut self, settings: Value) -> Self {
        let settings = serde_json::from_value(settings).expect("settings of a plan");
        self.site_one().plans.push(DesiredPlan { id: PlanId(uuid(1)), number: 5, settings });
        for key in &mut self.keys {
            key.plan = 5;
        }
        self
    }

    /// Asks for `GET /v1/orders` of one.example unless the headers say otherwise, at a second.
    fn ask(&mut self, now_s: u64, headers: &[(&str, &str)]) -> Asked {
        let mut all = vec![
            (":authority", "one.example"),
            (":method", "GET"),
            (":path", "/v1/orders"),
            (":scheme", "https"),
        ];
        for (name, value) in headers {
            match all.iter_mut().find(|(known, _)| known.starts_with(':') && known == name) {
                Some(known) => known.1 = value,
                None => all.push((name, value)),
            }
        }
        let headers: Vec<_> =
            all.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        let decision = decide(&Request::read(&headers, false), Mode::default(), self, now_s * 1000);
        Asked {
            who: decision.who,
            refusal: decision.outcome.as_ref().err().cloned(),
            edits: decision
                .outcome
                .as_ref()
                .map(|forward| shown(&forward.edits))
                .unwrap_or_default(),
            rate_limit: decision.outcome.ok().and_then(|forward| forward.rate_limit),
        }
    }
}

/// A decision, without its borrows.
#[derive(Debug)]
struct Asked {
    who: Who,
    refusal: Option<Refusal>,
    edits: Vec<String>,
    rate_limit: Option<RateLimitFields>,
}

impl Asked {
    fn status(&self) -> u32 {
        self.refusal.as_ref().map_or(200, Refusal::status)
    }
}

fn shown(edits: &[Edit<'_>]) -> Vec<String> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let edit = |edit: &Edit<'_>| match edit {
        Edit::Set(name, value) => format!("{name}={}", text(value)),
        Edit::Add(name, value) => format!("{name}+={}", text(value)),
        Edit::Remove(name) => format!("-{}", text(name)),
    };
    edits.iter().map(edit).collect()
}

/// A token with these claims beside `iss` and `exp`.
fn token(claims: Value) -> String {
    let mut all = json!({"iss": "https://i.example/", "exp": 1000});
    all.as_object_mut().expect("an object").extend(claims.as_object().expect("an object").clone());
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({"alg": "HS256"})), part(&all));
    let mac =
        Hmac::<Sha256>::new_from_slice(SECRET).expect("a key").chain_update(&signed).finalize();
    format!("Bearer {signed}.{}", URL_SAFE_NO_PAD.encode(mac.into_bytes()))
}

impl State for World {
    fn host(&mut self, authority: &[u8]) -> Option<Reached> {
        let site = match crate::host::canonical(authority)?.as_str() {
            "one.example" => 1,
            "two.example" => 2,
            "gone.example" => 9,
            "api.example" => return Some(Reached::SharedApi),
            _ => return None,
        };
        self.site(SiteId(uuid(site))).map(Reached::Site)
    }

    fn key(&mut self, digest: &Digest) -> Option<KeyRecord> {
        self.keys.iter().find(|key| key.digest == *digest).copied()
    }

    fn site(&mut self, id: SiteId) -> Option<Rc<Site>> {
        let policy =
            prost::Message::encode_to_vec(&SitePolicy::of(self.sites.get(&id)?, Vec::new()));
        Site::decode(id, &policy, 0).map(Rc::new)
    }

    fn consumer(&mut self, id: ConsumerId) -> Option<Rc<Consumer>> {
        let bucket = DesiredConsumers {
            bucket: crate::consumer::bucket_of(id),
            consumers: self.consumers.clone(),
        };
        Consumer::find(&ConsumerBucket::fit(&bucket).0.to_bytes(), id).map(Rc::new)
    }

    fn client_address(&mut self, _: Option<&[u8]>) -> Option<IpAddr> {
        self.address
    }

    fn token(&mut self, site: &Site, token: &[u8], now_ms: u64) -> Option<Rc<Verified>> {
        jwt::verify(&site.issuers, token, now_ms, jwt::check_here).ok().map(Rc::new)
    }

    fn fresh(
        &mut self,
        site: SiteId,
        keyid: &str,
        nonce: &str,
        until_ms: u64,
        now_ms: u64,
    ) -> bool {
        nonce::accept(&mut self.cells, site, keyid, nonce, until_ms, now_ms)
            == nonce::Outcome::Accepted
    }

    fn seed(&self) -> &Seed {
        &self.seed
    }

    fn admit<'c>(&mut self, checks: &[Check<'c>], now_ms: u64) -> Verdict<'c> {
        self.limiter.admit(checks, now_ms, &mut self.cells)
    }

    fn enter(&mut self, tenant: TenantId, max: Option<u32>, weight: u16, now_ms: u64) -> Entrance {
        self.gate.enter(tenant, max, weight, now_ms, &mut self.cells)
    }

    fn leave(&mut self, tenant: TenantId, now_ms: u64) {
        self.gate.leave(tenant, now_ms, &mut self.cells);
    }
}
