//! Limits and quotas with the dimensions of their counters, as the filter uses them.

use crate::limit::{Limit, Measure, Window, Zone};
use crate::wire::{self, DimensionKind, LimitRule};

/// A limit or a quota, and the dimensions of its counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The limit itself.
    pub limit: Limit,
    /// The dimensions of its counters; empty: one counter.
    pub by: Box<[By]>,
    /// In whose calendar its windows are, if not in the tenant's.
    pub zone: Option<Zone>,
}

/// One thing by which counters are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// The consumer.
    Consumer,
    /// The credential.
    Key,
    /// The API.
    Api,
    /// The route.
    Route,
    /// The client's address.
    ClientIp,
    /// A request header, by its name in lower case.
    Header(Box<str>),
    /// A claim of the token.
    Claim(Box<str>),
}

impl By {
    /// True if clients choose its values.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::ClientIp | Self::Header(_) | Self::Claim(_))
    }
}

impl Rule {
    /// Reads pushed rules.
    pub fn decode_all(rules: &[LimitRule]) -> Box<[Self]> {
        rules.iter().map(Self::decode).collect()
    }

    fn decode(rule: &LimitRule) -> Self {
        let rate = |per_ms| Measure::Rate {
            requests: u32::try_from(rule.requests).unwrap_or(u32::MAX),
            per_ms,
            burst: rule.burst,
        };
        let quota = |window| Measure::Quota { requests: rule.requests, window };
        let measure = match rule.measure() {
            // A measure that this filter does not understand lets nothing through, rather than
            // everything.
            wire::Measure::Unknown => Measure::Rate { requests: 0, per_ms: 0, burst: 0 },
            wire::Measure::PerSecond => rate(1_000),
            wire::Measure::PerMinute => rate(60_000),
            wire::Measure::PerHour => rate(3_600_000),
            wire::Measure::Minute => quota(Window::Minute),
            wire::Measure::Hour => quota(Window::Hour),
            wire::Measure::Day => quota(Window::Day),
            wire::Measure::Month => quota(Window::Month),
        };
        let by = rule.by.iter().filter_map(|dimension| match dimension.kind() {
            // A counter for all is the stricter reading.
            DimensionKind::Unknown => None,
            DimensionKind::Consumer => Some(By::Consumer),
            DimensionKind::Key => Some(By::Key),
            DimensionKind::Api => Some(By::Api),
            DimensionKind::Route => Some(By::Route),
            DimensionKind::ClientIp => Some(By::ClientIp),
            DimensionKind::Header => Some(By::Header(dimension.name.as_str().into())),
            DimensionKind::Claim => Some(By::Claim(dimension.name.as_str().into())),
        });
        let zone = rule.in_utc.then(Zone::default);
        Self { limit: Limit::new(rule.id, &rule.name, measure), by: by.collect(), zone }
    }
}
