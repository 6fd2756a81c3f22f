//! Rate limits and quotas.

use serde::{Deserialize, Serialize};

use super::Faults;

/// The most limits, and the most quotas, of one object. A request meets those of its tenant, site,
/// API, route, plan, consumer.
const MAX_LIMITS: usize = 4;
/// The most requests of a limit's unit of time, and of its burst.
pub const MAX_RATE: u32 = 100_000_000;
/// The most requests of a quota's window.
pub const MAX_QUOTA: u64 = 1_000_000_000_000_000;
/// The most dimensions by which one limit counts.
const MAX_BY: usize = 3;

/// The dimensions by which a limit counts apart: each value has a counter of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The consumer. Requests without one share a counter.
    Consumer,
    /// The credential: API key, signing key, or the token's subject.
    Key,
    /// The API.
    Api,
    /// The route.
    Route,
    /// The plan: all its consumers together. In a plan's limits, without it each consumer has its
    /// own counter.
    Plan,
    /// The client's address; IPv6 by its /64.
    ClientIp,
    /// The value of a request header. Requests without it share a counter.
    Header(String),
    /// The value of a claim of the token. Requests without it share a counter.
    Claim(String),
}

/// The unit of time of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum RateUnit {
    Second,
    Minute,
    Hour,
}

impl RateUnit {
    /// Its length in milliseconds.
    pub fn as_ms(self) -> u64 {
        match self {
            Self::Second => 1_000,
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
        }
    }
}

/// A rate limit: a token bucket that fills evenly, and holds `burst` tokens at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Its name in refusals and `RateLimit` headers; unique in its object.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "burst", min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._-]+$")
    )]
    pub name: String,
    /// The number of requests in one unit of time, 1 to 100,000,000.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 100000000, example = 100))]
    pub requests: u32,
    /// The unit of time.
    pub per: RateUnit,
    /// The number of requests that may come at once. Default: `requests`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 100000000))]
    pub burst: Option<u32>,
    /// The dimensions by which it counts apart. Default: one counter for all requests of the object
    /// that it belongs to; in a plan, one for each consumer.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(max_items = 3))]
    pub by: Vec<By>,
}

/// A window of the calendar, in the tenant's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Window {
    Minute,
    Hour,
    Day,
    Month,
}

/// A quota: so many requests in each window of the calendar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Its name in refusals and `RateLimit` headers; unique in its object, limits included.
    #[cfg_attr(
        feature = "openapi",
        schema(
            example = "monthly",
            min_length = 1,
            max_length = 64,
            pattern = "^[A-Za-z0-9._-]+$"
        )
    )]
    pub name: String,
    /// The number of requests in one window, 1 to 10^15.
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 1, maximum = 1000000000000000i64, example = 100000)
    )]
    pub requests: u64,
    /// The window.
    pub per: Window,
    /// As in a limit.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(max_items = 3))]
    pub by: Vec<By>,
}

/// The answers that carry `RateLimit` and `RateLimit-Policy`
/// (draft-ietf-httpapi-ratelimit-headers-10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RateLimitHeaders {
    /// All answers of requests that a limit or quota applies to.
    #[default]
    All,
    /// Those with status 429.
    Refused,
}

pub(super) fn check_limits(limits: &[Limit], quotas: &[Quota], faults: &mut Faults) {
    let mut names = Vec::new();
    faults.each("limits", limits, MAX_LIMITS, |faults, limit| {
        check_name(&limit.name, &mut names, faults);
        if limit.requests == 0 || limit.requests > MAX_RATE {
            faults.at("requests", |faults| faults.add(format!("has to be 1 to {MAX_RATE}")));
        }
        if limit.burst.is_some_and(|burst| burst == 0 || burst > MAX_RATE) {
            faults.at("burst", |faults| faults.add(format!("has to be 1 to {MAX_RATE}")));
        }
        check_by(&limit.by, faults);
    });
    faults.each("quotas", quotas, MAX_LIMITS, |faults, quota| {
        check_name(&quota.name, &mut names, faults);
        if quota.requests == 0 || quota.requests > MAX_QUOTA {
            faults.at("requests", |faults| faults.add(format!("has to be 1 to {MAX_QUOTA}")));
        }
        check_by(&quota.by, faults);
    });
}

fn check_name(name: &str, names: &mut Vec<String>, faults: &mut Faults) {
    faults.at("name", |faults| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
            faults.add("has to be 1 to 64 letters, digits, hyphens, underscores and dots");
        }
        if names.iter().any(|known| known == name) {
            faults.add("another limit or quota of this object has this name");
        }
        names.push(name.to_owned());
    });
}

fn check_by(by: &[By], faults: &mut Faults) {
    faults.each("by", by, MAX_BY, |faults, by| match by {
        By::Header(name) => faults.at("header", |faults| faults.header(name)),
        By::Claim(name) => faults.at("claim", |faults| faults.text(name, 128)),
        _ => {}
    });
    let same = |one: &By, other: &By| match (one, other) {
        (By::Header(one), By::Header(other)) => one.eq_ignore_ascii_case(other),
        _ => one == other,
    };
    if by.iter().enumerate().any(|(index, one)| by.iter().take(index).any(|other| same(one, other)))
    {
        faults.at("by", |faults| faults.add("each may be named once"));
    }
}
