//! The admin API, request by request, on a real PostgreSQL.

mod concurrency;
mod document;
mod harness;
mod idempotency;
mod imports;
mod isolation;
mod keys;
mod lifecycle;
mod listener;
mod pages;
mod publishing;
mod refusals;
mod service;
mod unauthorized;
