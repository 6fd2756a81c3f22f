//! Desired state in the formats in which it is pushed ([`crate::wire`]). Pure and deterministic:
//! the same content gives the same bytes, in any order.

mod fit;

use prost::Message as _;
use sha2::{Digest as _, Sha256};

use crate::desired::{DesiredConsumer, DesiredIssuer, DesiredRoute, DesiredSite};
use crate::ip::{Cidr, IpSet};
use crate::requirement::AuthMethods;
use crate::settings::{
    self, Auth, By, IpSettings, Limit, PlatformRequests, Quota, RateLimitHeaders, RateUnit,
    SignatureSettings, SigningAlgorithm, Window,
};
use crate::wire::{
    ApiPolicy, ClaimHeader, Consumer, ConsumerBucket, Dimension, DimensionKind, IpRules, Issuer,
    KeyDetail, KeySource, KeySourceKind, LimitRule, Measure, Plan, PolicyRoute, RequiredClaim,
    Requirement, RequirementMode, SignatureRules, SigningKey, SitePolicy, UtcOffset,
};

impl SitePolicy {
    /// The policy of a site. `offsets` is the time zone of its tenant; none for UTC.
    pub fn of(site: &DesiredSite, offsets: Vec<UtcOffset>) -> Self {
        let settings = &site.settings;
        let tenant = &site.tenant_settings;
        let mut limits = platform_rules(site.tenant.as_bytes(), tenant.platform);
        limits.extend(rules(site.tenant.as_bytes(), &tenant.limits, &tenant.quotas));
        limits.extend(rules(site.site.as_bytes(), &settings.limits, &settings.quotas));
        Self {
            tenant: site.tenant.as_bytes().to_vec(),
            forward_credentials: site.forward_credentials,
            routes: routes(site),
            key_sources: settings.key_sources.iter().map(key_source).collect(),
            requirement: Some(requirement(&settings.auth)),
            challenges: settings.challenges,
            ip: ip(&settings.ip),
            limits,
            rate_limit_headers_on_refusals_only: settings.rate_limit_headers
                == RateLimitHeaders::Refused,
            issuers: sorted(site.issuers.iter().map(issuer).collect(), |issuer| issuer.id.clone()),
            signatures: Some(signatures(&settings.signatures)),
            plans: sorted(site.plans.iter().map(plan).collect(), |plan| plan.number),
            apis: site
                .apis
                .iter()
                .map(|(id, api)| api_policy(id.as_bytes(), &api.limits, &api.quotas))
                .collect(),
            offsets,
            max_concurrent_requests: tenant.max_concurrent_requests.unwrap_or(0),
            weight: tenant.weight.into(),
            suspended: tenant.suspended,
        }
    }
}

fn sorted<T, K: Ord>(mut items: Vec<T>, key: impl FnMut(&T) -> K) -> Vec<T> {
    items.sort_by_key(key);
    items
}

fn routes(site: &DesiredSite) -> Vec<PolicyRoute> {
    let mut routes: Vec<_> =
        site.routes.iter().flat_map(|route| policy_routes(site, route)).collect();
    routes.sort_by(|a, b| (&a.path, a.methods, &a.id).cmp(&(&b.path, b.methods, &b.id)));
    routes
}

/// The paths of a route. The template `/` stands for the version itself, which callers write with
/// and without the slash.
fn policy_routes(site: &DesiredSite, route: &DesiredRoute) -> Vec<PolicyRoute> {
    let api = site.apis.get(&route.api);
    let place = site
        .apis
        .keys()
        .position(|id| *id == route.api)
        .and_then(|place| u32::try_from(place).ok());
    let auth = route.settings.auth.as_ref().or(api.and_then(|api| api.auth.as_ref()));
    // A public route has no caller who could have its API's scopes.
    let inherited = api.filter(|_| route.settings.auth != Some(Auth::None)).map(|api| &api.scopes);
    let mut scopes: Vec<_> =
        inherited.into_iter().flatten().chain(&route.settings.scopes).cloned().collect();
    scopes.sort_unstable();
    scopes.dedup();
    let first = PolicyRoute {
        id: route.id.as_bytes().to_vec(),
        methods: route.methods.bits(),
        path: format!("{}{}", route.prefix, route.template),
        requirement: auth.map(requirement),
        scopes,
        limits: rules(route.id.as_bytes(), &route.settings.limits, &route.settings.quotas),
        api: place.unwrap_or(u32::MAX),
    };
    let bare = (route.template == "/" && !route.prefix.is_empty())
        .then(|| PolicyRoute { path: route.prefix.clone(), ..first.clone() });
    std::iter::once(first).chain(bare).collect()
}

