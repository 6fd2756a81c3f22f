//! Rate limits of the API itself: how many requests one caller, and one address, may make. In
//! memory, each replica for itself, so that a refusal costs nothing but a look into a table of
//! bounded size.

mod buckets;
mod client;

use std::net::{IpAddr, Ipv6Addr};

use axum::http::HeaderMap;
use policy::ip::{Cidr, IpSet};
use tokio::time::Instant;
use uuid::Uuid;

pub use buckets::{Limiter, Rate, Refused};

/// The paths that are limited: the operations. Probes and metrics come often, from one address, and
/// cost nothing.
const LIMITED: &str = "/v1/";
/// The paths at which people and machines prove their identity: guesses are worth something there,
/// and checking a password costs a lot.
const AUTH: &str = "/v1/auth/";
/// The seconds in which a whole burst of requests is given back.
const BURST_SECONDS: u32 = 5;

/// The limits; 0 is no limit.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    /// Requests a second by one operator, account or service token, and five times as many at once.
    pub per_principal: u32,
    /// Requests a second from one address, and five times as many at once.
    pub per_address: u32,
    /// Requests a minute to paths under `/v1/auth/`, from one address, and as many at once.
    pub auth_per_address: u32,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Cidr>,
}

/// The limits, and their use.
#[derive(Debug)]
pub struct RateLimits {
    principal: Option<Limiter<Uuid>>,
    address: Option<Limiter<IpAddr>>,
    auth: Option<Limiter<IpAddr>>,
    proxies: IpSet,
    start: Instant,
}

impl RateLimits {
    /// Limits of which nothing is used yet.
    pub fn new(allowed: Allowed) -> Self {
        let Allowed { per_principal, per_address, auth_per_address, trusted_proxies } = allowed;
        let by_the_second =
            |requests: u32| Rate::new(requests.saturating_mul(BURST_SECONDS), BURST_SECONDS);
        Self {
            principal: by_the_second(per_principal).map(|rate| Limiter::new("principal", rate)),
            address: by_the_second(per_address).map(|rate| Limiter::new("address", rate)),
            auth: Rate::new(auth_per_address, 60).map(|rate| Limiter::new("auth", rate)),
            proxies: trusted_proxies.into_iter().collect(),
            start: Instant::now(),
        }
    }

    /// The address of the client of a request that came from this peer.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        client::address(peer, headers, &self.proxies)
    }

    /// Takes a request of each limit that its address meets. Only operations have limits.
    pub fn admit_address(&self, path: &str, address: IpAddr) -> Result<(), Refused> {
        if !path.starts_with(LIMITED) {
            return Ok(());
        }
        let (now, network) = (self.start.elapsed(), network(address));
        if path.starts_with(AUTH) {
            self.auth.as_ref().map_or(Ok(()), |limiter| limiter.take(network, now))?;
        }
        self.address.as_ref().map_or(Ok(()), |limiter| limiter.take(network, now))
    }

    /// Takes one request of a principal's limit.
    pub fn admit_principal(&self, principal: Uuid) -> Result<(), Refused> {
        self.principal
            .as_ref()
            .map_or(Ok(()), |limiter| limiter.take(principal, self.start.elapsed()))
    }
}

/// The network that counts as one address: of IPv6 the network of 64 bits, of which a single host
/// can have all addresses.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        for (text, expected) in [
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
        ] {
            assert_eq!(network(address(text)), address(expected));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn logins_have_a_limit_of_their_own_that_leaves_the_rest_alone() {
        let allowed = Allowed { per_address: 10, auth_per_address: 3, ..Allowed::default() };
        let limits = RateLimits::new(allowed);
        let (one, other) = (address("192.0.2.1"), address("192.0.2.2"));
        for _ in 0..3 {
            assert_eq!(limits.admit_address("/v1/auth/login", one), Ok(()));
        }
        let refused = limits.admit_address("/v1/auth/login", one).unwrap_err();
        assert_eq!(
            (refused.limit, refused.retry_after_s, refused.burst, refused.window_s),
            ("auth", 20, 3, 60)
        );
        assert_eq!(limits.admit_address("/v1/auth/login", other), Ok(()));
        for _ in 0..47 {
            assert_eq!(limits.admit_address("/v1/tenants", one), Ok(()));
        }
        assert_eq!(limits.admit_address("/v1/tenants", one).unwrap_err().limit, "address");
        tokio::time::advance(std::time::Duration::from_secs(20)).await;
        assert_eq!(limits.admit_address("/v1/auth/login", one), Ok(()));
        assert_eq!(limits.admit_address("/v1/auth/login", one).unwrap_err().limit, "auth");
    }

    #[tokio::test]
    async fn zero_is_no_limit() {
        let limits = RateLimits::new(Allowed::default());
        for _ in 0..10_000 {
            assert_eq!(limits.admit_address("/v1/auth/login", address("::1")), Ok(()));
            assert_eq!(limits.admit_principal(Uuid::nil()), Ok(()));
        }
    }
}
