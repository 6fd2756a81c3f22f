//! The metrics of the program. Each module declares its own, beside the lines that it logs.

use crate::{cells, dns, follow, freshness, grpc, jwks, lkg, receipts, tls, usage, validate};

/// The histograms, all in seconds.
pub const DURATIONS: [&str; 5] = [
    follow::report::APPLY_DURATION,
    follow::report::CHANGE_LAG,
    lkg::report::STATE_WRITE_DURATION,
    usage::WRITE_DURATION,
    jwks::report::JWKS_DURATION,
];

/// Gives all metrics their help texts and first values; once, after a recorder is installed.
pub fn describe() {
    cells::describe();
    dns::report::describe();
    follow::report::describe();
    freshness::describe();
    grpc::report::describe();
    jwks::report::describe();
    lkg::report::describe();
    receipts::report::describe();
    tls::report::describe();
    usage::describe();
    validate::report::describe();
}
