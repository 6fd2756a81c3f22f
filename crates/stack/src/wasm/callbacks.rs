//! The callbacks of the proxy-wasm ABI (version 0.2.1), and which of them Envoy is to find.
//!
//! Envoy calls every callback that a module exports, for every request, whether it does anything or
//! not: each takes 1.1 to 1.4 us. The SDK exports all of them, for its own dispatcher. The filter
//! has callbacks of its own instead, by the same names behind [`OWN`], because no two functions of
//! a module can share a name.

use anyhow::{Context, Result, ensure};
use walrus::Module;

/// The prefix of the filter's own callbacks before the module is finished.
const OWN: &str = "own_";

/// The callbacks that the module needs. The beginning of a request (`proxy_on_context_create`) is
/// not among them: its headers are that. Its log (`proxy_on_log`) is not either: a request is over
/// when it is deleted, and its status is known since the answer's head.
pub(super) const NEEDED: [&str; 10] = [
    // The VM's configuration tells the filter from the mirror; each plugin of the VM gets its
    // ticks.
    "proxy_on_vm_start",
    "proxy_on_configure",
    // The mirror connects again; usage is flushed, leases are given back.
    "proxy_on_tick",
    // The decision.
    "proxy_on_request_headers",
    // The digest of a signed request's body. Requests without a body do not pay for it.
    "proxy_on_request_body",
    // With trailers, they are the end of such a body. Requests without them do not pay for it.
    "proxy_on_request_trailers",
    // Writes the limits into the answer, at a third of the cost of two values in filter state with
    // the formats that would read them; and reads the head of the answer, for usage.
    "proxy_on_response_headers",
    // A request is over, however it ended: its usage, and its place among the concurrent ones.
    "proxy_on_delete",
    // The mirror's stream, and the answers to usage reports.
    "proxy_on_grpc_receive",
    "proxy_on_grpc_close",
];

/// More callbacks, for a module that leaves its requests to the SDK, as the empty one of a bench
/// does: the SDK enters each into its maps.
pub(super) const NEEDED_BY_THE_SDK: [&str; 1] = ["proxy_on_context_create"];

/// Leaves the callbacks that are needed, and puts the module's own in the place of the SDK's.
pub(super) fn choose(module: &mut Module) -> Result<()> {
    let names: Vec<String> = module.exports.iter().map(|export| export.name.clone()).collect();
    let own: Vec<&str> = names.iter().filter_map(|name| name.strip_prefix(OWN)).collect();
    for name in &own {
        ensure!(
            NEEDED.contains(name),
            "it exports `{OWN}{name}`: say in crates/stack/src/wasm/callbacks.rs what Envoy is to \
             call it for"
        );
    }
    for name in names.iter().filter(|name| name.starts_with("proxy_on_") && !is_plumbing(name)) {
        let kept = own.is_empty()
            && (NEEDED.contains(&name.as_str()) || NEEDED_BY_THE_SDK.contains(&name.as_str()));
        if !kept {
            module.exports.remove(name)?;
        }
    }
    if own.is_empty() {
        return Ok(());
    }
    for name in NEEDED {
        let own =
            module.exports.iter_mut().find(|export| export.name.strip_prefix(OWN) == Some(name));
        own.with_context(|| format!("it does not export `{OWN}{name}`"))?.name = name.to_owned();
    }
    Ok(())
}

/// True for the exports that Envoy wants of every module: a version, an initialiser, and memory for
/// what it hands over.
///
/// `proxy_on_memory_allocate` gets no fuel of its own: Envoy calls it in the middle of other
/// callbacks, and a loop that asks Envoy for something would never run dry.
pub(super) fn is_plumbing(name: &str) -> bool {
    matches!(name, "_initialize" | "malloc" | "proxy_on_memory_allocate")
        || name.starts_with("proxy_abi_version_")
}
