//! The callbacks of the proxy-wasm ABI (version 0.2.1) that the SDK exports, and which of them Envoy is to find.
//!
//! Envoy calls every callback that a module exports, for every request, whether it does anything or not. Those that nothing
//! in `filter` uses cost 1.1 to 1.4 us a request together.

/// What the module needs to be called for.
pub(super) const NEEDED: [&str; 12] = [
    // The SDK enters a context in its maps with the first, and drops it with the second: without it each request leaks.
    "proxy_on_context_create",
    "proxy_on_delete",
    // The plugin's configuration tells the filter from the mirror.
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
    // What the answer says of limits: a third of what two values in filter state cost, with the formats that would read them.
    "proxy_on_response_headers",
    // A request is over: its usage, and its place among the concurrent ones.
    "proxy_on_log",
    // The mirror's stream, and the answers to usage reports.
    "proxy_on_grpc_receive",
    "proxy_on_grpc_close",
];

/// What the SDK exports all the same, each with the methods of the SDK's traits that it would call.
pub(super) const UNNEEDED: [(&str, &[&str]); 13] = [
    // Contexts have nothing to finish before they go; without the callback Envoy takes that for granted.
    ("proxy_on_done", &["on_done"]),
    ("proxy_on_response_body", &["on_http_response_body"]),
    ("proxy_on_response_trailers", &["on_http_response_trailers"]),
    // No call-outs.
    ("proxy_on_http_call_response", &["on_http_call_response"]),
    // The control plane says nothing in metadata.
    ("proxy_on_grpc_receive_initial_metadata", &["on_grpc_stream_initial_metadata"]),
    ("proxy_on_grpc_receive_trailing_metadata", &["on_grpc_stream_trailing_metadata"]),
    // No queues between VMs: they share data.
    ("proxy_on_queue_ready", &["on_queue_ready"]),
    // Envoy's own functions answer at once, and never call back.
    ("proxy_on_foreign_function", &["on_foreign_function"]),
    // It is no network filter.
    ("proxy_on_new_connection", &["on_new_connection"]),
    ("proxy_on_downstream_data", &["on_downstream_data"]),
    ("proxy_on_downstream_connection_close", &["on_downstream_close"]),
    ("proxy_on_upstream_data", &["on_upstream_data"]),
    ("proxy_on_upstream_connection_close", &["on_upstream_close"]),
];

/// What Envoy wants of every module: a version, an initialiser, and memory for what it hands over.
///
/// `proxy_on_memory_allocate` gets no fuel of its own: Envoy calls it in the middle of other callbacks, and a loop that asks
/// Envoy for something would never run dry.
pub(super) fn is_plumbing(name: &str) -> bool {
    matches!(name, "_initialize" | "malloc" | "proxy_on_memory_allocate") || name.starts_with("proxy_abi_version_")
}

/// The first callback that is taken away although this source implements it: then one of the two is wrong.
pub(super) fn missed_by(source: &str) -> Option<&'static str> {
    let implemented = |method: &&str| source.contains(&format!("fn {method}("));
    UNNEEDED.iter().find(|(_, methods)| methods.iter().any(implemented)).map(|(name, _)| *name)
}
