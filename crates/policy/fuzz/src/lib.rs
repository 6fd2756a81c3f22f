//! Properties that hold for any bytes that reach the pure core: from clients (hosts, paths, keys,
//! signatures, digests), from the control plane (policies, buckets, address lists), and from memory
//! that workers share (cells).
//!
//! Each target takes bytes and panics if a property does not hold. Most do more than run without a
//! panic: they compare with a slow, obvious way, or turn the bytes into something valid and check
//! that it is accepted. The same functions run over their corpus and over random bytes in an
//! ordinary test, and under libFuzzer (`README.md`).

mod cells;
mod jwt;
mod path;
mod signature;
mod tables;
mod text;

pub use cells::{limit_cell, nonce_cell};
pub use jwt::{jwks, jwt};
pub use path::{path, template};
pub use signature::signature;
pub use tables::{bucket, ip_list, ip_text, site};
pub use text::{content_digest, host, key};

pub type Target = fn(&[u8]);

/// All targets. Each has a folder of its name under `corpus`, and a program under `fuzz_targets`; a
/// test checks this.
pub const TARGETS: &[(&str, Target)] = &[
    ("bucket", bucket),
    ("content_digest", content_digest),
    ("host", host),
    ("ip_list", ip_list),
    ("ip_text", ip_text),
    ("jwks", jwks),
    ("jwt", jwt),
    ("key", key),
    ("limit_cell", limit_cell),
    ("nonce_cell", nonce_cell),
    ("path", path),
    ("signature", signature),
    ("site", site),
    ("template", template),
];

/// Takes up to `len` bytes off the front.
fn take<'a>(data: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (front, rest) = data.split_at(len.min(data.len()));
    *data = rest;
    front
}

/// The bytes up to the first line feed, and those behind it.
fn split_line(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &[]),
    }
}
