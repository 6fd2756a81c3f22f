//! The endpoints of an upstream.

use std::collections::HashSet;

use policy::address::AddressRules;
use policy::upstream::{DEFAULT_WEIGHT, MAX_ENDPOINTS, WEIGHT};
use serde::{Deserialize, Serialize};
use store::upstream;
use utoipa::ToSchema;

use crate::forms::check::Check;

/// One address of an upstream.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Endpoint {
    /// An IP address (IPv6 without brackets), or a DNS name. Only addresses of the public internet
    /// are good, and those that the operator allows; a name's other addresses are left out.
    #[schema(min_length = 1, max_length = 253, example = "orders.internal")]
    address: String,
    /// The TCP port.
    #[schema(minimum = 1, maximum = 65535, example = 8080)]
    port: i64,
    /// Its share of the traffic, relative to the others.
    #[serde(default = "default_weight")]
    #[schema(minimum = 1, maximum = 1000, default = 1)]
    weight: i64,
}

fn default_weight() -> i64 {
    DEFAULT_WEIGHT.into()
}

impl From<upstream::Endpoint> for Endpoint {
    fn from(row: upstream::Endpoint) -> Self {
        Self { address: row.address, port: row.port.into(), weight: row.weight.into() }
    }
}

/// Checks a list of endpoints; the returned list is only good if the check finds nothing.
pub(super) fn checked(
    check: &mut Check,
    endpoints: Vec<Endpoint>,
    rules: &AddressRules,
) -> Vec<upstream::Endpoint> {
    if endpoints.len() > MAX_ENDPOINTS {
        check.refuse("endpoints", format!("must have {} items at most", MAX_ENDPOINTS));
        return Vec::new();
    }
    let mut seen = HashSet::new();
    for (index, endpoint) in endpoints.iter().enumerate() {
        check.address(&format!("endpoints[{index}].address"), &endpoint.address, rules);
        check.range(&format!("endpoints[{index}].port"), endpoint.port, &(1..=i64::from(u16::MAX)));
        check.range(&format!("endpoints[{index}].weight"), endpoint.weight, &WEIGHT);
        if !seen.insert((endpoint.address.to_ascii_lowercase(), endpoint.port)) {
            check.refuse(
                format!("endpoints[{index}]"),
                "is in the list already; give it a higher weight instead",
            );
        }
    }
    let fits = |number: i64| u16::try_from(number).unwrap_or(u16::MAX);
    endpoints
        .into_iter()
        .map(|endpoint| upstream::Endpoint {
            address: endpoint.address,
            port: fits(endpoint.port),
            weight: fits(endpoint.weight),
        })
        .collect()
}
