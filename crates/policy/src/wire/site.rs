//! A site's policy as it is pushed.

use super::LimitRule;

/// All that the filter needs to know of a site.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SitePolicy {
    /// The 16 bytes of the tenant that owns the site.
    #[prost(bytes = "vec", tag = "1")]
    pub tenant: Vec<u8>,
    /// True if the caller's credential reaches the upstream.
    #[prost(bool, tag = "2")]
    pub forward_credentials: bool,
    /// The routes, sorted by path.
    #[prost(message, repeated, tag = "3")]
    pub routes: Vec<PolicyRoute>,
    /// The places of keys; none: the default places.
    #[prost(message, repeated, tag = "4")]
    pub key_sources: Vec<KeySource>,
    /// The requirement of a route that has none itself; absent: an API key.
    #[prost(message, optional, tag = "5")]
    pub requirement: Option<Requirement>,
    /// True if callers are told why they are refused (RFC 6750).
    #[prost(bool, tag = "6")]
    pub challenges: bool,
    /// The client addresses that are let in.
    #[prost(message, optional, tag = "7")]
    pub ip: Option<IpRules>,
    /// The limits and quotas of the tenant and of the site.
    #[prost(message, repeated, tag = "8")]
    pub limits: Vec<LimitRule>,
    /// True if answers that are not refusals carry no `RateLimit` headers.
    #[prost(bool, tag = "9")]
    pub rate_limit_headers_on_refusals_only: bool,
    /// The issuers of the tokens that are accepted, sorted by id.
    #[prost(message, repeated, tag = "10")]
    pub issuers: Vec<Issuer>,
    /// The requirements of signatures; absent: there are no signing keys.
    #[prost(message, optional, tag = "11")]
    pub signatures: Option<SignatureRules>,
    /// The plans, sorted by number.
    #[prost(message, repeated, tag = "12")]
    pub plans: Vec<Plan>,
    /// The APIs, sorted by id.
    #[prost(message, repeated, tag = "13")]
    pub apis: Vec<ApiPolicy>,
    /// The time zone of the tenant's calendar; none: UTC. Sorted.
    #[prost(message, repeated, tag = "14")]
    pub offsets: Vec<UtcOffset>,
    /// The most requests of the tenant that may be under way at once in one Envoy; 0: not limited.
    #[prost(uint32, tag = "15")]
    pub max_concurrent_requests: u32,
    /// The tenant's share of an overloaded Envoy; 0: the default, 100.
    #[prost(uint32, tag = "16")]
    pub weight: u32,
    /// True if all traffic is refused, because the tenant is suspended.
    #[prost(bool, tag = "17")]
    pub suspended: bool,
}

/// One route of a [`SitePolicy`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct PolicyRoute {
    /// The 16 bytes of the route's id.
    #[prost(bytes = "vec", tag = "1")]
    pub id: Vec<u8>,
    /// The methods, as [`crate::method::Methods::bits`].
    #[prost(uint32, tag = "2")]
    pub methods: u32,
    /// The whole path template, base path and version included.
    #[prost(string, tag = "3")]
    pub path: String,
    /// Its requirement, or the one of its API; absent: the site's.
    #[prost(message, optional, tag = "4")]
    pub requirement: Option<Requirement>,
    /// The scopes that a caller has to have, those of its API included, sorted.
    #[prost(string, repeated, tag = "5")]
    pub scopes: Vec<String>,
    /// Its own limits and quotas.
    #[prost(message, repeated, tag = "6")]
    pub limits: Vec<LimitRule>,
    /// The place of its API in [`SitePolicy::apis`].
    #[prost(uint32, tag = "7")]
    pub api: u32,
}

/// An API.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ApiPolicy {
    /// The 16 bytes of its id.
    #[prost(bytes = "vec", tag = "1")]
    pub id: Vec<u8>,
    /// Its own limits and quotas.
    #[prost(message, repeated, tag = "2")]
    pub limits: Vec<LimitRule>,
}

/// A plan.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Plan {
    /// Its number, by which key records name it.
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// Its limits and quotas.
    #[prost(message, repeated, tag = "2")]
    pub limits: Vec<LimitRule>,
}

/// The credentials that are needed.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Requirement {
    /// The number of the methods that are needed; [`RequirementMode`].
    #[prost(enumeration = "RequirementMode", tag = "1")]
    pub mode: i32,
    /// The methods, as [`crate::requirement::AuthMethods::bits`].
    #[prost(uint32, tag = "2")]
    pub methods: u32,
}

/// The number of a [`Requirement`]'s methods that are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum RequirementMode {
    /// None that this filter knows: nobody gets through.
    Unknown = 0,
    /// No credential is needed.
    Public = 1,
    /// One of them.
    AnyOf = 2,
    /// All of them.
    AllOf = 3,
}

