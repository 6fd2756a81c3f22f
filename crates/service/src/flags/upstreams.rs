//! The addresses that upstreams may have.

use clap::Args;
use policy::address::AddressRules;
use policy::ip::Cidr;

/// The addresses that upstreams may have: those of the public internet, unless these flags say
/// otherwise. Both programs need the same.
#[derive(Clone, Debug, Args)]
pub struct Upstreams {
    /// A range of addresses that upstreams may have beside the public internet, such as
    /// 10.20.0.0/16; repeat it, or use commas. Every tenant can reach all of it through the
    /// gateway.
    #[arg(long, env = "TENANTRY_UPSTREAM_ALLOW", value_delimiter = ',')]
    pub upstream_allow: Vec<Cidr>,
    /// A range of addresses that no upstream may have, whatever the other flags say: the platform's
    /// own addresses in the public internet or in an allowed range; repeat it, or use commas.
    #[arg(long, env = "TENANTRY_UPSTREAM_DENY", value_delimiter = ',')]
    pub upstream_deny: Vec<Cidr>,
}

impl Upstreams {
    /// Returns the rules that the flags amount to.
    pub fn rules(&self) -> AddressRules {
        AddressRules::new(self.upstream_allow.iter().copied(), self.upstream_deny.iter().copied())
    }
}
