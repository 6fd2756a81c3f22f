//! Desired state in the form of the golden files.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use policy::desired::{
    DesiredBucket, DesiredConsumer, DesiredConsumers, DesiredEndpoint, DesiredIssuer, DesiredPlan,
    DesiredRoute, DesiredSigningKey, DesiredSite, DesiredUpstream, Secret, UpstreamProtocol,
};
use policy::id::Uuid;
use policy::key::{CredentialKind, Digest, KeyRecord};
use policy::method::Methods;
use policy::settings::{
    self, ApiSettings, ConsumerSettings, KeySettings, PlanSettings, RouteSettings,
    SigningAlgorithm, SiteSettings, TenantSettings,
};
use serde::Deserialize;
use xds_server::node::EdgeSettings;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Input {
    Site(Box<Site>),
    Bucket(Bucket),
    Consumers(Consumers),
    Platform { base_domain: String },
    NoSuchSite { name: String },
    Edge(Edge),
}

/// Reads an input; its file name tells the kind.
pub(crate) fn read(path: &Path) -> Input {
    let text = std::fs::read_to_string(path).expect("an input.json");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Site {
    tenant: Uuid,
    site: Uuid,
    #[serde(default)]
    tenant_settings: TenantSettings,
    #[serde(default)]
    settings: SiteSettings,
    #[serde(default)]
    issuers: Vec<Issuer>,
    #[serde(default)]
    plans: Vec<Plan>,
    #[serde(default)]
    apis: BTreeMap<Uuid, ApiSettings>,
    hostnames: Vec<String>,
    forward_credentials: bool,
    #[serde(default)]
    eager: bool,
    upstreams: Vec<Upstream>,
    routes: Vec<Route>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Issuer {
    id: Uuid,
    settings: settings::Issuer,
    secret: Option<String>,
    fetched_jwks: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    id: Uuid,
    number: u16,
    settings: PlanSettings,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Upstream {
    id: Uuid,
    protocol: Protocol,
    connect_timeout_ms: u32,
    request_timeout_ms: u32,
    /// `[address, port, weight]`.
    endpoints: Vec<(String, u16, u32)>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Protocol {
    Http1,
    Http2,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Route {
    id: Uuid,
    #[serde(default)]
    api: Uuid,
    #[serde(default)]
    settings: RouteSettings,
    methods: Vec<String>,
    prefix: String,
    template: String,
    strip_prefix: bool,
    upstream: Uuid,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bucket {
    bucket: u16,
    keys: Vec<Key>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    /// The byte that fills the digest.
    digest_byte: u8,
    site: Uuid,
    consumer: Uuid,
    key: Uuid,
    expires_at_ms: Option<u64>,
    #[serde(default)]
    plan: u16,
    #[serde(default)]
    kind: Kind,
    #[serde(default)]
    has_details: bool,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    ApiKey,
    SigningKey,
    Subject,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Consumers {
    bucket: u16,
    consumers: Vec<Consumer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Consumer {
    id: Uuid,
    settings: ConsumerSettings,
    keys: BTreeMap<Uuid, KeySettings>,
    signing_keys: Vec<SigningKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SigningKey {
    id: Uuid,
    algorithm: SigningAlgorithm,
    /// The byte that fills the 32 bytes of the material.
    material_byte: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edge {
    http_address: IpAddr,
    http_port: u16,
    #[serde(default)]
    trusted_hops: u32,
    filter_path: String,
    #[serde(default)]
    shed_above: Option<u32>,
}

impl Site {
    pub(crate) fn desired(&self) -> DesiredSite {
        DesiredSite {
            tenant: self.tenant.into(),
            tenant_settings: self.tenant_settings.clone(),
            site: self.site.into(),
            settings: self.settings.clone(),
            issuers: self.issuers.iter().map(Issuer::desired).collect(),
            plans: self.plans.iter().map(Plan::desired).collect(),
            apis: self.apis.iter().map(|(id, settings)| ((*id).into(), settings.clone())).collect(),
            hostnames: self.hostnames.clone(),
            forward_credentials: self.forward_credentials,
            eager: self.eager,
            upstreams: self.upstreams.iter().map(Upstream::desired).collect(),
            routes: self.routes.iter().map(Route::desired).collect(),
        }
    }
}

impl Issuer {
    fn desired(&self) -> DesiredIssuer {
        DesiredIssuer {
            id: self.id.into(),
            settings: self.settings.clone(),
            secret: self.secret.as_ref().map(|secret| Secret(secret.clone().into_bytes())),
            fetched_jwks: self.fetched_jwks.clone(),
        }
    }
}

impl Plan {
    fn desired(&self) -> DesiredPlan {
        DesiredPlan { id: self.id.into(), number: self.number, settings: self.settings.clone() }
    }
}

impl Upstream {
    fn desired(&self) -> DesiredUpstream {
        let endpoint = |(address, port, weight): &(String, u16, u32)| DesiredEndpoint {
            address: address.clone(),
            port: *port,
            weight: *weight,
        };
        DesiredUpstream {
            id: self.id.into(),
            endpoints: self.endpoints.iter().map(endpoint).collect(),
            protocol: match self.protocol {
                Protocol::Http1 => UpstreamProtocol::Http1,
                Protocol::Http2 => UpstreamProtocol::Http2,
            },
            connect_timeout_ms: self.connect_timeout_ms,
            request_timeout_ms: self.request_timeout_ms,
        }
    }
}

impl Route {
    fn desired(&self) -> DesiredRoute {
        let methods = self.methods.iter().map(|name| Methods::named(name).expect("a method"));
        DesiredRoute {
            id: self.id.into(),
            api: self.api.into(),
            settings: self.settings.clone(),
            methods: methods.fold(Methods::NONE, Methods::union),
            prefix: self.prefix.clone(),
            template: self.template.clone(),
            strip_prefix: self.strip_prefix,
            upstream: self.upstream.into(),
        }
    }
}

impl Bucket {
    pub(crate) fn desired(&self) -> DesiredBucket {
        let key = |key: &Key| KeyRecord {
            digest: Digest([key.digest_byte; 32]),
            site: key.site.into(),
            consumer: key.consumer.into(),
            key: key.key.into(),
            expires_at_ms: key.expires_at_ms,
            plan: key.plan,
            kind: match key.kind {
                Kind::ApiKey => CredentialKind::ApiKey,
                Kind::SigningKey => CredentialKind::SigningKey,
                Kind::Subject => CredentialKind::Subject,
            },
            has_details: key.has_details,
        };
        DesiredBucket { bucket: self.bucket, keys: self.keys.iter().map(key).collect() }
    }
}

impl Consumers {
    pub(crate) fn desired(&self) -> DesiredConsumers {
        let signing_key = |key: &SigningKey| DesiredSigningKey {
            id: key.id.into(),
            algorithm: key.algorithm,
            material: Secret(vec![key.material_byte; 32]),
        };
        let consumer = |consumer: &Consumer| DesiredConsumer {
            tenant: Uuid::nil().into(),
            id: consumer.id.into(),
            site: Uuid::nil().into(),
            settings: consumer.settings.clone(),
            keys: consumer
                .keys
                .iter()
                .map(|(id, settings)| ((*id).into(), settings.clone()))
                .collect(),
            signing_keys: consumer.signing_keys.iter().map(signing_key).collect(),
        };
        DesiredConsumers {
            bucket: self.bucket,
            consumers: self.consumers.iter().map(consumer).collect(),
        }
    }
}

impl Edge {
    pub(crate) fn settings(&self) -> EdgeSettings {
        EdgeSettings {
            http_address: self.http_address,
            http_port: self.http_port,
            trusted_hops: self.trusted_hops,
            filter_path: self.filter_path.clone(),
            shed_above: self.shed_above,
        }
    }
}
