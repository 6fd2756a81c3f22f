//! The admin API, request by request, on a real PostgreSQL.

mod accounts;
mod audit;
mod cells;
mod concurrency;
mod document;
mod guessing;
mod harness;
mod idempotency;
mod imports;
mod isolation;
mod issuer_refusals;
mod issuers;
mod keys;
mod lifecycle;
mod listener;
mod login;
mod mail;
mod matrix;

mod members;
mod mfa;
mod pages;
mod people;
mod plans;
mod publishing;
mod rate_limits;
mod refusals;
mod service;
mod service_tokens;
mod sessions;
mod settings;
mod settings_refusals;
mod signing_keys;
mod subjects;
mod unauthorized;
mod usage;
