//! Counts of failed attempts: limits that hold over all replicas of the service.

use std::net::{IpAddr, Ipv6Addr};

use chrono::{DateTime, TimeDelta, Utc};

use crate::base::actor::AccountId;
use crate::base::error::StoreError;
use crate::base::queries::prunes;
use crate::base::tx::PlatformTx;

/// A count, and its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The kind of attempt, such as `source`: `[a-z_]{1,40}`.
    pub kind: &'static str,
    /// SHA-256 of the party that tries.
    pub subject: [u8; 32],
    /// The most failures in a window; `None` if they are only counted.
    pub limit: Option<i32>,
}

/// The answer to an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Allowed, and counted as a failure until [`forgive`]: a hundred attempts at once are a
    /// hundred. Holds the failures of each count, this one included.
    Taken(Vec<i32>),
    /// Refused until the given time, and not counted.
    Refused {
        /// The end of the window.
        until: DateTime<Utc>,
    },
}

/// Counts an attempt. The window of each count begins with its first failure.
///
/// Give the counts in the same order everywhere: attempts of the same counts wait for each other.
/// Commit an allowed attempt; drop a refused one.
pub async fn take(
    tx: &mut PlatformTx,
    counts: &[Count],
    window: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Attempt, StoreError> {
    let mut failures = Vec::with_capacity(counts.len());
    for count in counts {
        let row = sqlx::query!(
            "INSERT INTO login_failures AS f (kind, subject, window_start, failures)
             VALUES ($1, $2, $3, 1)
             ON CONFLICT (kind, subject) DO UPDATE SET
                 failures = CASE WHEN f.window_start <= $4 THEN 1
                     ELSE least(f.failures, 1000000) + 1 END,
                 window_start = CASE WHEN f.window_start <= $4 THEN $3 ELSE f.window_start END
             RETURNING failures, window_start",
            count.kind,
            &count.subject[..],
            now,
            now - window
        )
        .fetch_one(tx.conn())
        .await?;
        if count.limit.is_some_and(|limit| row.failures > limit) {
            return Ok(Attempt::Refused { until: row.window_start + window });
        }
        failures.push(row.failures);
    }
    Ok(Attempt::Taken(failures))
}

/// Takes back an attempt that has succeeded.
pub async fn forgive(tx: &mut PlatformTx, counts: &[Count]) -> Result<(), StoreError> {
    for count in counts {
        sqlx::query!(
            "UPDATE login_failures SET failures = greatest(failures - 1, 0)
             WHERE kind = $1 AND subject = $2",
            count.kind,
            &count.subject[..]
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

prunes! {
    /// Removes `most` of the counts at the most whose window began before a time.
    prune: "login_failures" by "kind, subject" where "window_start < $1";
}

/// Returns the network that counts as one source: an IPv4 address, or the /64 of an IPv6 address,
/// which one customer of a provider has.
pub fn network_of(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// Returns true if a login to the account from this source has succeeded after a time.
pub async fn is_known(
    tx: &mut PlatformTx,
    account: AccountId,
    source: IpAddr,
    after: DateTime<Utc>,
) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM login_sources
               WHERE account_id = $1 AND source = $2::text::inet AND last_good_at > $3
           ) AS "known!""#,
        account.0,
        network_of(source).to_string(),
        after
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Notes a login to the account from this source.
pub async fn note_good(
    tx: &mut PlatformTx,
    account: AccountId,
    source: IpAddr,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO login_sources (account_id, source, last_good_at)
         VALUES ($1, $2::text::inet, $3)
         ON CONFLICT (account_id, source) DO UPDATE SET last_good_at = excluded.last_good_at",
        account.0,
        network_of(source).to_string(),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

prunes! {
    /// Removes `most` of the sources at the most whose last login was before a time.
    prune_sources: "login_sources" by "account_id, source" where "last_good_at < $1";
}
