//! The addresses that the platform connects to because a tenant says so.
//!
//! An address of a tenant must not make the platform speak to its own surroundings: itself, its
//! database, the metadata service of a cloud (server-side request forgery). So only addresses of
//! the public internet are good (IANA's registries of special-purpose addresses, RFC 6890), and the
//! ones that an operator allows beside them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;

use crate::ip::{Cidr, IpSet};

/// The IPv4 networks that are not the public internet, each with the length of its prefix and what
/// it is for.
const SPECIAL_V4: [(Ipv4Addr, u32, &str); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "of this host"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared by carriers"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    // Clouds have their metadata services here.
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "for protocols"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "for documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "for relays"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "for benchmarks"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "for documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "for documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    // Broadcast included.
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// The IPv6 network of global unicast.
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// The networks in it that are not the public internet; Teredo and 6to4 carry IPv4 addresses of
/// their own.
const SPECIAL_V6: [(Ipv6Addr, u32, &str); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "for protocols"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "for documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "for relays"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "for documentation"),
];
/// The networks outside of it that have a name; the rest is reserved.
const OUTSIDE_V6: [(Ipv6Addr, u32, &str); 5] = [
    (Ipv6Addr::UNSPECIFIED, 128, "of this host"),
    (Ipv6Addr::LOCALHOST, 128, "loopback"),
    // One cloud has its metadata service here too: fd00:ec2::254.
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "private"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "link-local"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "multicast"),
];
/// The network in which a translator (NAT64, RFC 6052) shows IPv4 addresses, in the last 32 bits.
const TRANSLATED: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Why the platform does not connect to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AddressRefusal {
    /// It is not of the public internet, and the operator does not allow it.
    #[error("{address} is not an address of the public internet: it is {kind}")]
    Special {
        /// The address.
        address: IpAddr,
        /// The purpose of its network, such as `loopback`.
        kind: &'static str,
    },
    /// The operator has excluded it.
    #[error("{address} is in a range that the operator of the platform has excluded")]
    Excluded {
        /// The address.
        address: IpAddr,
    },
}

/// The rules about the addresses of upstreams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressRules {
    allow: IpSet,
    deny: IpSet,
}

impl AddressRules {
    /// Rules under which these ranges are good beside the public internet, and those are not, even
    /// if other rules allow it.
    pub fn new(
        allow: impl IntoIterator<Item = Cidr>,
        deny: impl IntoIterator<Item = Cidr>,
    ) -> Self {
        Self { allow: IpSet::new(allow), deny: IpSet::new(deny) }
    }

    /// Checks that upstreams may have an address. An address that carries an IPv4 address, mapped
    /// or translated, is as good as that one.
    ///
    /// # Errors
    /// [`AddressRefusal`] if they may not have it; the text says why.
    pub fn check(&self, address: IpAddr) -> Result<(), AddressRefusal> {
        let inner = carried(address);
        if self.deny.contains(address) || self.deny.contains(inner) {
            return Err(AddressRefusal::Excluded { address });
        }
        match special(inner) {
            Some(kind) if !self.allow.contains(inner) => {
                Err(AddressRefusal::Special { address, kind })
            }
            _ => Ok(()),
        }
    }

    /// Returns true if upstreams may have an address: [`Self::check`] without the reason.
    pub fn permit(&self, address: IpAddr) -> bool {
        self.check(address).is_ok()
    }
}

/// Returns true for an address of the public internet.
pub fn is_public(address: IpAddr) -> bool {
    special(carried(address)).is_none()
}

/// The IPv4 address that an IPv6 address stands for, if it does; else the address itself.
fn carried(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if in_v6(address, TRANSLATED.0, TRANSLATED.1) => {
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() as u32))
        }
        other => other,
    }
}

/// Returns the purpose of an address's network; `None` for the public internet.
fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => named(SPECIAL_V4, |network, len| in_v4(address, network, len)),
        IpAddr::V6(address) if in_v6(address, GLOBAL_V6.0, GLOBAL_V6.1) => {
            named(SPECIAL_V6, |network, len| in_v6(address, network, len))
        }
        IpAddr::V6(address) => Some(
            named(OUTSIDE_V6, |network, len| in_v6(address, network, len)).unwrap_or("reserved"),
        ),
    }
}

fn named<A, const N: usize>(
    networks: [(A, u32, &'static str); N],
    holds: impl Fn(A, u32) -> bool,
) -> Option<&'static str> {
    networks.into_iter().find_map(|(network, len, kind)| holds(network, len).then_some(kind))
}

fn in_v4(address: Ipv4Addr, network: Ipv4Addr, len: u32) -> bool {
    (address.to_bits() ^ network.to_bits()).checked_shr(32 - len).unwrap_or(0) == 0
}

fn in_v6(address: Ipv6Addr, network: Ipv6Addr, len: u32) -> bool {
    (address.to_bits() ^ network.to_bits()).checked_shr(128 - len).unwrap_or(0) == 0
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
