//! A query, and the cursor, which holds all of it: pages of a span that ends now are pages of one
//! span.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use store::usage::{Grouping, Position, Query, Step};
use utoipa::IntoParams;
use uuid::Uuid;

use super::model::StepName;
use crate::bounds;
use crate::forms::check::Check;
use crate::http::problem::Problem;

/// The first byte of a cursor, so that its form can change. The cursors of other lists begin with
/// another.
const CURSOR_FORM: u8 = 2;
const HOUR_S: i64 = 3_600;
/// The span when the client does not say.
const SPAN_DEFAULT: TimeDelta = TimeDelta::hours(24);
/// The years that a calendar has, for sums with times not to overflow.
const SECONDS: std::ops::RangeInclusive<i64> = 0..=253_402_300_800;

/// The query of usage.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UsageQuery {
    /// The begin of the span, rounded down to the hour; 24 hours before its end by default.
    #[param(required = false, nullable = false, value_type = DateTime<Utc>)]
    from: Option<String>,
    /// The end of the span, rounded up to the hour; now by default. A span has 400 days at most.
    #[param(required = false, nullable = false, value_type = DateTime<Utc>)]
    to: Option<String>,
    /// The steps into which the span is divided, in UTC.
    #[param(required = false, nullable = false, inline, default = "total", value_type = StepName)]
    step: Option<String>,
    /// The dimensions to tell apart: a list, separated by commas, of `site`, `consumer`, `key`,
    /// `route` and `status_class`.
    #[param(
        required = false,
        nullable = false,
        example = "consumer,status_class",
        pattern = "^(site|consumer|key|route|status_class)(,(site|consumer|key|route|status_class))*$"
    )]
    group_by: Option<String>,
    /// The most items to return.
    #[param(
        minimum = 1,
        maximum = 1000,
        default = 200,
        required = false,
        nullable = false,
        value_type = i64
    )]
    limit: Option<String>,
    /// The `next_cursor` of the previous page. It holds the span, if that is not given.
    #[param(required = false, nullable = false, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

/// The query for the store, for all sites.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) query: Query,
}

impl UsageQuery {
    /// Reads the parameters.
    pub(super) fn asked(&self, now: DateTime<Utc>) -> Result<Asked, Problem> {
        let mut check = Check::new();
        let mut time = |field: &str, text: &Option<String>| {
            let parsed = DateTime::parse_from_rfc3339(text.as_deref()?).map(|time| time.to_utc());
            let parsed = parsed.ok().filter(|time| SECONDS.contains(&time.timestamp()));
            check
                .take(field, parsed.ok_or("must be a time such as 2026-01-31T22:00:00Z (RFC 3339)"))
        };
        let (from, to) = (time("from", &self.from), time("to", &self.to));
        let step = self.step.as_deref().map_or(Ok(Step::Total), step_of);
        let step = check.take("step", step).unwrap_or(Step::Total);
        let grouping = self.group_by.as_deref().map_or(Ok(Grouping::default()), grouping_of);
        let grouping = check.take("group_by", grouping).unwrap_or_default();
        let mut limit = bounds::USAGE_PAGE_DEFAULT;
        if let Some(text) = &self.limit {
            limit = check
                .take("limit", text.parse::<i64>().map_err(|_| "must be a number"))
                .unwrap_or(limit);
            check.range("limit", limit, &bounds::USAGE_PAGE);
        }
        let cursor = self.cursor.as_deref();
        let cursor = cursor.and_then(|text| {
            check.take("cursor", read(text).ok_or("is not a cursor that usage gave"))
        });
        check.finish()?;

        let limit = u32::try_from(limit).unwrap_or_default();
        let end = to.map(ceil).or(cursor.map(|cursor| cursor.to)).unwrap_or_else(|| ceil(now));
        let begin = from
            .map(floor)
            .or(cursor.map(|cursor| cursor.from))
            .unwrap_or_else(|| end - SPAN_DEFAULT);
        let mut query =
            Query { site: None, from: begin, to: end, step, grouping, limit, after: None };
        let mut check = Check::new();
        if begin >= end {
            check.refuse("from", "must be before the end of the span");
        } else if end - begin > bounds::USAGE_SPAN {
            check.refuse(
                "from",
                format!("the span must not have more than {} days", bounds::USAGE_SPAN.num_days()),
            );
        }
        if let Some(cursor) = cursor {
            if (cursor.from, cursor.to, cursor.form) == (begin, end, form_of(&query)) {
                query.after = Some(cursor.after);
            } else {
                check.refuse("cursor", "belongs to other parameters");
            }
        }
        check.finish()?;
        Ok(Asked { query })
    }
}

