//! The client addresses that are let in.

use serde::{Deserialize, Serialize};

use super::Faults;
use crate::ip::MAX_CIDRS;

/// Lists of address ranges. Addresses that `deny` names are refused; if `allow` names any, all
/// others are refused too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct IpSettings {
    /// IPv4 or IPv6 ranges in CIDR notation (RFC 4632), or single addresses. Empty: every address.
    #[cfg_attr(
        feature = "openapi",
        schema(example = json!(["192.0.2.0/24", "2001:db8::/32"]), max_items = 10000)
    )]
    pub allow: Vec<String>,
    /// As `allow`; it wins.
    #[cfg_attr(feature = "openapi", schema(max_items = 10000))]
    pub deny: Vec<String>,
}

impl IpSettings {
    /// True if every address is let in.
    pub fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }

    pub(super) fn check(&self, faults: &mut Faults) {
        for (field, list) in [("allow", &self.allow), ("deny", &self.deny)] {
            faults.each(field, list, MAX_CIDRS, |faults, cidr| {
                if let Err(error) = cidr.parse::<crate::ip::Cidr>() {
                    faults.add(error.to_string());
                }
            });
        }
    }
}
