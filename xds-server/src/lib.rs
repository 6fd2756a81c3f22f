//! Tenantry's xDS server: reads the desired state from PostgreSQL and serves it to Envoys and to the filters in them, by
//! delta ADS.
//!
//! [`follow`] keeps the [`cells`], a [`snapshot`] for each, equal to the database; [`jwks`] reads the keys of token issuers, and
//! [`dns`] the addresses of upstreams; [`translate`] makes its resources; [`ads`] decides, for each
//! stream, what to send next; [`grpc`] moves the messages.

pub mod ads;
pub mod cells;
pub mod commands;
pub mod config;
pub mod connection;
pub mod dns;
pub mod follow;
pub mod grpc;
pub mod hub;
pub mod jwks;
pub mod node;
pub mod observe;
pub mod readable;
pub mod report;
pub mod resource;
pub mod schedule;
pub mod snapshot;
pub mod tls;
pub mod translate;
pub mod usage;
pub mod validate;
