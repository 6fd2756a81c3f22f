//! The allowance of a platform plan.

use std::ops::RangeInclusive;

use policy::settings::{MAX_QUOTA, MAX_RATE};
use serde::{Deserialize, Serialize};
use store::platform_plan;
use utoipa::ToSchema;

use crate::forms::check::Check;
use crate::http::body::present;

/// A count: more than anybody has, and still a number that JavaScript keeps.
const COUNT: RangeInclusive<i64> = 0..=1_000_000_000_000;
/// A tenant has one member at least, its Admin.
const MEMBERS: RangeInclusive<i64> = 1..=1_000_000_000_000;
/// As for every rate limit.
const PER_SECOND: RangeInclusive<i64> = 1..=MAX_RATE as i64;
/// As for every quota.
const PER_MONTH: RangeInclusive<i64> = 1..=MAX_QUOTA as i64;

/// The allowance of each tenant with a platform plan. Null: as much as the general bounds allow.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlatformLimits)]
pub(crate) struct Allowance {
    /// Sites.
    #[schema(required = true)]
    sites: Option<i64>,
    /// Routes in all its sites.
    #[schema(required = true)]
    routes: Option<i64>,
    /// API keys and signing keys in all its sites; those that are revoked, expired or replaced by a
    /// rotation do not count.
    #[schema(required = true)]
    keys: Option<i64>,
    /// Members.
    #[schema(required = true)]
    members: Option<i64>,
    /// The bytes of stored configuration: names, hostnames, addresses, paths and settings (as JSON)
    /// of everything in its sites, in UTF-8.
    #[schema(required = true)]
    config_bytes: Option<i64>,
    /// Requests in a second, in each Envoy.
    #[schema(required = true)]
    requests_per_second: Option<i64>,
    /// Requests in a month of the calendar in UTC, in each Envoy.
    #[schema(required = true)]
    requests_per_month: Option<i64>,
}

impl From<platform_plan::Limits> for Allowance {
    fn from(limits: platform_plan::Limits) -> Self {
        Self {
            sites: limits.sites,
            routes: limits.routes,
            keys: limits.keys,
            members: limits.members,
            config_bytes: limits.config_bytes,
            requests_per_second: limits.requests_per_second.map(i64::from),
            requests_per_month: limits.requests_per_month,
        }
    }
}

/// Allowance as they are given.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = PlatformLimitChanges)]
pub(crate) struct AllowanceChanges {
    /// Sites.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1000000000000i64, example = 10)]
    sites: Option<Option<i64>>,
    /// Routes in all its sites.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1000000000000i64, example = 1000)]
    routes: Option<Option<i64>>,
    /// API keys and signing keys in all its sites; those that are revoked, expired or replaced by a
    /// rotation do not count.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1000000000000i64, example = 10000)]
    keys: Option<Option<i64>>,
    /// Members.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 1000000000000i64, example = 50)]
    members: Option<Option<i64>>,
    /// The bytes of stored configuration.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1000000000000i64, example = 1000000)]
    config_bytes: Option<Option<i64>>,
    /// Requests in a second, in each Envoy.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 100000000, example = 500)]
    requests_per_second: Option<Option<i64>>,
    /// Requests in a month of the calendar in UTC, in each Envoy.
    #[serde(deserialize_with = "present")]
    #[schema(
        value_type = Option<i64>,
        minimum = 1,
        maximum = 1000000000000000i64,
        example = 10000000
    )]
    requests_per_month: Option<Option<i64>>,
}

impl AllowanceChanges {
    /// Notes the numbers that are out of bounds.
    pub(super) fn check(&self, check: &mut Check) {
        for (field, given, range) in [
            ("limits.sites", self.sites, COUNT),
            ("limits.routes", self.routes, COUNT),
            ("limits.keys", self.keys, COUNT),
            ("limits.members", self.members, MEMBERS),
            ("limits.config_bytes", self.config_bytes, COUNT),
            ("limits.requests_per_second", self.requests_per_second, PER_SECOND),
            ("limits.requests_per_month", self.requests_per_month, PER_MONTH),
        ] {
            if let Some(Some(value)) = given {
                check.range(field, value, &range);
            }
        }
    }

    /// The limits with these changes, which were checked.
    pub(super) fn applied_to(&self, limits: platform_plan::Limits) -> platform_plan::Limits {
        let per_second =
            self.requests_per_second.map(|rate| rate.and_then(|rate| i32::try_from(rate).ok()));
        platform_plan::Limits {
            sites: self.sites.unwrap_or(limits.sites),
            routes: self.routes.unwrap_or(limits.routes),
            keys: self.keys.unwrap_or(limits.keys),
            members: self.members.unwrap_or(limits.members),
            config_bytes: self.config_bytes.unwrap_or(limits.config_bytes),
            requests_per_second: per_second.unwrap_or(limits.requests_per_second),
            requests_per_month: self.requests_per_month.unwrap_or(limits.requests_per_month),
        }
    }
}
