//! The addresses of upstreams that xds-server has resolved, kept for its next start. Names are kept
//! as digests only.

use std::net::IpAddr;

use crate::base::error::StoreError;
use crate::base::reader::Reader;

/// The age, in seconds, at which [`prune`] removes a row: another replica may know of a name that
/// this one has not heard of yet.
const PRUNE_AGE_S: f64 = 2.0 * 86_400.0;

/// Reads the addresses of all names, by the SHA-256 of the name.
pub async fn all(reader: &Reader) -> Result<Vec<([u8; 32], Vec<IpAddr>)>, StoreError> {
    let rows = sqlx::query!("SELECT name_digest, addresses FROM dns_cache")
        .fetch_all(&reader.pool)
        .await?;
    let cached = rows.into_iter().filter_map(|row| {
        // A CHECK of the table rules out any other length.
        let digest = row.name_digest.try_into().ok()?;
        Some((digest, row.addresses.iter().filter_map(|address| address.parse().ok()).collect()))
    });
    Ok(cached.collect())
}

/// Keeps the addresses of a name.
pub async fn put(
    reader: &Reader,
    name_digest: &[u8; 32],
    addresses: &[IpAddr],
) -> Result<(), StoreError> {
    let addresses: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    sqlx::query!(
        "INSERT INTO dns_cache (name_digest, addresses, read_at) VALUES ($1, $2, clock_timestamp())
         ON CONFLICT (name_digest) DO UPDATE
         SET addresses = EXCLUDED.addresses, read_at = EXCLUDED.read_at",
        name_digest,
        &addresses
    )
    .execute(&reader.pool)
    .await?;
    Ok(())
}

/// Removes a name.
pub async fn remove(reader: &Reader, name_digest: &[u8; 32]) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM dns_cache WHERE name_digest = $1", name_digest)
        .execute(&reader.pool)
        .await?;
    Ok(())
}

/// Removes all other names than these that are two days old. Returns their number.
pub async fn prune(reader: &Reader, used: &[[u8; 32]]) -> Result<u64, StoreError> {
    let used: Vec<Vec<u8>> = used.iter().map(|digest| digest.to_vec()).collect();
    let pruned = sqlx::query!(
        "DELETE FROM dns_cache c
         WHERE read_at < clock_timestamp() - make_interval(secs => $2)
           AND NOT EXISTS (
               SELECT FROM unnest($1::bytea[]) AS used (digest) WHERE used.digest = c.name_digest
           )",
        &used,
        PRUNE_AGE_S
    )
    .execute(&reader.pool)
    .await?;
    Ok(pruned.rows_affected())
}
