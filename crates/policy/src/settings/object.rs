//! The settings of each object.

use serde::{Deserialize, Serialize};

use super::auth::{check_key_sources, check_scopes, default_key_sources};
use super::limit::check_limits;
use super::{
    Auth, Checked, Faults, IpSettings, KeySource, Limit, Quota, RateLimitHeaders, SignatureSettings,
};

/// The most subjects of a consumer.
const MAX_SUBJECTS: usize = 32;
/// The highest weight of a tenant.
const MAX_WEIGHT: u16 = 1_000;

/// The operator's settings for a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct TenantSettings {
    /// The zone of the tenant's calendar, by its name in the IANA time zone database. Default:
    /// `UTC`.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "Europe/Berlin", min_length = 1, max_length = 64)
    )]
    pub time_zone: String,
    /// Rate limits over all sites of the tenant.
    pub limits: Vec<Limit>,
    /// Quotas over all sites of the tenant.
    pub quotas: Vec<Quota>,
    /// The most requests that may be under way at once in one Envoy. Default: not limited.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub max_concurrent_requests: Option<u32>,
    /// The tenant's share of an Envoy that is overloaded, relative to the others: 1 to 1000.
    /// Default: 100.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1000))]
    pub weight: u16,
    /// True if the tenant's traffic is refused. It is no setting: the reader of the tenant takes it
    /// from the tenant's status.
    #[serde(skip)]
    pub suspended: bool,
    /// The requests that the tenant's platform plan lets through. It is no setting either.
    #[serde(skip)]
    pub platform: PlatformRequests,
}

/// The requests that a platform plan lets a tenant have, over all its sites.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlatformRequests {
    /// In each second.
    pub per_second: Option<u32>,
    /// In each month of the calendar of UTC, not of the tenant's own.
    pub per_month: Option<u64>,
}

impl Default for TenantSettings {
    fn default() -> Self {
        Self {
            time_zone: "UTC".to_owned(),
            limits: Vec::new(),
            quotas: Vec::new(),
            max_concurrent_requests: None,
            weight: 100,
            suspended: false,
            platform: PlatformRequests::default(),
        }
    }
}

impl Checked for TenantSettings {
    fn check(&self, faults: &mut Faults) {
        // Only the admin service can tell whether the zone exists: it has the database of time
        // zones.
        faults.at("time_zone", |faults| faults.text(&self.time_zone, 64));
        check_limits(&self.limits, &self.quotas, faults);
        if self.max_concurrent_requests == Some(0) {
            faults.at("max_concurrent_requests", |faults| faults.add("has to be at least 1"));
        }
        if self.weight == 0 || self.weight > MAX_WEIGHT {
            faults.at("weight", |faults| faults.add(format!("has to be 1 to {MAX_WEIGHT}")));
        }
    }
}

/// The settings of a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct SiteSettings {
    /// The places of API keys. Default: `Authorization: Bearer` and `X-API-Key`.
    pub key_sources: Vec<KeySource>,
    /// The credentials for routes that ask for none themselves, nor through their API. Default: an
    /// API key.
    pub auth: Auth,
    /// True to tell callers why they are refused, as RFC 6750 section 3 does it: 401 with
    /// `WWW-Authenticate` for a credential that is missing or wrong, 403 for scopes that are
    /// missing. Default: false; every refusal is the same 403.
    pub challenges: bool,
    /// The client addresses that are let in.
    pub ip: IpSettings,
    /// The requirements of signatures.
    pub signatures: SignatureSettings,
    /// Rate limits of the site.
    pub limits: Vec<Limit>,
    /// Quotas of the site.
    pub quotas: Vec<Quota>,
    /// The answers that carry `RateLimit` headers. Default: all.
    pub rate_limit_headers: RateLimitHeaders,
}

