//! The bounds of an upstream, and its defaults. The database holds the same bounds or wider ones
//! (`migrations/0003_apis.sql`); a test of the store compares them.

use std::ops::RangeInclusive;

/// The time to connect to an endpoint, in milliseconds: from 10, below which a healthy peer in
/// another zone is missed, to a minute, after which a peer is dead.
pub const CONNECT_TIMEOUT_MS: RangeInclusive<u32> = 10..=60_000;
/// The time to connect, in milliseconds, unless the upstream says otherwise: Envoy's own default.
pub const DEFAULT_CONNECT_TIMEOUT_MS: u32 = 5_000;

/// The time for a whole request, its answer included, in milliseconds: up to ten minutes, for
/// exports and the like.
pub const REQUEST_TIMEOUT_MS: RangeInclusive<u32> = 10..=600_000;
/// The time for a whole request, in milliseconds, unless the upstream says otherwise: Envoy's own
/// default.
pub const DEFAULT_REQUEST_TIMEOUT_MS: u32 = 15_000;

/// The share of an endpoint, relative to the others of its upstream: one in a thousand is fine
/// enough, and Envoy adds the weights up in 32 bits.
pub const WEIGHT: RangeInclusive<u16> = 1..=1_000;
/// The share of an endpoint unless it says otherwise.
pub const DEFAULT_WEIGHT: u16 = 1;

/// The most endpoints of an upstream: more belong behind a name or a balancer of their own. None at
/// all is allowed, and answers every request with 503.
pub const MAX_ENDPOINTS: usize = 64;
