//! The admin service of Tenantry: the HTTP API through which an operator sets up tenants, sites,
//! APIs and keys.
//!
//! A request passes [`layers::observe`] (id, log, metrics, time limit), [`layers::rate_limit`] by
//! address, [`layers::authorize`] (token, permission table), [`layers::rate_limit`] by principal,
//! [`layers::receipt`] (`?wait=`), then an extractor ([`http::extract`]: strict bodies, ids,
//! preconditions), then a handler under [`api`], which makes one transaction of the store. Every
//! error becomes an answer in [`http::problem`].

#![cfg_attr(not(test), deny(clippy::unwrap_used))]

pub mod accounts;
pub mod api;
pub mod app;
pub mod bounds;
pub mod commands;
pub mod config;
pub mod forms;
pub mod http;
pub mod identity;
pub mod import;
pub mod jobs;
pub mod last_used;
pub mod layers;
pub mod mail;
pub mod metrics;
pub mod rate_limit;
pub mod receipt;
pub mod rights;
pub mod secret;
pub mod serve;
pub mod service;
pub mod signup;