impl Default for SiteSettings {
    fn default() -> Self {
        Self {
            key_sources: default_key_sources(),
            auth: Auth::default(),
            challenges: false,
            ip: IpSettings::default(),
            signatures: SignatureSettings::default(),
            limits: Vec::new(),
            quotas: Vec::new(),
            rate_limit_headers: RateLimitHeaders::default(),
        }
    }
}

impl Checked for SiteSettings {
    fn check(&self, faults: &mut Faults) {
        check_key_sources(&self.key_sources, faults);
        faults.at("auth", |faults| self.auth.check(faults));
        faults.at("ip", |faults| self.ip.check(faults));
        faults.at("signatures", |faults| self.signatures.check(faults));
        check_limits(&self.limits, &self.quotas, faults);
    }
}

/// Declares settings of an object whose requests are a part of a site's.
macro_rules! part_of_a_site {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            /// The credentials that are needed. Default: those of the object above.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub auth: Option<Auth>,
            /// Scopes that a caller has to have, all of them.
            pub scopes: Vec<String>,
            /// Rate limits of these requests.
            pub limits: Vec<Limit>,
            /// Quotas of these requests.
            pub quotas: Vec<Quota>,
        }

        impl Checked for $name {
            fn check(&self, faults: &mut Faults) {
                if let Some(auth) = &self.auth {
                    faults.at("auth", |faults| {
                        auth.check(faults);
                        if *auth == Auth::None && !self.scopes.is_empty() {
                            faults.add("a public route cannot ask for scopes");
                        }
                    });
                }
                check_scopes(&self.scopes, faults);
                check_limits(&self.limits, &self.quotas, faults);
            }
        }
    };
}

part_of_a_site! {
    /// The settings of an API.
    ApiSettings
}

part_of_a_site! {
    /// The settings of a route. Its scopes, limits and quotas are added to those of its API.
    RouteSettings
}

/// The settings of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct PlanSettings {
    /// Rate limits: each consumer of the plan has its own, unless they count by `plan`.
    pub limits: Vec<Limit>,
    /// Quotas, likewise.
    pub quotas: Vec<Quota>,
}

impl Checked for PlanSettings {
    fn check(&self, faults: &mut Faults) {
        check_limits(&self.limits, &self.quotas, faults);
    }
}

/// A name that tokens of an issuer give to a consumer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The issuer: the `iss` of its tokens.
    pub issuer: String,
    /// The value of the claim that names the consumer. One consumer of a site alone can have it.
    pub value: String,
}

/// The settings of a consumer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ConsumerSettings {
    /// Scopes that all its keys have.
    pub scopes: Vec<String>,
    /// The names that tokens have for the consumer.
    pub subjects: Vec<Subject>,
    /// From which client addresses its credentials work.
    pub ip: IpSettings,
    /// Rate limits of the consumer.
    pub limits: Vec<Limit>,
    /// Quotas of the consumer.
    pub quotas: Vec<Quota>,
}

impl Checked for ConsumerSettings {
    fn check(&self, faults: &mut Faults) {
        check_scopes(&self.scopes, faults);
        faults.each("subjects", &self.subjects, MAX_SUBJECTS, |faults, subject| {
            faults.at("issuer", |faults| faults.text(&subject.issuer, 512));
            faults.at("value", |faults| faults.text(&subject.value, 512));
        });
        faults.at("ip", |faults| self.ip.check(faults));
        check_limits(&self.limits, &self.quotas, faults);
    }
}

/// The settings of an API key or a signing key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct KeySettings {
    /// Scopes of the key, beside those of its consumer.
    pub scopes: Vec<String>,
    /// From which client addresses it works; the rules of its consumer hold too.
    pub ip: IpSettings,
    /// Rate limits of the key.
    pub limits: Vec<Limit>,
    /// Quotas of the key.
    pub quotas: Vec<Quota>,
}

impl Checked for KeySettings {
    fn check(&self, faults: &mut Faults) {
        check_scopes(&self.scopes, faults);
        faults.at("ip", |faults| self.ip.check(faults));
        check_limits(&self.limits, &self.quotas, faults);
    }
}
