//! Where the filter finds what it has to know of a consumer.

use crate::id::ConsumerId;

/// The bucket of a consumer: the last 16 bits of its id, which are random in a UUIDv7 (RFC 9562 section 5.7).
pub fn bucket_of(consumer: ConsumerId) -> u16 {
    let [.., high, low] = *consumer.as_bytes();
    u16::from_be_bytes([high, low])
}

/// The resource name of a bucket: four hexadecimal digits.
pub fn bucket_name(bucket: u16) -> String {
    format!("{bucket:04x}")
}
