//! The addresses of upstreams that tenants name: resolved here, checked, and pushed as endpoints.
//!
//! Envoy is never given a name to resolve. A name of a tenant may lead to anything, now or later:
//! the metadata service of a cloud, a database beside the gateway. So names are resolved here, and
//! only addresses that [`policy::address::AddressRules`] permits go out, literal ones of upstreams
//! included; the same rules refuse literals in the admin API already.
//!
//! A name is resolved again in the background, at the same pace whatever its records say
//! ([`pace`]). While it cannot be, its last addresses stay; they outlive this program too, in the
//! table `dns_cache`. An upstream keeps the endpoints that it had until each of its new names was
//! tried once, so that a change of endpoints loses no request.
//!
//! | part | what it does |
//! |---|---|
//! | `book` | the names, their addresses and users, and joining them into what is pushed |
//! | `resolve` | one resolution of a name, and what is taken from it |
//! | `saver` | writing answers to the database |
//! | `worker` | the task that moves all of them |

mod book;
pub(crate) mod report;
mod resolve;
mod saver;
mod worker;

pub use book::{Book, HeldBook};
pub use resolve::{MAX_ADDRESSES, PermittedAddresses, Resolve, SystemResolver};
pub use saver::Saver;
pub use worker::{Worker, pace};
