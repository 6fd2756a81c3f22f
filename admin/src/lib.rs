//! The admin service of Tenantry: the HTTP API through which an operator sets up tenants, sites,
//! APIs and keys.
//!
//! A request passes [`observe`] (id, log, metrics, time limit), then [`auth`] (the permission
//! table), then an extractor ([`extract`]: strict bodies, ids, preconditions), then a handler under
//! [`routes`], which makes one transaction of the store. Every error becomes an answer in
//! [`problem`].

pub mod access;
pub mod answer;
pub mod app;
pub mod audit;
pub mod auth;
pub mod body;
pub mod bootstrap;
pub mod check;
pub mod config;
pub mod docs;
pub mod extract;
pub mod housekeeping;
pub mod idempotency;
pub mod import;
pub mod last_used;
pub mod limits;
pub mod mail;
pub mod metrics;
pub mod observe;
pub mod openapi;
pub mod page;
pub mod permissions;
pub mod problem;
pub mod receipt;
pub mod request_id;
pub mod routes;
pub mod scopes;
pub mod secret;
pub mod serve;
pub mod session;
pub mod settings;
pub mod signup;
pub mod throttle;
