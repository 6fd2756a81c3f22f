//! The admin service of Tenantry: the HTTP API through which an operator sets up tenants, sites,
//! APIs and keys.
//!
//! A request passes [`layers::observe`] (id, log, metrics, time limit), [`layers::throttle`] by
//! address, [`layers::authorize`] (token, permission table), [`layers::throttle`] by principal,
//! [`layers::receipt`] (`?wait=`), then an extractor ([`extract`]: strict bodies, ids,
//! preconditions), then a handler under [`routes`], which makes one transaction of the store. Every
//! error becomes an answer in [`problem`].

pub mod access;
pub mod answer;
pub mod app;
pub mod audit;
pub mod base_domain;
pub mod body;
pub mod bootstrap;
pub mod check;
pub mod config;
pub mod docs;
pub mod extract;
pub mod housekeeping;
pub mod http;
pub mod idempotency;
pub mod import;
pub mod last_used;
pub mod layers;
pub mod limits;
pub mod mail;
pub mod metrics;
pub mod openapi;
pub mod page;
pub mod permissions;
pub mod problem;
pub mod receipt;
pub mod request_id;
pub mod rights;
pub mod routes;
pub mod scopes;
pub mod secret;
pub mod serve;
pub mod service;
pub mod session;
pub mod settings;
pub mod signup;
pub mod throttle;
