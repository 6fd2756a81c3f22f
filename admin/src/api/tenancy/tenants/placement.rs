//! The placement of a tenant: its cells, and its own listeners there.

use std::collections::BTreeSet;
use std::net::IpAddr;

use policy::cell::CellName;
use policy::desired::TenantListener;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::forms::check::Check;
use crate::http::body::present;

/// A port of a tenant's own.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Listener {
    /// The TCP port, one that no other tenant has.
    #[schema(value_type = i32, minimum = 1, maximum = 65535, example = 20443)]
    port: i64,
    /// The IP address to listen on; null, or absent, for the one of the gateways' shared listener.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, example = "10.1.2.3")]
    address: Option<Option<String>>,
}

impl From<TenantListener> for Listener {
    fn from(listener: TenantListener) -> Self {
        let address = listener.address.map(|address| address.to_string());
        Self { port: listener.port.into(), address: Some(address) }
    }
}

/// Reads the names of cells; that they exist is the database's to say.
pub(super) fn cells(check: &mut Check, names: &[String]) -> BTreeSet<CellName> {
    let mut cells = BTreeSet::new();
    for (index, name) in names.iter().enumerate() {
        let field = format!("cells[{index}]");
        let Some(cell) = check.take(&field, name.parse::<CellName>()) else { continue };
        if !cells.insert(cell) {
            check.refuse(field, "is given twice");
        }
    }
    cells
}

/// Reads listeners; the database checks that no other tenant has their ports.
pub(super) fn listeners(check: &mut Check, given: &[Listener]) -> Vec<TenantListener> {
    let mut ports = BTreeSet::new();
    let mut listeners = Vec::with_capacity(given.len());
    for (index, listener) in given.iter().enumerate() {
        let field = format!("listeners[{index}].port");
        check.range(&field, listener.port, &(1..=65_535));
        if !ports.insert(listener.port) {
            check.refuse(field, "is given twice");
        }
        let address = listener.address.as_ref().and_then(Option::as_ref).and_then(|address| {
            let parsed = address.parse::<IpAddr>().map_err(|_| "must be an IP address");
            check.take(&format!("listeners[{index}].address"), parsed)
        });
        listeners.push(TenantListener {
            port: u16::try_from(listener.port).unwrap_or_default(),
            address,
        });
    }
    listeners
}
