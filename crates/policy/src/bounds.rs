//! The bounds of what is pushed to a VM, in bytes. Lists have bounds of their own, but products of
//! lists do not: a consumer with thousands of keys, and ten thousand address ranges for each of
//! them, would be one resource of any size, and no VM has room for it.
//!
//! Settings are refused when they are written, and left out when they are translated: the database
//! may hold what was written before there was a bound.

/// The most bytes of a response to a mirror, beside one that holds a single site. The mirror takes
/// a response in one step of Envoy's main thread, and holds it about twice meanwhile.
pub const MESSAGE_BYTES: usize = 1_000_000;

/// The most bytes of a bucket of credentials or of consumers, as it is pushed: it is read and
/// written as a whole, and fits into one response with its name.
pub const BUCKET_BYTES: usize = 960_000;

/// The most bytes of a consumer with its keys, as it is pushed. Both lists of addresses at their
/// longest take 340,000 of them; the rest is for keys with settings. Two such consumers would not
/// fit into a bucket, and one leaves room for those of others.
pub const CONSUMER_BYTES: usize = 512 * 1024;

/// The most bytes of an address range as it is pushed: length and prefix of an IPv6 range.
pub const ADDRESS_RANGE_BYTES: usize = 17;

/// The bytes that are counted for a key with settings beside these: its id, and the lengths of its
/// lists.
pub const KEY_OVERHEAD_BYTES: usize = 64;

/// The bytes that are counted for a signing key: its id and the largest material.
pub const SIGNING_KEY_BYTES: usize = 128;

/// The most bytes of a site's policy, as it is pushed: 10,000 routes with 200 bytes each. Decoding
/// it takes up to twenty times that in a VM, for a moment, beside the VM's caches.
pub const SITE_POLICY_BYTES: usize = 2 * 1024 * 1024;

const _: () = assert!(CONSUMER_BYTES < BUCKET_BYTES && BUCKET_BYTES < MESSAGE_BYTES);