/// A place where a key may be.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeySource {
    /// The kind of place; [`KeySourceKind`].
    #[prost(enumeration = "KeySourceKind", tag = "1")]
    pub kind: i32,
    /// The name of the header, in lower case, or of the query parameter.
    #[prost(string, tag = "2")]
    pub name: String,
}

/// The kinds of places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum KeySourceKind {
    /// None that this filter knows: no key is found there.
    Unknown = 0,
    /// `Authorization: Bearer`.
    Bearer = 1,
    /// The password of `Authorization: Basic`.
    Basic = 2,
    /// The whole value of a header.
    Header = 3,
    /// A parameter of the query.
    Query = 4,
}

/// Address ranges, each list as [`crate::ip::IpSet`] encodes it; empty: no range.
#[derive(Clone, PartialEq, prost::Message)]
pub struct IpRules {
    /// If there are any, an address in none of them is refused.
    #[prost(bytes = "vec", tag = "1")]
    pub allow: Vec<u8>,
    /// The ranges that are refused.
    #[prost(bytes = "vec", tag = "2")]
    pub deny: Vec<u8>,
}

/// An issuer of tokens: see [`crate::settings::Issuer`].
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub struct Issuer {
    /// The 16 bytes of its id.
    #[prost(bytes = "vec", tag = "1")]
    pub id: Vec<u8>,
    /// The value that `iss` must have.
    #[prost(string, tag = "2")]
    pub issuer: String,
    /// The names of the accepted algorithms (RFC 7518), sorted.
    #[prost(string, repeated, tag = "3")]
    pub algorithms: Vec<String>,
    /// Its public keys: a JWK Set (RFC 7517) in JSON; empty if it has none.
    #[prost(string, tag = "4")]
    pub jwks: String,
    /// Its shared secret; empty if it has none.
    #[prost(bytes = "vec", tag = "5")]
    pub secret: Vec<u8>,
    /// One of them has to be in `aud`; none: it is not looked at. Sorted.
    #[prost(string, repeated, tag = "6")]
    pub audiences: Vec<String>,
    /// Claims that have to be there, sorted by name.
    #[prost(message, repeated, tag = "7")]
    pub required_claims: Vec<RequiredClaim>,
    /// The most that clocks may differ, in seconds.
    #[prost(uint32, tag = "8")]
    pub leeway_s: u32,
    /// The greatest age of a token, in seconds; 0: any age.
    #[prost(uint32, tag = "9")]
    pub max_age_s: u32,
    /// The claim that names the consumer.
    #[prost(string, tag = "10")]
    pub consumer_claim: String,
    /// True if a token without a known consumer is refused.
    #[prost(bool, tag = "11")]
    pub require_consumer: bool,
    /// The claim that lists the scopes.
    #[prost(string, tag = "12")]
    pub scope_claim: String,
    /// Headers for the upstream, sorted.
    #[prost(message, repeated, tag = "13")]
    pub upstream_headers: Vec<ClaimHeader>,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// A claim that has to be there.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RequiredClaim {
    /// Its name; a dot leads into an object.
    #[prost(string, tag = "1")]
    pub claim: String,
    /// The value that it must have, in JSON; `null` for any value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// A header for the upstream.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ClaimHeader {
    /// Its name, in lower case.
    #[prost(string, tag = "1")]
    pub header: String,
    /// The claim that is its value.
    #[prost(string, tag = "2")]
    pub claim: String,
}

/// The requirements of signatures: see [`crate::settings::SignatureSettings`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct SignatureRules {
    /// The components that have to be covered.
    #[prost(string, repeated, tag = "1")]
    pub components: Vec<String>,
    /// The greatest age of a signature, in seconds.
    #[prost(uint32, tag = "2")]
    pub max_age_s: u32,
    /// The most that it may be made in the future, in seconds.
    #[prost(uint32, tag = "3")]
    pub skew_s: u32,
    /// True if it has to have a nonce.
    #[prost(bool, tag = "4")]
    pub require_nonce: bool,
    /// True if a body has to have a signed digest.
    #[prost(bool, tag = "5")]
    pub require_content_digest: bool,
    /// The largest body whose digest is checked, in bytes.
    #[prost(uint32, tag = "6")]
    pub max_body_bytes: u32,
}

/// From when on a time zone is how far from UTC.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct UtcOffset {
    /// Milliseconds since the Unix epoch; the first one of a list holds for all times before the
    /// second.
    #[prost(sint64, tag = "1")]
    pub from_ms: i64,
    /// Seconds east of UTC.
    #[prost(sint32, tag = "2")]
    pub offset_s: i32,
}
