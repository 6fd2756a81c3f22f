//! The keys of issuers, fetched from real servers on loopback: those that are accepted and refused,
//! outages of the servers, and restarts.

mod fetching;
mod issuer;
mod restart;
mod rotation;
mod site;
