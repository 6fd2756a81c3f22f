//! Reading the keys of issuers from real servers on loopback: what is taken, what is refused, what
//! happens while they are away, and what a restart keeps.

mod fetching;
mod issuer;
mod restart;
mod rotation;
mod site;
