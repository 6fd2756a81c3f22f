//! Reading usage: the sums of a span of time, by steps of time and by groups.

use chrono::{DateTime, Utc};
use policy::id::SiteId;
use uuid::Uuid;

use crate::base::error::StoreError;
use crate::base::tx::TenantTx;
use crate::publishing::lock;
use crate::tenancy::tenant;

/// The length of the steps into which a span is divided, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Full hours.
    Hour,
    /// Days.
    Day,
    /// Calendar months.
    Month,
    /// The whole span.
    Total,
}

impl Step {
    fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::Total => "total",
        }
    }
}

/// The fields that form groups, beside time. The sums of a group are added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is independent of the others")]
pub struct Grouping {
    /// By site.
    pub site: bool,
    /// By consumer.
    pub consumer: bool,
    /// By credential.
    pub key: bool,
    /// By route.
    pub route: bool,
    /// By [`policy::usage::status_class`].
    pub status_class: bool,
}

/// The place of a row in the order of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The start of the step; for [`Step::Total`] the start of the span.
    pub start: DateTime<Utc>,
    /// Nil if it is not grouped by.
    pub site: Uuid,
    /// Nil if it is not grouped by, or for requests without one.
    pub consumer: Uuid,
    /// Nil if it is not grouped by, or for requests without one.
    pub key: Uuid,
    /// Nil if it is not grouped by, or for requests without one.
    pub route: Uuid,
    /// -1 if it is not grouped by.
    pub status_class: i16,
}

impl Position {
    /// A place that precedes all rows from this time on.
    fn before_all(start: DateTime<Utc>) -> Self {
        let nil = Uuid::nil();
        Self { start, site: nil, consumer: nil, key: nil, route: nil, status_class: i16::MIN }
    }
}

/// A question for the sums of a span.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// One site, or `None` for all that the tenant has or had.
    pub site: Option<SiteId>,
    /// The first hour.
    pub from: DateTime<Utc>,
    /// The first hour after the span.
    pub to: DateTime<Utc>,
    /// The length of the steps. Steps without requests have no rows.
    pub step: Step,
    /// The groups.
    pub grouping: Grouping,
    /// The most rows.
    pub limit: u32,
    /// The last row of the page before.
    pub after: Option<Position>,
}

/// Sums of one step and group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The step and the group.
    pub position: Position,
    /// The number of requests.
    pub requests: i64,
    /// Bytes from clients.
    pub request_bytes: i64,
    /// Bytes to clients.
    pub response_bytes: i64,
    /// The sum of the durations in microseconds.
    pub duration_us: i64,
    /// Requests by bucket of [`policy::usage::histogram`].
    pub histogram: Vec<i64>,
}

/// Reads usage in the order of [`Position`]. The cost of the first page grows with the rows of the
/// span, that of a later page with the rows of its steps and the later ones.
///
/// # Errors
/// [`StoreError::NotFound`] if the tenant does not exist, or has no such site now.
pub async fn read(tx: &mut TenantTx, query: &Query) -> Result<Vec<Row>, StoreError> {
    match query.site {
        Some(id) => lock::exists(tx, id).await?,
        None => tenant::require(tx).await?,
    }
    // Earlier steps than that of the last row have been read.
    let from = query.after.map_or(query.from, |after| after.start.max(query.from));
    select(tx, query, from, query.after.unwrap_or(Position::before_all(query.from))).await
}

/// Reads the rows after this position, all of hours from `from` on.
#[expect(clippy::too_many_lines, reason = "one statement, its parameters, and its columns")]
async fn select(
    tx: &mut TenantTx,
    query: &Query,
    from: DateTime<Utc>,
    after: Position,
) -> Result<Vec<Row>, StoreError> {
    let tenant = Uuid::from(tx.tenant());
    let Grouping { site, consumer, key, route, status_class } = query.grouping;
    let rows = sqlx::query!(
        r#"SELECT start AS "start!", site AS "site!", consumer AS "consumer!", key AS "key!",
                  route AS "route!", class AS "class!", sum(requests)::bigint AS "requests!",
                  sum(request_bytes)::bigint AS "request_bytes!",
                  sum(response_bytes)::bigint AS "response_bytes!",
                  sum(duration_us)::bigint AS "duration_us!",
                  ARRAY[sum(histogram[1]), sum(histogram[2]), sum(histogram[3]),
                        sum(histogram[4]), sum(histogram[5]), sum(histogram[6]),
                        sum(histogram[7]), sum(histogram[8]), sum(histogram[9]),
                        sum(histogram[10]), sum(histogram[11]), sum(histogram[12]),
                        sum(histogram[13]), sum(histogram[14]), sum(histogram[15]),
                        sum(histogram[16])]::bigint[] AS "histogram!"
           FROM (
               SELECT CASE $5 WHEN 'total' THEN $3
                      ELSE greatest($3, date_trunc($5, hour, 'UTC')) END AS start,
                      CASE WHEN $6 THEN site_id ELSE $11 END AS site,
                      CASE WHEN $7 THEN coalesce(consumer_id, $11) ELSE $11 END AS consumer,
                      CASE WHEN $8 THEN coalesce(key_id, $11) ELSE $11 END AS key,
                      CASE WHEN $9 THEN coalesce(route_id, $11) ELSE $11 END AS route,
                      CASE WHEN $10 THEN status_class ELSE -1::smallint END AS class,
                      requests, request_bytes, response_bytes, duration_us, histogram
               FROM usage_hours
               WHERE tenant_id = $1 AND ($2::uuid IS NULL OR site_id = $2)
                 AND hour >= $12 AND hour < $4
           ) AS stepped
           WHERE (start, site, consumer, key, route, class)
                 > ($13::timestamptz, $14::uuid, $15::uuid, $16::uuid, $17::uuid, $18::smallint)
           GROUP BY start, site, consumer, key, route, class
           ORDER BY start, site, consumer, key, route, class
           LIMIT $19"#,
        tenant,
        query.site.map(Uuid::from),
        query.from,
        query.to,
        query.step.as_str(),
        site,
        consumer,
        key,
        route,
        status_class,
        Uuid::nil(),
        from,
        after.start,
        after.site,
        after.consumer,
        after.key,
        after.route,
        after.status_class,
        i64::from(query.limit)
    )
    .fetch_all(tx.conn())
    .await?;
    let rows = rows.into_iter().map(|row| Row {
        position: Position {
            start: row.start,
            site: row.site,
            consumer: row.consumer,
            key: row.key,
            route: row.route,
            status_class: row.class,
        },
        requests: row.requests,
        request_bytes: row.request_bytes,
        response_bytes: row.response_bytes,
        duration_us: row.duration_us,
        histogram: row.histogram,
    });
    Ok(rows.collect())
}
