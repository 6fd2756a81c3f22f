//! One resolution of a name, and the addresses that are taken from it.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use futures::future::BoxFuture;
use policy::address::{AddressRefusal, AddressRules};

/// The most addresses of one name. The largest services answer with 8 or so; an upstream's 64
/// endpoints stay within a thousand.
pub const MAX_ADDRESSES: usize = 16;

/// Resolves names: the system's resolver, or a test's.
pub trait Resolve: Send + Sync + 'static {
    /// All addresses of a name, of both families.
    fn resolve(&self, name: Arc<str>) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The resolver of the system, with its `/etc/hosts` and all its other settings. It has timeouts of
/// its own; a resolution takes a thread until it ends, so nothing here gives one up before.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Arc<str>) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((&*name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// The addresses of a name, as far as they are permitted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermittedAddresses {
    /// Its permitted addresses, in order: those of IPv4, or if there are none those of IPv6;
    /// [`MAX_ADDRESSES`] at the most.
    pub addresses: Vec<IpAddr>,
    /// Why one of its addresses is not permitted.
    pub refusal: Option<AddressRefusal>,
}

impl PermittedAddresses {
    /// Takes the permitted ones of all addresses of a name.
    pub fn of(found: impl IntoIterator<Item = IpAddr>, rules: &AddressRules) -> Self {
        let mut answer = Self::default();
        for address in found {
            match rules.check(address) {
                Ok(()) => answer.addresses.push(address),
                Err(refusal) => answer.refusal = answer.refusal.or(Some(refusal)),
            }
        }
        answer.addresses.sort_unstable();
        answer.addresses.dedup();
        // Many gateways have no way to the internet of IPv6, and every serious upstream has an
        // address of IPv4.
        if answer.addresses.iter().any(IpAddr::is_ipv4) {
            answer.addresses.retain(IpAddr::is_ipv4);
        }
        answer.addresses.truncate(MAX_ADDRESSES);
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(found: &[&str], allow: &str) -> PermittedAddresses {
        let rules = AddressRules::new([allow.parse().unwrap()], []);
        PermittedAddresses::of(found.iter().map(|text| text.parse().unwrap()), &rules)
    }

    #[test]
    fn only_permitted_addresses_are_taken() {
        let taken = answer(
            &["8.8.8.8", "169.254.169.254", "10.1.1.1", "8.8.8.8", "1.1.1.1"],
            "10.1.0.0/16",
        );
        assert_eq!(
            taken.addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>(),
            ["1.1.1.1", "8.8.8.8", "10.1.1.1"]
        );
        assert!(taken.refusal.unwrap().to_string().contains("169.254.169.254"));
    }

    #[test]
    fn addresses_of_ipv6_are_taken_if_there_are_none_of_ipv4() {
        assert_eq!(answer(&["2a00::1", "8.8.8.8"], "10.0.0.0/8").addresses.len(), 1);
        assert_eq!(
            answer(&["2a00::1", "127.0.0.1"], "10.0.0.0/8").addresses,
            ["2a00::1".parse::<IpAddr>().unwrap()]
        );
    }

    #[test]
    fn the_addresses_of_a_name_are_bounded() {
        let many: Vec<_> = (0..100).map(|number| format!("8.8.8.{number}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert_eq!(answer(&many, "10.0.0.0/8").addresses.len(), MAX_ADDRESSES);
    }
}
