//! A site as the filter uses it: its pushed policy, decoded once and kept while it does not change.

use std::cell::Cell;

use crate::credential::KeySource;
use crate::header_name;
use crate::id::{ApiId, RouteId, SiteId, TenantId};
use crate::ip::IpRules;
use crate::jwt::Issuers;
use crate::limit::Zone;
use crate::method::Methods;
use crate::path::Template;
use crate::requirement::Requirement;
use crate::router::{RouteMatch, Router};
use crate::rule::Rule;
use crate::signature;
use crate::wire::{self, SitePolicy};

/// The memory of a decoded route beside its texts, in bytes: for the bound of the caches that hold
/// sites.
const ROUTE_BYTES: usize = 400;

/// An Envoy lets go of the routes of a site that nobody has used for so many seconds, at the
/// soonest.
pub const EVICTED_AFTER_S: u64 = 120;

/// A decoded [`SitePolicy`].
#[derive(Debug)]
pub struct Site {
    /// The owner of the site.
    pub tenant: TenantId,
    /// The site itself.
    pub id: SiteId,
    /// Tells this reading of the policy from all others in the same VM.
    pub version: u64,
    /// True if the caller's credential reaches the upstream.
    pub forward_credentials: bool,
    /// The places of a request in which keys are looked for.
    pub key_sources: Vec<KeySource>,
    /// The requirement of a request whose route has none of its own.
    pub requirement: Requirement,
    /// True if callers are told why they are refused.
    pub challenges: bool,
    /// The client addresses that are let in; `None` for all.
    pub ip: Option<Addresses>,
    /// The limits and quotas of the tenant and of the site.
    pub rules: Box<[Rule]>,
    /// True if all answers carry `RateLimit` headers, and not only refusals.
    pub rate_limit_headers: bool,
    /// The issuers of the tokens that are accepted.
    pub issuers: Issuers,
    /// The requirements of signatures; `None` if they cannot be read, and then no signature is
    /// accepted.
    pub signatures: Option<SignatureRules>,
    /// By number: the limits and quotas of the plans.
    plans: Vec<(u16, Box<[Rule]>)>,
    /// The APIs: ids, limits and quotas.
    apis: Vec<Api>,
    /// The tenant's calendar.
    pub zone: Zone,
    /// The most requests of the tenant that may be under way at once; `None` for any number.
    pub max_concurrent: Option<u32>,
    /// True if all its traffic is refused, because the tenant is suspended.
    pub suspended: bool,
    /// The tenant's share of an overloaded Envoy.
    pub weight: u16,
    /// The time of the site's last answer here, in milliseconds since the Unix epoch. It is not
    /// part of the policy, but as old as this reading of it: a site that goes and comes again is
    /// read anew.
    answered_ms: Cell<u64>,
    routes: Vec<Route>,
    router: Router<usize>,
}

/// The requirements of signatures.
#[derive(Debug)]
pub struct SignatureRules {
    /// The requirements of the signature itself.
    pub rules: signature::Rules,
    /// The largest body whose digest is checked, in bytes.
    pub max_body_bytes: usize,
}

/// The addresses that are let in.
#[derive(Debug)]
pub enum Addresses {
    /// By these rules.
    Rules(IpRules),
    /// Nobody: the rules cannot be read.
    Nobody,
}

/// One API.
#[derive(Debug)]
pub struct Api {
    /// The API.
    pub id: ApiId,
    /// Its own limits and quotas.
    pub rules: Box<[Rule]>,
}

/// One route.
#[derive(Debug)]
pub struct Route {
    /// The route.
    pub id: RouteId,
    /// See [`header_name::chosen_route`].
    pub header: Box<str>,
    /// The route's own requirement; `None`: the site's.
    pub requirement: Option<Requirement>,
    /// The scopes that a caller has to have.
    pub scopes: Box<[Box<str>]>,
    /// Its own limits and quotas.
    pub rules: Box<[Rule]>,
    api: Option<usize>,
}

impl Site {
    /// Takes in the end of a request that was let go. Only an answer that is no error cannot be
    /// Envoy's own answer for want of routes.
    pub fn answered(&self, status: u16, now_ms: u64) {
        if (200..400).contains(&status) {
            self.answered_ms.set(now_ms);
        }
    }