fn requirement(auth: &Auth) -> Requirement {
    let (mode, methods) = match auth {
        Auth::None => (RequirementMode::Public, &[][..]),
        Auth::AnyOf(methods) => (RequirementMode::AnyOf, &methods[..]),
        Auth::AllOf(methods) => (RequirementMode::AllOf, &methods[..]),
    };
    Requirement { mode: mode.into(), methods: AuthMethods::of(methods).bits() }
}

fn key_source(source: &settings::KeySource) -> KeySource {
    let (kind, name) = match source {
        settings::KeySource::Bearer => (KeySourceKind::Bearer, String::new()),
        settings::KeySource::Basic => (KeySourceKind::Basic, String::new()),
        settings::KeySource::Header { name } => (KeySourceKind::Header, name.to_ascii_lowercase()),
        settings::KeySource::Query { name } => (KeySourceKind::Query, name.clone()),
    };
    KeySource { kind: kind.into(), name }
}

/// Ranges that cannot be read were refused when they were set; should one be here all the same,
/// nobody is let in.
fn ip(settings: &IpSettings) -> Option<IpRules> {
    let cidrs =
        |texts: &[String]| texts.iter().map(|text| text.parse()).collect::<Result<Vec<Cidr>, _>>();
    let rules = match (cidrs(&settings.allow), cidrs(&settings.deny)) {
        (Ok(allow), Ok(deny)) => IpRules { allow: IpSet::encode(allow), deny: IpSet::encode(deny) },
        _ => IpRules {
            allow: Vec::new(),
            deny: IpSet::encode(["0.0.0.0/0", "::/0"].map(str::parse).into_iter().flatten()),
        },
    };
    (!settings.is_empty()).then_some(rules)
}

fn api_policy(id: &[u8; 16], limits: &[Limit], quotas: &[Quota]) -> ApiPolicy {
    ApiPolicy { id: id.to_vec(), limits: rules(id, limits, quotas) }
}

fn plan(plan: &crate::desired::DesiredPlan) -> Plan {
    let mut limits = rules(plan.id.as_bytes(), &plan.settings.limits, &plan.settings.quotas);
    let all = plan
        .settings
        .limits
        .iter()
        .map(|limit| &limit.by)
        .chain(plan.settings.quotas.iter().map(|quota| &quota.by));
    for (rule, by) in limits.iter_mut().zip(all) {
        // Every holder of a plan has the whole of it, and shares it only if the plan says so.
        if !by.iter().any(|by| matches!(by, By::Plan | By::Consumer | By::Key)) {
            rule.by
                .insert(0, Dimension { kind: DimensionKind::Consumer.into(), name: String::new() });
        }
    }
    Plan { number: plan.number.into(), limits }
}

/// The rules of one object, limits before quotas.
fn rules(owner: &[u8; 16], limits: &[Limit], quotas: &[Quota]) -> Vec<LimitRule> {
    let limits = limits.iter().map(|limit| LimitRule {
        id: rule_id(owner, &limit.name),
        name: limit.name.clone(),
        measure: match limit.per {
            RateUnit::Second => Measure::PerSecond,
            RateUnit::Minute => Measure::PerMinute,
            RateUnit::Hour => Measure::PerHour,
        }
        .into(),
        requests: limit.requests.into(),
        burst: limit.burst.unwrap_or(limit.requests),
        by: dimensions(&limit.by),
        in_utc: false,
    });
    let quotas = quotas.iter().map(|quota| LimitRule {
        id: rule_id(owner, &quota.name),
        name: quota.name.clone(),
        measure: match quota.per {
            Window::Minute => Measure::Minute,
            Window::Hour => Measure::Hour,
            Window::Day => Measure::Day,
            Window::Month => Measure::Month,
        }
        .into(),
        requests: quota.requests,
        burst: 0,
        by: dimensions(&quota.by),
        in_utc: false,
    });
    limits.chain(quotas).collect()
}

/// The name of the platform plan's limits in refusals and headers.
const PLATFORM_PLAN: &str = "platform-plan";

