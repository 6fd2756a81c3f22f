//! Reading reports: entries that cannot be true are left out and counted, so that no report comes
//! again and again for nothing.

use std::ops::RangeInclusive;

use policy::id::{ConsumerId, KeyId, RouteId, SiteId, TenantId, Uuid};
use policy::usage::histogram::BUCKETS;
use policy::usage::{UsageEntry, UsageReport};
use store::usage::{Key, Report, Sums};
use thiserror::Error;

/// The greatest age of usage when it is reported. VMs that cannot report keep on counting for as
/// long as they have room; a month is longer than any outage that could be billed for. Older usage
/// is refused, so that a reporter may be forgotten after that ([`store::usage::prune`]).
pub const OLDEST_HOURS: u32 = 31 * 24;
/// The hours by which the clock of an Envoy may be ahead.
pub const AHEAD_HOURS: u32 = 24;
/// The most that one entry may claim of anything: 281 TB, or nine years of duration. It takes
/// 32,768 such entries to overflow a column.
const MOST: u64 = 1 << 48;
/// A Node id in the log.
const NODE_ID_CHARS: usize = 256;

/// Why a report is refused as a whole. It would be no better the next time.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ParseError {
    /// A reporter is 16 bytes.
    #[error("a reporter has 16 bytes, not {0}")]
    Reporter(usize),
    /// Reports are numbered from 1 to 2^63 - 1.
    #[error("{0} is not the number of a report")]
    Seq(u64),
}

/// A report, and the sums of its requests.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The report to record.
    pub report: Report,
    /// The Node id of the Envoy, for the log.
    pub node_id: String,
    /// The requests that are recorded.
    pub requests: u64,
    /// The requests of entries that cannot be read.
    pub malformed_requests: u64,
    /// The requests of entries that are too old, or of the future.
    pub untimely_requests: u64,
    /// [`UsageReport::coarsened_requests`].
    pub coarsened_requests: u64,
    /// [`UsageReport::lost_requests`].
    pub lost_requests: u64,
}

/// Reads a report. `now_hour` is the hour since the Unix epoch.
///
/// # Errors
/// If it cannot be told whose report it is, or which one.
pub fn parse(message: UsageReport, now_hour: u32) -> Result<Parsed, ParseError> {
    let reporter = message.reporter.as_slice().try_into();
    let reporter = reporter.map_err(|_| ParseError::Reporter(message.reporter.len()))?;
    let seq = i64::try_from(message.seq)
        .ok()
        .filter(|seq| *seq > 0)
        .ok_or(ParseError::Seq(message.seq))?;
    let mut parsed = Parsed {
        report: Report { reporter, seq, entries: Vec::with_capacity(message.entries.len()) },
        node_id: message.node_id.chars().take(NODE_ID_CHARS).collect(),
        requests: 0,
        malformed_requests: 0,
        untimely_requests: 0,
        coarsened_requests: message.coarsened_requests,
        lost_requests: message.lost_requests,
    };
    let hours = now_hour.saturating_sub(OLDEST_HOURS)..=now_hour.saturating_add(AHEAD_HOURS);
    for entry in &message.entries {
        let (count, of) = match read(entry, &hours) {
            Ok(sums) => {
                parsed.report.entries.push(sums);
                (entry.requests, &mut parsed.requests)
            }
            Err(Unusable::Malformed) => (entry.requests, &mut parsed.malformed_requests),
            Err(Unusable::Untimely) => (entry.requests, &mut parsed.untimely_requests),
        };
        *of = of.saturating_add(count);
    }
    Ok(parsed)
}

enum Unusable {
    Malformed,
    Untimely,
}

fn read(entry: &UsageEntry, hours: &RangeInclusive<u32>) -> Result<(Key, Sums), Unusable> {
    let key = key(entry).ok_or(Unusable::Malformed)?;
    let sums = sums(entry).ok_or(Unusable::Malformed)?;
    if hours.contains(&key.hour) { Ok((key, sums)) } else { Err(Unusable::Untimely) }
}

fn key(entry: &UsageEntry) -> Option<Key> {
    Some(Key {
        tenant: TenantId::from_slice(&entry.tenant_id)?,
        hour: entry.hour,
        site: SiteId::from_slice(&entry.site_id)?,
        consumer: optional::<ConsumerId>(&entry.consumer_id)?,
        key: optional::<KeyId>(&entry.key_id)?,
        route: optional::<RouteId>(&entry.route_id)?,
        status_class: u8::try_from(entry.status_class).ok().filter(|class| *class <= 5)?,
    })
}

/// An id that may be absent; `None` for a text that is no id. The nil UUID is none either: it
/// stands for an absent one in queries.
fn optional<T: From<Uuid>>(bytes: &[u8]) -> Option<Option<T>> {
    if bytes.is_empty() {
        return Some(None);
    }
    let id = Uuid::from_slice(bytes).ok().filter(|id| !id.is_nil())?;
    Some(Some(id.into()))
}

fn sums(entry: &UsageEntry) -> Option<Sums> {
    let bounded = |number: u64| i64::try_from(number).ok().filter(|_| number <= MOST);
    let mut histogram = [0; BUCKETS];
    if entry.histogram.len() > histogram.len() {
        return None;
    }
    for (bucket, count) in histogram.iter_mut().zip(&entry.histogram) {
        *bucket = i64::from(*count);
    }
    Some(Sums {
        requests: bounded(entry.requests)?,
        request_bytes: bounded(entry.request_bytes)?,
        response_bytes: bounded(entry.response_bytes)?,
        duration_us: bounded(entry.duration_us)?,
        histogram,
    })
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