    /// Returns true if Envoy is known to have the site's routes, so that no request comes by twice.
    /// Envoy may have been told to let go of them when nobody has used the site for
    /// [`EVICTED_AFTER_S`] or longer; this is sure for half of that.
    pub(crate) fn is_routed(&self, now_ms: u64) -> bool {
        let answered_ms = self.answered_ms.get();
        answered_ms != 0 && now_ms.saturating_sub(answered_ms) < EVICTED_AFTER_S * 1000 / 2
    }

    /// Reads the bytes of a pushed [`SitePolicy`]. `None` if they are none, or if their tenant is
    /// no id: such a site does not exist. A route that cannot be read is left out, so that it is
    /// not found: the others go on. `version` is to be another one for each reading.
    pub fn decode(id: SiteId, policy: &[u8], version: u64) -> Option<Self> {
        let policy = <SitePolicy as prost::Message>::decode(policy).ok()?;
        let mut routes = Vec::with_capacity(policy.routes.len());
        let mut router = Router::default();
        for route in &policy.routes {
            if let (Some(route_id), Ok(template)) =
                (RouteId::from_slice(&route.id), Template::parse_whole(&route.path))
            {
                router.insert(&template, Methods::from_bits(route.methods), routes.len());
                routes.push(Route::decode(id, route_id, route));
            }
        }
        let key_sources = policy.key_sources.iter().filter_map(KeySource::decode).collect();
        Some(Self {
            tenant: TenantId::from_slice(&policy.tenant)?,
            id,
            version,
            forward_credentials: policy.forward_credentials,
            key_sources: if policy.key_sources.is_empty() {
                KeySource::defaults()
            } else {
                key_sources
            },
            requirement: policy
                .requirement
                .as_ref()
                .map_or_else(Requirement::default, Requirement::decode),
            challenges: policy.challenges,
            ip: policy.ip.as_ref().map(Addresses::decode),
            rules: Rule::decode_all(&policy.limits),
            rate_limit_headers: !policy.rate_limit_headers_on_refusals_only,
            issuers: Issuers::decode(id, &policy.issuers),
            signatures: policy.signatures.as_ref().and_then(SignatureRules::decode),
            plans: policy.plans.iter().filter_map(plan).collect(),
            apis: policy.apis.iter().map(Api::decode).collect(),
            zone: zone(&policy.offsets),
            max_concurrent: (policy.max_concurrent_requests != 0)
                .then_some(policy.max_concurrent_requests),
            weight: u16::try_from(policy.weight).ok().filter(|weight| *weight != 0).unwrap_or(100),
            suspended: policy.suspended,
            answered_ms: Cell::new(0),
            routes,
            router,
        })
    }

    /// Returns the target of a method and a canonical path.
    pub fn find(&self, method: Methods, path: &[u8]) -> RouteMatch<usize> {
        self.router.find(method, path)
    }

    /// A route that was found.
    pub fn route(&self, at: usize) -> Option<&Route> {
        self.routes.get(at)
    }

    /// The API of a route.
    pub fn api(&self, route: &Route) -> Option<&Api> {
        route.api.and_then(|at| self.apis.get(at))
    }

    /// The limits and quotas of a plan; `None` if there is no such plan.
    pub fn plan(&self, number: u16) -> Option<&[Rule]> {
        let at = self.plans.binary_search_by_key(&number, |(known, _)| *known).ok()?;
        self.plans.get(at).map(|(_, rules)| &**rules)
    }

    /// About how many bytes a decoded policy takes, by the length of the pushed one.
    pub fn bytes(&self, policy_len: usize) -> usize {
        1024 + policy_len * 3 + self.routes.len() * ROUTE_BYTES
    }
}

impl Route {
    fn decode(site: SiteId, id: RouteId, route: &wire::PolicyRoute) -> Self {
        Self {
            id,
            header: header_name::chosen_route(site, id).into(),
            requirement: route.requirement.as_ref().map(Requirement::decode),
            scopes: route.scopes.iter().map(|scope| scope.as_str().into()).collect(),
            rules: Rule::decode_all(&route.limits),
            api: usize::try_from(route.api).ok(),
        }
    }
}