/// The rules that the platform plan of a tenant makes. Their ids are of names that no setting can
/// have, so that nothing that is set for the tenant can share their counters.
fn platform_rules(tenant: &[u8; 16], requests: PlatformRequests) -> Vec<LimitRule> {
    let rule = |name: &str, measure: Measure, requests: u64, burst: u32| LimitRule {
        id: rule_id(tenant, name),
        name: PLATFORM_PLAN.to_owned(),
        measure: measure.into(),
        requests,
        burst,
        by: Vec::new(),
        in_utc: true,
    };
    let per_second = requests
        .per_second
        .map(|rate| rule("platform-plan/second", Measure::PerSecond, rate.into(), rate));
    let per_month =
        requests.per_month.map(|quota| rule("platform-plan/month", Measure::Month, quota, 0));
    per_second.into_iter().chain(per_month).collect()
}

/// Owner and name tell a rule from all others, as names are unique in their object.
fn rule_id(owner: &[u8; 16], name: &str) -> u64 {
    let digest: [u8; 32] = Sha256::new().chain_update(owner).chain_update(name).finalize().into();
    digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

fn dimensions(by: &[By]) -> Vec<Dimension> {
    let dimension = |by: &By| {
        let (kind, name) = match by {
            By::Consumer => (DimensionKind::Consumer, String::new()),
            By::Key => (DimensionKind::Key, String::new()),
            By::Api => (DimensionKind::Api, String::new()),
            By::Route => (DimensionKind::Route, String::new()),
            // The rule's id is the plan's already.
            By::Plan => return None,
            By::ClientIp => (DimensionKind::ClientIp, String::new()),
            By::Header(name) => (DimensionKind::Header, name.to_ascii_lowercase()),
            By::Claim(name) => (DimensionKind::Claim, name.clone()),
        };
        Some(Dimension { kind: kind.into(), name })
    };
    by.iter().filter_map(dimension).collect()
}

fn issuer(issuer: &DesiredIssuer) -> Issuer {
    let settings = &issuer.settings;
    let mut algorithms: Vec<_> =
        settings.algorithms.iter().map(|algorithm| format!("{algorithm:?}")).collect();
    algorithms.sort_unstable();
    let mut audiences = settings.audiences.clone();
    audiences.sort_unstable();
    let inline = settings.jwks.as_ref().map(ToString::to_string);
    Issuer {
        id: issuer.id.as_bytes().to_vec(),
        issuer: settings.issuer.clone(),
        algorithms,
        jwks: inline.or_else(|| issuer.fetched_jwks.clone()).unwrap_or_default(),
        secret: issuer.secret.as_ref().map(|secret| secret.0.clone()).unwrap_or_default(),
        audiences,
        required_claims: settings
            .required_claims
            .iter()
            .map(|(claim, value)| RequiredClaim { claim: claim.clone(), value: value.to_string() })
            .collect(),
        leeway_s: settings.leeway_seconds,
        max_age_s: settings.max_age_seconds.unwrap_or(0),
        consumer_claim: settings.consumer_claim.clone(),
        require_consumer: settings.require_consumer,
        scope_claim: settings.scope_claim.clone(),
        upstream_headers: settings
            .upstream_headers
            .iter()
            .map(|(header, claim)| ClaimHeader {
                header: header.to_ascii_lowercase(),
                claim: claim.clone(),
            })
            .collect(),
    }
}

fn signatures(settings: &SignatureSettings) -> SignatureRules {
    SignatureRules {
        components: settings.components.clone(),
        max_age_s: settings.max_age_seconds,
        skew_s: settings.skew_seconds,
        require_nonce: settings.require_nonce,
        require_content_digest: settings.require_content_digest,
        max_body_bytes: settings.max_body_bytes,
    }
}

fn consumer(consumer: &DesiredConsumer) -> Consumer {
    let keys = consumer.keys.iter().map(|(id, key)| KeyDetail {
        id: id.as_bytes().to_vec(),
        scopes: sorted(key.scopes.clone(), Clone::clone),
        ip: ip(&key.ip),
        limits: rules(id.as_bytes(), &key.limits, &key.quotas),
    });
    let signing_keys = consumer.signing_keys.iter().map(|key| SigningKey {
        id: key.id.as_bytes().to_vec(),
        ed25519: key.algorithm == SigningAlgorithm::Ed25519,
        material: key.material.0.clone(),
    });
    Consumer {
        id: consumer.id.as_bytes().to_vec(),
        scopes: sorted(consumer.settings.scopes.clone(), Clone::clone),
        ip: ip(&consumer.settings.ip),
        limits: rules(consumer.id.as_bytes(), &consumer.settings.limits, &consumer.settings.quotas),
        keys: keys.collect(),
        signing_keys: sorted(signing_keys.collect(), |key| key.id.clone()),
    }
}

impl ConsumerBucket {
    /// The bytes that are pushed.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }
}
