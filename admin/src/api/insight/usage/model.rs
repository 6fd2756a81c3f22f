//! The JSON shapes of usage.

use chrono::{DateTime, Utc};
use policy::usage::histogram::quantile_bound_ms;
use serde::Serialize;
use store::usage::{Grouping, Row, Step};
use utoipa::ToSchema;
use uuid::Uuid;

/// The length of the steps, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum StepName {
    /// Full hours.
    Hour,
    /// Days.
    Day,
    /// Calendar months.
    Month,
    /// One step: the whole span.
    Total,
}

impl From<Step> for StepName {
    fn from(step: Step) -> Self {
        match step {
            Step::Hour => Self::Hour,
            Step::Day => Self::Day,
            Step::Month => Self::Month,
            Step::Total => Self::Total,
        }
    }
}

/// The first digit of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) enum StatusClass {
    /// The client got no response.
    #[serde(rename = "none")]
    None,
    #[serde(rename = "1xx")]
    Informational,
    #[serde(rename = "2xx")]
    Successful,
    #[serde(rename = "3xx")]
    Redirection,
    #[serde(rename = "4xx")]
    ClientError,
    #[serde(rename = "5xx")]
    ServerError,
}

impl StatusClass {
    pub(super) fn of(class: i16) -> Self {
        match class {
            1 => Self::Informational,
            2 => Self::Successful,
            3 => Self::Redirection,
            4 => Self::ClientError,
            5 => Self::ServerError,
            _ => Self::None,
        }
    }
}

/// Durations of requests, from the headers of the request to the end of the response.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct Latency {
    /// The mean in milliseconds.
    mean_ms: f64,
    /// At least half of the requests took no longer. Durations are counted in buckets (1, 2, 5, 10,
    /// 20, 50, 100, 200, 500 ms, 1, 2, 5, 10, 30, 60 s); this is the upper bound of the bucket, and
    /// null if it is beyond the last bound.
    #[schema(required = true)]
    p50_ms: Option<u32>,
    /// At least 95 % of the requests took no longer; see `p50_ms`.
    #[schema(required = true)]
    p95_ms: Option<u32>,
    /// At least 99 % of the requests took no longer; see `p50_ms`.
    #[schema(required = true)]
    p99_ms: Option<u32>,
}

/// Sums of one step, and of one value of each thing that is grouped by.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UsageItem {
    /// The beginning of the step; that of the first step is the beginning of the span.
    start: DateTime<Utc>,
    /// If it is grouped by. The site may have been removed since.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    site_id: Option<Uuid>,
    /// If it is grouped by; null for requests without a consumer, such as those that are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>, required = false)]
    consumer_id: Option<Option<Uuid>>,
    /// If it is grouped by; null for requests without a key, a signing key or a subject of tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>, required = false)]
    key_id: Option<Option<Uuid>>,
    /// If it is grouped by; null for requests that no route takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>, required = false)]
    route_id: Option<Option<Uuid>>,
    /// If it is grouped by.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    status_class: Option<StatusClass>,
    /// The number of requests that ended in this step.
    requests: i64,
    /// Bytes that clients sent.
    request_bytes: i64,
    /// Bytes that clients got.
    response_bytes: i64,
    latency: Latency,
}

impl UsageItem {
    pub(super) fn of(row: &Row, grouping: Grouping) -> Self {
        let at = &row.position;
        let optional =
            |grouped: bool, id: Uuid| grouped.then(|| Some(id).filter(|id| !id.is_nil()));
        let counts: Vec<u64> =
            row.histogram.iter().map(|count| u64::try_from(*count).unwrap_or_default()).collect();
        let mean_us =
            if row.requests > 0 { row.duration_us as f64 / row.requests as f64 } else { 0.0 };
        Self {
            start: at.start,
            site_id: grouping.site.then_some(at.site),
            consumer_id: optional(grouping.consumer, at.consumer),
            key_id: optional(grouping.key, at.key),
            route_id: optional(grouping.route, at.route),
            status_class: grouping.status_class.then(|| StatusClass::of(at.status_class)),
            requests: row.requests,
            request_bytes: row.request_bytes,
            response_bytes: row.response_bytes,
            latency: Latency {
                mean_ms: mean_us.round() / 1_000.0,
                p50_ms: quantile_bound_ms(&counts, 50),
                p95_ms: quantile_bound_ms(&counts, 95),
                p99_ms: quantile_bound_ms(&counts, 99),
            },
        }
    }
}

/// A page of usage, ordered by time, then by group. Steps without requests are left out.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Usage {
    /// The first hour of the span.
    pub(super) from: DateTime<Utc>,
    /// The end of the span, which does not belong to it.
    pub(super) to: DateTime<Utc>,
    pub(super) step: StepName,
    /// One for each group and step in which there was any request.
    pub(super) items: Vec<UsageItem>,
    /// Give this as `cursor`, and all other parameters as before, to get the next page; null on the
    /// last one.
    #[schema(required = true)]
    pub(super) next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use store::usage::Position;

    use super::*;

    fn row(histogram: Vec<i64>) -> Row {
        let nil = Uuid::nil();
        let start = DateTime::UNIX_EPOCH;
        let position =
            Position { start, site: nil, consumer: nil, key: nil, route: nil, status_class: -1 };
        let requests = histogram.iter().sum();
        Row {
            position,
            requests,
            request_bytes: 1,
            response_bytes: 2,
            duration_us: 1_234 * requests,
            histogram,
        }
    }

    #[test]
    fn quantiles_are_the_bounds_of_buckets() {
        let latency = |histogram| UsageItem::of(&row(histogram), Grouping::default()).latency;
        let mut histogram = vec![0; 16];
        histogram[3] = 94;
        histogram[6] = 4;
        histogram[15] = 2;
        let expected =
            Latency { mean_ms: 1.234, p50_ms: Some(10), p95_ms: Some(100), p99_ms: None };
        assert_eq!(latency(histogram), expected);
        let none = Latency { mean_ms: 0.0, p50_ms: None, p95_ms: None, p99_ms: None };
        assert_eq!(latency(vec![0; 16]), none);
    }

    #[test]
    fn what_is_not_grouped_by_is_not_mentioned() {
        let plain =
            serde_json::to_value(UsageItem::of(&row(vec![1; 16]), Grouping::default())).unwrap();
        for absent in ["site_id", "consumer_id", "key_id", "route_id", "status_class"] {
            assert_eq!(plain.get(absent), None);
        }
        let all =
            Grouping { site: true, consumer: true, key: true, route: true, status_class: true };
        let grouped = serde_json::to_value(UsageItem::of(&row(vec![1; 16]), all)).unwrap();
        for null in ["consumer_id", "key_id", "route_id"] {
            assert_eq!(grouped.get(null), Some(&serde_json::Value::Null));
        }
    }
}