impl Api {
    fn decode(api: &wire::ApiPolicy) -> Self {
        // An id that is none would leave a gap in the list; it tells nothing apart but counters.
        let id = ApiId::from_slice(&api.id).unwrap_or(ApiId(crate::id::Uuid::nil()));
        Self { id, rules: Rule::decode_all(&api.limits) }
    }
}

impl Addresses {
    /// Reads pushed rules; ones that cannot be read let nobody in.
    pub fn decode(rules: &wire::IpRules) -> Self {
        IpRules::decode(rules).map_or(Self::Nobody, Self::Rules)
    }

    /// Returns true if an address is let in. An unknown one is not.
    pub fn permit(&self, address: Option<std::net::IpAddr>) -> bool {
        match self {
            Self::Rules(rules) => address.is_some_and(|address| rules.permit(address)),
            Self::Nobody => false,
        }
    }
}

impl SignatureRules {
    fn decode(rules: &wire::SignatureRules) -> Option<Self> {
        let max_body_bytes = usize::try_from(rules.max_body_bytes).ok()?;
        Some(Self { rules: signature::Rules::decode(rules)?, max_body_bytes })
    }
}

fn plan(plan: &wire::Plan) -> Option<(u16, Box<[Rule]>)> {
    Some((u16::try_from(plan.number).ok()?, Rule::decode_all(&plan.limits)))
}

/// Offsets that make no zone are taken for UTC: a window is then off by hours, and still is one.
fn zone(offsets: &[wire::UtcOffset]) -> Zone {
    let offsets: Vec<_> = offsets
        .iter()
        .map(|offset| (u64::try_from(offset.from_ms).unwrap_or(0), offset.offset_s))
        .collect();
    Zone::new(&offsets).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::desired::{DesiredRoute, DesiredSite};
    use crate::id::{UpstreamId, Uuid};
    use crate::settings::{RouteSettings, SiteSettings, TenantSettings};

    #[test]
    fn a_site_has_its_routes_for_a_minute_after_an_answer_that_is_no_error() {
        let id = SiteId(Uuid::from_u128(1));
        let policy = SitePolicy { tenant: id.0.as_bytes().to_vec(), ..SitePolicy::default() };
        let site = Site::decode(id, &prost::Message::encode_to_vec(&policy), 1).expect("a policy");
        let answered_at = 1_700_000_000_000;
        assert!(!site.is_routed(answered_at));
        for error in [0, 404, 503] {
            site.answered(error, answered_at);
            assert!(!site.is_routed(answered_at), "{error}");
        }
        site.answered(200, answered_at);
        assert!(site.is_routed(answered_at + 59_999));
        assert!(!site.is_routed(answered_at + 60_000), "it may have been evicted since");
    }

    /// All parts that are accepted one by one are served as a whole: the longest base path and
    /// version, the longest template.
    #[test]
    fn the_longest_path_is_found() {
        let id = Uuid::from_u128(1);
        for (prefix, template) in [
            (format!("/{}/{}", "b".repeat(511), "v".repeat(64)), format!("/{}", "t".repeat(1023))),
            (format!("{}/v1", "/b".repeat(256)), "/t".repeat(64)),
        ] {
            Template::parse(&template).expect("a template that the admin API takes");
            let whole = format!("{prefix}{template}");
            let route = DesiredRoute {
                id: RouteId(id),
                api: ApiId(id),
                settings: RouteSettings::default(),
                methods: Methods::ALL,
                prefix,
                template,
                strip_prefix: true,
                upstream: UpstreamId(id),
            };
            let desired = DesiredSite {
                tenant: TenantId(id),
                tenant_settings: TenantSettings::default(),
                site: SiteId(id),
                settings: SiteSettings::default(),
                issuers: Vec::new(),
                plans: Vec::new(),
                apis: BTreeMap::new(),
                hostnames: Vec::new(),
                forward_credentials: false,
                eager: false,
                upstreams: Vec::new(),
                routes: vec![route],
            };
            let policy = prost::Message::encode_to_vec(&SitePolicy::of(&desired, Vec::new()));
            let site = Site::decode(SiteId(id), &policy, 0).expect("a policy");
            let found = site.find(Methods::ALL, whole.as_bytes());
            let RouteMatch::Route(at) = found else { panic!("{found:?}") };
            assert_eq!(site.route(at).map(|route| route.id), Some(RouteId(id)));
        }
    }
}
