//! The JWK Sets that xds-server has read, kept for its next start. URLs are kept as digests only.

use std::time::Duration;

use crate::base::error::StoreError;
use crate::base::reader::Reader;

/// The age, in seconds, at which [`prune`] removes a row: a set in use is read again within a day,
/// and another replica may know of a URL that this one has not heard of yet.
const PRUNE_AGE_S: f64 = 2.0 * 86_400.0;

/// A set as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedJwks {
    /// The SHA-256 of the URL that it was read from.
    pub url_digest: [u8; 32],
    /// The JWK Set, in JSON.
    pub jwks: String,
    /// The time since it was read, by PostgreSQL's clock.
    pub age: Duration,
    /// The time for which it was good then.
    pub lifetime: Duration,
}

/// Reads all sets.
pub async fn all(reader: &Reader) -> Result<Vec<CachedJwks>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT url_digest, jwks, lifetime_s,
                  greatest(extract(epoch FROM clock_timestamp() - read_at), 0)::float8 AS "age_s!"
           FROM jwks_cache"#
    )
    .fetch_all(&reader.pool)
    .await?;
    let cached = rows.into_iter().filter_map(|row| {
        Some(CachedJwks {
            // A CHECK of the table rules out any other length.
            url_digest: row.url_digest.try_into().ok()?,
            jwks: row.jwks,
            age: Duration::try_from_secs_f64(row.age_s).unwrap_or(Duration::MAX),
            lifetime: Duration::from_secs(row.lifetime_s.unsigned_abs().into()),
        })
    });
    Ok(cached.collect())
}

/// Keeps a set that was read `age` ago, unless there is a newer one.
pub async fn put(
    reader: &Reader,
    url_digest: &[u8; 32],
    jwks: &str,
    age: Duration,
    lifetime: Duration,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO jwks_cache (url_digest, jwks, read_at, lifetime_s)
         VALUES ($1, $2, clock_timestamp() - make_interval(secs => $3), $4)
         ON CONFLICT (url_digest) DO UPDATE
             SET jwks = EXCLUDED.jwks, read_at = EXCLUDED.read_at, lifetime_s = EXCLUDED.lifetime_s
             WHERE jwks_cache.read_at <= EXCLUDED.read_at",
        url_digest,
        jwks,
        age.as_secs_f64(),
        i32::try_from(lifetime.as_secs()).unwrap_or(i32::MAX)
    )
    .execute(&reader.pool)
    .await?;
    Ok(())
}

/// Removes a set.
pub async fn remove(reader: &Reader, url_digest: &[u8; 32]) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM jwks_cache WHERE url_digest = $1", url_digest)
        .execute(&reader.pool)
        .await?;
    Ok(())
}

/// Removes the sets of all other URLs than these that are two days old. Returns their number.
pub async fn prune(reader: &Reader, used: &[[u8; 32]]) -> Result<u64, StoreError> {
    let used: Vec<Vec<u8>> = used.iter().map(|digest| digest.to_vec()).collect();
    let pruned = sqlx::query!(
        "DELETE FROM jwks_cache c
         WHERE read_at < clock_timestamp() - make_interval(secs => $2)
           AND NOT EXISTS (
               SELECT FROM unnest($1::bytea[]) AS used (digest) WHERE used.digest = c.url_digest
           )",
        &used,
        PRUNE_AGE_S
    )
    .execute(&reader.pool)
    .await?;
    Ok(pruned.rows_affected())
}
