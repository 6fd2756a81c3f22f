//! One CIDR: its text and its packed form.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

/// Why a text is no CIDR. Every variant names the text, because it is one of many in a list.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CidrError {
    /// The text before the slash is no IP address.
    #[error("`{cidr}` does not begin with an IPv4 or IPv6 address")]
    Address {
        /// The text.
        cidr: String,
    },
    /// The text after the slash is no prefix length.
    #[error("the prefix length of `{cidr}` is a number from 0 to {max}")]
    Length {
        /// The text.
        cidr: String,
        /// 32 for IPv4, 128 for IPv6.
        max: u8,
    },
    /// The address has bits outside of the prefix, so that a slip may be hidden in it.
    #[error("`{cidr}` has bits set outside of its prefix; the network is `{network}`")]
    HostBits {
        /// The text.
        cidr: String,
        /// The CIDR that it would be without those bits.
        network: Cidr,
    },
}

/// A range of addresses: those that begin with a prefix of so many bits. Its text is `192.0.2.0/24`
/// or `2001:db8::/32`; an address alone is the range of itself.
///
/// A CIDR of IPv4-mapped IPv6 addresses (`::ffff:192.0.2.0/120`) is read as the IPv4 CIDR that it
/// stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    family: Family,
    /// The first address as a number; below 2^32 for IPv4.
    first: u128,
    /// At most [`Family::bits`].
    length: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Family {
    V4,
    V6,
}

/// The number that is added to the length byte of an IPv6 CIDR in packed form; lengths of IPv4 end
/// at 32, so both fit a byte.
const PACKED_V6: u8 = 64;
/// The length of the prefix that all IPv4-mapped addresses share.
const MAPPED_LENGTH: u8 = 96;

impl Family {
    fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    /// The bits of an address that a prefix of this length leaves open.
    fn host_mask(self, length: u8) -> u128 {
        let open = u32::from(self.bits().saturating_sub(length));
        u128::MAX.checked_shr(128 - open).unwrap_or(0)
    }
}

impl Cidr {
    /// True for IPv4.
    pub fn is_v4(&self) -> bool {
        self.family == Family::V4
    }

    /// The first address.
    pub fn first(&self) -> IpAddr {
        match self.family {
            Family::V4 => IpAddr::V4(Ipv4Addr::from_bits(self.first as u32)),
            Family::V6 => IpAddr::V6(Ipv6Addr::from_bits(self.first)),
        }
    }

    /// The number of bits that the addresses have in common.
    pub fn length(&self) -> u8 {
        self.length
    }

    /// The first and the last address as numbers.
    pub(super) fn range(&self) -> (u128, u128) {
        (self.first, self.first | self.family.host_mask(self.length))
    }

    pub(super) fn pack(&self, packed: &mut Vec<u8>) {
        let bytes = usize::from(self.length.div_ceil(8));
        match self.family {
            Family::V4 => {
                packed.push(self.length);
                packed.extend((self.first as u32).to_be_bytes().iter().take(bytes));
            }
            Family::V6 => {
                packed.push(self.length + PACKED_V6);
                packed.extend(self.first.to_be_bytes().iter().take(bytes));
            }
        }
    }

    /// Reads one packed CIDR, and returns the bytes behind it.
    pub(super) fn unpack(packed: &[u8]) -> Option<(Self, &[u8])> {
        let (tag, rest) = packed.split_first()?;
        let (family, length) = match tag.checked_sub(PACKED_V6) {
            Some(length) => (Family::V6, length),
            None => (Family::V4, *tag),
        };
        if length > family.bits() {
            return None;
        }
        let (prefix, rest) = rest.split_at_checked(usize::from(length.div_ceil(8)))?;
        let unused = usize::from(family.bits() / 8).checked_sub(prefix.len())?;
        let mut first = 0;
        for byte in prefix.iter().chain(std::iter::repeat_n(&0, unused)) {
            first = (first << 8) | u128::from(*byte);
        }
        let mapped = family == Family::V6 && Ipv6Addr::from_bits(first).to_ipv4_mapped().is_some();
        // The form is canonical: there is one for each CIDR.
        if first & family.host_mask(length) != 0 || (mapped && length >= MAPPED_LENGTH) {
            return None;
        }
        Some((Self { family, first, length }, rest))
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr =
            address.parse().map_err(|_| CidrError::Address { cidr: text.to_owned() })?;
        let (family, first) = match address {
            IpAddr::V4(address) => (Family::V4, u128::from(address.to_bits())),
            IpAddr::V6(address) => (Family::V6, address.to_bits()),
        };
        let length = match length {
            Some(length) => number(length)
                .filter(|length| *length <= family.bits())
                .ok_or_else(|| CidrError::Length { cidr: text.to_owned(), max: family.bits() })?,
            None => family.bits(),
        };
        let network = Self { family, first: first & !family.host_mask(length), length }.unmapped();
        if first & family.host_mask(length) != 0 {
            return Err(CidrError::HostBits { cidr: text.to_owned(), network });
        }
        Ok(network)
    }
}

impl Cidr {
    fn unmapped(self) -> Self {
        match (self.first(), self.length.checked_sub(MAPPED_LENGTH)) {
            (IpAddr::V6(first), Some(length)) => match first.to_ipv4_mapped() {
                Some(first) => {
                    Self { family: Family::V4, first: u128::from(first.to_bits()), length }
                }
                None => self,
            },
            _ => self,
        }
    }
}

/// A decimal number without sign or leading zero.
fn number(text: &str) -> Option<u8> {
    let plain =
        text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
    if plain { text.parse().ok() } else { None }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first(), self.length)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
