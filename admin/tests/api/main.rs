//! The admin API, request by request, on a real PostgreSQL.

#![expect(
    clippy::disallowed_methods,
    reason = "tests read the clock and make ids where they need them"
)]

mod accounts;
mod audit;
mod bulk;
mod cells;
mod cloning;
mod concurrency;
mod document;
mod erasure;
mod guessing;
mod harness;
mod housekeeping;
mod idempotency;
mod imports;
mod injection;
mod isolation;
mod issuer_refusals;
mod issuers;
mod jobs;
mod keys;
mod lifecycle;
mod listener;
mod login;
mod mail;
mod mail_tls;
mod matrix;
mod members;
mod mfa;
mod pages;
mod people;
mod plans;
mod platform_plans;
mod publishing;
mod rate_limits;
mod refusals;
mod service;
mod service_tokens;
mod sessions;
mod settings;
mod settings_refusals;
mod signing_keys;
mod signup;
mod state;
mod subjects;
mod tenant_status;
mod unauthorized;
mod usage;