fn step_of(text: &str) -> Result<Step, &'static str> {
    Ok(match text {
        "hour" => Step::Hour,
        "day" => Step::Day,
        "month" => Step::Month,
        "total" => Step::Total,
        _ => return Err("must be `hour`, `day`, `month` or `total`"),
    })
}

fn grouping_of(text: &str) -> Result<Grouping, &'static str> {
    let mut grouping = Grouping::default();
    for name in text.split(',') {
        let field = match name {
            "site" => &mut grouping.site,
            "consumer" => &mut grouping.consumer,
            "key" => &mut grouping.key,
            "route" => &mut grouping.route,
            "status_class" => &mut grouping.status_class,
            _ => {
                return Err(
                    "must be a list of `site`, `consumer`, `key`, `route` and `status_class`, \
                     separated by commas",
                );
            }
        };
        *field = true;
    }
    Ok(grouping)
}

fn floor(time: DateTime<Utc>) -> DateTime<Utc> {
    let seconds = time.timestamp();
    DateTime::from_timestamp(seconds - seconds.rem_euclid(HOUR_S), 0).unwrap_or(time)
}

fn ceil(time: DateTime<Utc>) -> DateTime<Utc> {
    let full = floor(time);
    if full == time { time } else { full + TimeDelta::hours(1) }
}

/// The contents of a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    form: u8,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    after: Position,
}

/// Step and grouping in a byte, so that a cursor is not taken for another query's.
fn form_of(query: &Query) -> u8 {
    let Grouping { site, consumer, key, route, status_class } = query.grouping;
    let step = match query.step {
        Step::Hour => 0,
        Step::Day => 1,
        Step::Month => 2,
        Step::Total => 3,
    };
    [site, consumer, key, route, status_class]
        .into_iter()
        .fold(step, |form, bit| (form << 1) | u8::from(bit))
}

