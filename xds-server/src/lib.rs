//! Tenantry's xDS server: reads the desired state from PostgreSQL and serves it to Envoys and to
//! the filters in them, by delta ADS.
//!
//! [`follow`] keeps the [`cells`], a [`snapshot`] for each, equal to the database; [`jwks`] reads
//! the keys of token issuers, and [`dns`] the addresses of upstreams; [`translate`] makes its
//! resources; [`ads`] decides, for each stream, what to send next; [`grpc`] moves the messages;
//! [`lkg`] keeps the served state on disk, for a start without PostgreSQL. [`receipts`] writes down
//! the answers of Envoys, and [`quarantine`] decides about the sites that they refuse.

#![cfg_attr(not(test), deny(clippy::unwrap_used))]

pub mod ads;
pub mod cells;
pub mod commands;
pub mod config;
pub mod dns;
pub mod follow;
pub mod freshness;
pub mod grpc;
pub mod hub;
pub mod idle;
pub mod jwks;
pub mod lkg;
pub mod node;
pub mod observe;
pub mod quarantine;
pub mod readable;
pub mod receipts;
pub mod report;
pub mod resource;
pub mod saver;
pub mod schedule;
pub mod snapshot;
pub mod tls;
pub mod translate;
pub mod usage;
pub mod validate;
