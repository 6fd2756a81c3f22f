//! The admin API, request by request, on a real PostgreSQL.

mod audit;
mod cells;
mod concurrency;
mod document;
mod harness;
mod idempotency;
mod imports;
mod isolation;
mod issuer_refusals;
mod issuers;
mod keys;
mod lifecycle;
mod listener;
mod pages;
mod plans;
mod publishing;
mod rate_limits;
mod refusals;
mod service;
mod settings;
mod settings_refusals;
mod signing_keys;
mod subjects;
mod unauthorized;
mod usage;