/// The cursor of the page after this position.
pub(super) fn cursor_of(query: &Query, after: &Position) -> String {
    let mut bytes = vec![CURSOR_FORM, form_of(query)];
    for time in [query.from, query.to, after.start] {
        bytes.extend_from_slice(&time.timestamp().to_be_bytes());
    }
    for id in [after.site, after.consumer, after.key, after.route] {
        bytes.extend_from_slice(id.as_bytes());
    }
    bytes.extend_from_slice(&after.status_class.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read(text: &str) -> Option<Cursor> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (head, rest) = bytes.split_first_chunk::<2>()?;
    let [CURSOR_FORM, form] = *head else { return None };
    let (times, rest) = rest.split_first_chunk::<24>()?;
    let (ids, rest) = rest.split_first_chunk::<64>()?;
    let status_class = i16::from_be_bytes(rest.try_into().ok()?);
    let time = |place: usize| {
        let seconds = i64::from_be_bytes(*times.as_chunks().0.get(place)?);
        DateTime::from_timestamp(seconds, 0).filter(|_| SECONDS.contains(&seconds))
    };
    let id = |place: usize| ids.as_chunks().0.get(place).copied().map(Uuid::from_bytes);
    let (from, to, start) = (time(0)?, time(1)?, time(2)?);
    let after = Position {
        start,
        site: id(0)?,
        consumer: id(1)?,
        key: id(2)?,
        route: id(3)?,
        status_class,
    };
    Some(Cursor { form, from, to, after })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::problem::request::INVALID;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn asked(query: UsageQuery) -> Result<Query, Problem> {
        query.asked(time("2026-03-31T22:10:00Z")).map(|asked| asked.query)
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn refused(query: UsageQuery) -> Vec<String> {
        match asked(query) {
            Err(problem) if problem.is(&INVALID) => {
                problem.into_errors().into_iter().map(|error| error.field).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn by_default_the_last_day_is_asked_for() {
        let query = asked(UsageQuery::default()).unwrap();
        assert_eq!(
            (query.from, query.to),
            (time("2026-03-30T23:00:00Z"), time("2026-03-31T23:00:00Z"))
        );
        assert_eq!(
            (query.step, query.grouping, query.limit),
            (Step::Total, Grouping::default(), 200)
        );
    }

    #[test]
    fn a_span_is_of_whole_hours() {
        let query = UsageQuery {
            from: some("2026-03-01T10:59:59+01:00"),
            to: some("2026-03-02T00:00:00Z"),
            ..UsageQuery::default()
        };
        let query = asked(query).unwrap();
        assert_eq!(
            (query.from, query.to),
            (time("2026-03-01T09:00:00Z"), time("2026-03-02T00:00:00Z"))
        );
        let query =
            asked(UsageQuery { to: some("2026-03-02T00:00:00.001Z"), ..UsageQuery::default() })
                .unwrap();
        assert_eq!(
            (query.from, query.to),
            (time("2026-03-01T01:00:00Z"), time("2026-03-02T01:00:00Z"))
        );
    }

    #[test]
    fn what_cannot_be_answered_is_refused() {
        let none = UsageQuery::default;
        for (query, fields) in [
            (
                UsageQuery { from: some("yesterday"), to: some("2026-03-02"), ..none() },
                &["from", "to"][..],
            ),
            (UsageQuery { from: some("-0001-01-01T00:00:00Z"), ..none() }, &["from"]),
            (UsageQuery { from: some("2026-04-01T00:00:00Z"), ..none() }, &["from"]),
            (UsageQuery { from: some("2025-02-01T00:00:00Z"), ..none() }, &["from"]),
            (
                UsageQuery { step: some("year"), group_by: some("site,"), ..none() },
                &["step", "group_by"],
            ),
            (
                UsageQuery { group_by: some(""), limit: some("1001"), ..none() },
                &["group_by", "limit"],
            ),
            (UsageQuery { limit: some("x"), cursor: some("AQ"), ..none() }, &["limit", "cursor"]),
        ] {
            assert_eq!(refused(query), fields);
        }
        asked(UsageQuery { from: some("2025-02-25T00:00:00Z"), ..none() }).unwrap();
    }

    #[test]
    fn a_cursor_goes_on_in_the_same_span_of_the_same_query() {
        let first = asked(UsageQuery {
            group_by: some("key,site"),
            step: some("hour"),
            ..UsageQuery::default()
        })
        .unwrap();
        let after = Position {
            start: time("2026-03-31T01:00:00Z"),
            site: Uuid::from_u128(1),
            consumer: Uuid::nil(),
            key: Uuid::from_u128(2),
            route: Uuid::nil(),
            status_class: -1,
        };
        let cursor = Some(cursor_of(&first, &after));
        let ask = |group_by: &str, to: Option<&str>| UsageQuery {
            group_by: some(group_by),
            step: some("hour"),
            to: to.and_then(some),
            cursor: cursor.clone(),
            ..UsageQuery::default()
        };
        let later = ask("site,key", None).asked(time("2026-04-07T00:00:00Z")).unwrap().query;
        assert_eq!((later.from, later.to, later.after), (first.from, first.to, Some(after)));
        assert_eq!(refused(ask("site", None)), ["cursor"]);
        assert_eq!(refused(ask("site,key", Some("2026-03-31T00:00:00Z"))), ["cursor"]);
    }
}
