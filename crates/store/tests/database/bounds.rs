//! The database's checks of numbers against the bounds in `policy`, which are the ones that hold: a
//! check may be wider, and must not be narrower.

use std::ops::RangeInclusive;

use policy::host::MAX_NAME_LEN;
use policy::settings::{MAX_JWKS_BYTES, MAX_QUOTA, MAX_RATE};
use policy::upstream::{CONNECT_TIMEOUT_MS, MAX_ENDPOINTS, REQUEST_TIMEOUT_MS, WEIGHT};

use crate::fixture::{Database, with_database};

/// The numbers that a CHECK constraint lets a column have. PostgreSQL shows `BETWEEN` as two
/// comparisons: `((weight >= 1) AND (weight <= 1000))`.
async fn checked(database: &Database, constraint: &str, column: &str) -> RangeInclusive<u64> {
    let definition: String = sqlx::query_scalar(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = $1",
    )
    .bind(constraint)
    .fetch_one(&database.superuser)
    .await
    .unwrap_or_else(|error| panic!("the constraint {constraint}: {error}"));
    // PostgreSQL 15 quotes `position`, a word of SQL.
    let definition = definition.replace('"', "");
    let bound = |comparison: &str| {
        let (_, rest) = definition.split_once(&format!("{column} {comparison} "))?;
        let number: String =
            rest.trim_start_matches(['(', '\'']).chars().take_while(char::is_ascii_digit).collect();
        number.parse().ok()
    };
    let most = bound("<=").unwrap_or_else(|| panic!("{constraint} bounds {column}: {definition}"));
    bound(">=").unwrap_or(0)..=most
}

#[tokio::test]
async fn no_check_is_narrower_than_the_bounds_of_policy() {
    fn wide<T: Copy + Into<u64>>(range: &RangeInclusive<T>) -> RangeInclusive<u64> {
        (*range.start()).into()..=(*range.end()).into()
    }
    let connect = ("upstreams_connect_timeout_ms_check", "connect_timeout_ms");
    let request = ("upstreams_request_timeout_ms_check", "request_timeout_ms");
    let requests = "platform_plans_requests_check";
    let bounds = [
        (connect, wide(&CONNECT_TIMEOUT_MS)),
        (request, wide(&REQUEST_TIMEOUT_MS)),
        (("upstream_endpoints_weight_check", "weight"), wide(&WEIGHT)),
        (("upstream_endpoints_position_check", "position"), 1..=MAX_ENDPOINTS as u64),
        (("upstream_endpoints_address_check", "octet_length(address)"), 1..=MAX_NAME_LEN as u64),
        (("hostnames_name_check", "octet_length(name)"), 1..=MAX_NAME_LEN as u64),
        (("jwks_cache_jwks_check", "octet_length(jwks)"), 1..=MAX_JWKS_BYTES as u64),
        ((requests, "requests_per_second"), 1..=MAX_RATE.into()),
        ((requests, "requests_per_month"), 1..=MAX_QUOTA),
    ];
    with_database(async |database| {
        for ((constraint, column), policy) in bounds {
            let checked = checked(database, constraint, column).await;
            assert!(
                checked.contains(policy.start()) && checked.contains(policy.end()),
                "{constraint} allows {column} {checked:?}, and policy {policy:?}"
            );
        }
    })
    .await;
}
