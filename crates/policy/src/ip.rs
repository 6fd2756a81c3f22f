//! IP rules: sets of CIDRs that are built once and asked for every request.
//!
//! An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`, RFC 4291 section 2.5.5.2) is its IPv4 address
//! everywhere here, in rules and in requests: it matches the rules of IPv4, and none of IPv6,
//! `::/0` included.

mod cidr;

use std::net::IpAddr;

pub use cidr::{Cidr, CidrError};

/// The most CIDRs of one list: the product promises to match so many within a microsecond.
/// [`IpSet::decode`] refuses more, so that a list in a VM takes at most 32 bytes times this.
pub const MAX_CIDRS: usize = 10_000;

/// A set of addresses, held as sorted ranges with gaps between them. A lookup is one binary search
/// over the range starts: 14 steps for [`MAX_CIDRS`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IpSet {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

impl IpSet {
    /// The addresses that any of the CIDRs covers.
    pub fn new(cidrs: impl IntoIterator<Item = Cidr>) -> Self {
        let (v4, v6): (Vec<_>, Vec<_>) = cidrs.into_iter().partition(Cidr::is_v4);
        // The numbers of IPv4 CIDRs are below 2^32 (see `Cidr`).
        Self {
            v4: Ranges::merged(&v4, |number| number as u32),
            v6: Ranges::merged(&v6, |number| number),
        }
    }

    /// Returns true if the address is in the set.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => self.v4.contains(address.to_bits()),
            IpAddr::V6(address) => self.v6.contains(address.to_bits()),
        }
    }

    /// True if no address is in the set.
    pub fn is_empty(&self) -> bool {
        self.v4.starts.is_empty() && self.v6.starts.is_empty()
    }

    /// Packs CIDRs for the wire: for each, one byte that tells family and prefix length, then the
    /// bytes of the prefix that are not all host bits. A `/24` takes 4 bytes. The same CIDRs give
    /// the same bytes, in any order and number.
    pub fn encode(cidrs: impl IntoIterator<Item = Cidr>) -> Vec<u8> {
        let mut cidrs: Vec<_> = cidrs.into_iter().collect();
        cidrs.sort_unstable();
        cidrs.dedup();
        let mut packed = Vec::with_capacity(cidrs.len() * 5);
        for cidr in cidrs {
            cidr.pack(&mut packed);
        }
        packed
    }

    /// Reads the bytes of [`IpSet::encode`]. `None` for anything else, and for more than
    /// [`MAX_CIDRS`]: a list that cannot be read must not turn into one that allows more or denies
    /// less.
    pub fn decode(mut packed: &[u8]) -> Option<Self> {
        let mut cidrs = Vec::new();
        while !packed.is_empty() {
            if cidrs.len() == MAX_CIDRS {
                return None;
            }
            let (cidr, rest) = Cidr::unpack(packed)?;
            cidrs.push(cidr);
            packed = rest;
        }
        Some(Self::new(cidrs))
    }
}

impl FromIterator<Cidr> for IpSet {
    fn from_iter<I: IntoIterator<Item = Cidr>>(cidrs: I) -> Self {
        Self::new(cidrs)
    }
}

/// Disjoint ranges: `starts` is sorted, `ends` are the last addresses (inclusive) of the ranges at
/// the same index. Two arrays, so that the search touches starts only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ranges<T> {
    starts: Box<[T]>,
    ends: Box<[T]>,
}

impl<T: Copy + Ord> Ranges<T> {
    fn merged(cidrs: &[Cidr], narrow: impl Fn(u128) -> T) -> Self {
        let mut ranges: Vec<_> = cidrs.iter().map(Cidr::range).collect();
        ranges.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
        for (start, end) in ranges {
            match merged.last_mut() {
                // Overlapping, or adjacent without a gap.
                Some((_, last)) if start <= last.saturating_add(1) => *last = (*last).max(end),
                _ => merged.push((start, end)),
            }
        }
        Self {
            starts: merged.iter().map(|(start, _)| narrow(*start)).collect(),
            ends: merged.iter().map(|(_, end)| narrow(*end)).collect(),
        }
    }

    fn contains(&self, address: T) -> bool {
        let after = self.starts.partition_point(|start| *start <= address);
        after.checked_sub(1).and_then(|at| self.ends.get(at)).is_some_and(|end| address <= *end)
    }
}

/// The client addresses that may call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IpRules {
    /// Addresses that may call; empty: all may.
    pub allow: IpSet,
    /// Addresses that may not, even if `allow` has them.
    pub deny: IpSet,
}

impl IpRules {
    /// Reads pushed rules. `None` if one of the lists is none: see [`IpSet::decode`].
    pub fn decode(rules: &crate::wire::IpRules) -> Option<Self> {
        Some(Self { allow: IpSet::decode(&rules.allow)?, deny: IpSet::decode(&rules.deny)? })
    }

    /// Returns true if the address may call: `deny` wins over `allow`, and an empty `allow` allows
    /// all.
    pub fn permit(&self, address: IpAddr) -> bool {
        !self.deny.contains(address) && (self.allow.is_empty() || self.allow.contains(address))
    }
}

/// Reads a client's address as Envoy writes it: `192.0.2.1`, `2001:db8::1` or `[2001:db8::1]`, the
/// first and the last also with a port (`source.address`). The zone of a link-local address
/// (`fe80::1%eth0`) is left out, IPv4-mapped addresses become IPv4. `None` for any other text.
pub fn parse_client(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let address = match text.strip_prefix('[') {
        Some(bracketed) => {
            let (address, after) = bracketed.split_once(']')?;
            if !after.is_empty() {
                port(after.strip_prefix(':')?)?;
            }
            IpAddr::V6(v6(address)?)
        }
        None => match text.split_once(':') {
            Some((address, after)) if !after.contains(':') => {
                port(after)?;
                IpAddr::V4(address.parse().ok()?)
            }
            Some(_) => IpAddr::V6(v6(text)?),
            None => IpAddr::V4(text.parse().ok()?),
        },
    };
    Some(address.to_canonical())
}

fn v6(text: &str) -> Option<std::net::Ipv6Addr> {
    let (address, zone) = text.split_once('%').unwrap_or((text, "0"));
    if zone.is_empty() { None } else { address.parse().ok() }
}

fn port(text: &str) -> Option<u16> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
#[path = "ip_tests.rs"]
mod tests;
