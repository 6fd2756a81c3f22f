//! End-to-end tests: each starts a deployment of its own (PostgreSQL database, `tenantry-admin`,
//! `tenantry-xds`, one or more Envoys with the built filter) and speaks to it as its users would.

#![expect(
    clippy::disallowed_methods,
    reason = "tests read the clock and make ids where they need them"
)]

mod access_log;
mod addresses;
mod bursts;
mod cells;
mod cloning;
mod closing;
mod containment;
mod contract;
mod credentials;
mod faults;
mod identity;
mod jobs;
mod keys;
mod limits;
mod listeners;
mod monitoring;
mod mutual_tls;
mod neighbours;
mod operators;
mod outages;
mod paths;
mod platform_plans;
mod poison;
mod printed;
mod published;
mod quarantine;
mod receipts;
mod refusals;
mod replicas;
mod routes;
mod signatures;
mod signup;
mod sizes;
mod stability;
mod standalone;
mod strangers;
mod suspension;
mod telemetry;
mod tokens;
mod traces;
mod upstreams;
mod usage;
mod usage_restart;
