//! API keys: their text form, their digest, and the packed buckets in which the filter finds them,
//! and all other credentials.
//!
//! A key is `tnt_<env>_<30 base62 random characters><6 base62 characters of CRC-32>`. It is
//! scannable, a mistyped one is refused without a lookup, and only its SHA-256 digest is ever
//! stored or pushed: 178 random bits need no slow hash.

use std::fmt;

use crc::{CRC_32_ISO_HDLC, Crc, Table};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::id::{ConsumerId, KeyId, SiteId};

const PREFIX: &str = "tnt_";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The number of random characters of a key: 62^30 is 178 bits.
pub const RANDOM_LEN: usize = 30;
const CHECK_LEN: usize = 6;
/// `live_` or `test_`.
const ENVIRONMENT_LEN: usize = 5;
/// The CRC-32 of Ethernet and ZIP, with the small table of 1 KiB: bit by bit it takes eight times
/// as many instructions.
static CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

/// The length of one packed record: digest 32, site 16, consumer 16, key 16, expiry 8, plan 2, kind
/// 1, details 1.
pub const RECORD_LEN: usize = 92;

/// The environment that a key is meant for. It is part of the key's text, so that a leaked key says
/// how much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// Production traffic.
    Live,
    /// Anything else.
    Test,
}

impl Environment {
    /// `live` or `test`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }

    /// Reads `live` or `test`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "live" => Some(Self::Live),
            "test" => Some(Self::Test),
            _ => None,
        }
    }
}

/// A whole API key in clear. Its `Debug` does not show it; [`ApiKey::reveal`] is for the one answer
/// that may.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// Makes a key out of uniformly random bytes, one for each random character.
    ///
    /// Bytes of 248 and above are skipped, so that every character is equally likely; `None` when
    /// fewer than [`RANDOM_LEN`] usable bytes are left. 64 bytes are enough but for a chance of
    /// less than 1 in 10^38.
    pub fn from_random(environment: Environment, bytes: &[u8]) -> Option<Self> {
        let mut text = String::with_capacity(64);
        text.push_str(PREFIX);
        text.push_str(environment.as_str());
        text.push('_');
        let usable = bytes.iter().filter(|byte| **byte < 248);
        let before = text.len();
        for byte in usable.take(RANDOM_LEN) {
            text.push(char::from(*ALPHABET.get(usize::from(byte % 62))?));
        }
        if text.len() != before + RANDOM_LEN {
            return None;
        }
        let check = check_of(text.as_bytes());
        text.extend(check.iter().map(|byte| char::from(*byte)));
        Some(Self(text))
    }

    /// The text of the key. Show it once, to its owner; never log it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The part that may be shown again: the beginning and the last four characters.
    pub fn hint(&self) -> String {
        let tail = self.0.len().saturating_sub(4);
        let head = PREFIX.len() + 5;
        format!(
            "{}...{}",
            self.0.get(..head).unwrap_or_default(),
            self.0.get(tail..).unwrap_or_default()
        )
    }

    /// The digest under which the key is stored and pushed.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(redacted)")
    }
}

/// The SHA-256 of a key's whole text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    fn of(text: &[u8]) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// The digest under which a signing key is looked up, by its `keyid` (RFC 9421 section 2.3).
    pub fn of_signing_key(key: KeyId) -> Self {
        Self(
            Sha256::new()
                .chain_update(b"tenantry signing key\0")
                .chain_update(key.as_bytes())
                .finalize()
                .into(),
        )
    }

    /// The digest under which the consumer is looked up that tokens of an issuer give this name, on
    /// one site.
    pub fn of_subject(site: SiteId, issuer: &str, value: &str) -> Self {
        let issuer_len = u64::try_from(issuer.len()).unwrap_or(u64::MAX).to_be_bytes();
        let digest = Sha256::new()
            .chain_update(b"tenantry subject\0")
            .chain_update(site.as_bytes())
            .chain_update(issuer_len)
            .chain_update(issuer)
            .chain_update(value);
        Self(digest.finalize().into())
    }

    /// Checks the form and the checksum of a presented key, and digests it. `None` for a text that
    /// can be no key of ours, so that guesses and typing errors cost no lookup.
    pub fn of_presented(text: &[u8]) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX.as_bytes())?;
        let random = rest.strip_prefix(b"live_").or_else(|| rest.strip_prefix(b"test_"))?;
        if random.len() != RANDOM_LEN + CHECK_LEN || !random.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        let (body, check) = text.split_at_checked(text.len().checked_sub(CHECK_LEN)?)?;
        (check_of(body) == check).then(|| Self::of(text))
    }

    /// The bucket that holds the key: the first 16 bits, so that a million keys are about 15 to a
    /// bucket.
    pub fn bucket(&self) -> u16 {
        let [high, low, ..] = self.0;
        u16::from_be_bytes([high, low])
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(redacted)")
    }
}

/// Returns true for a bearer token that is meant to be a key of ours, valid or not: it has the
/// prefix.
pub fn looks_like_key(token: &[u8]) -> bool {
    token.starts_with(PREFIX.as_bytes())
}

/// Returns true for a text that can be a key of ours by its beginning and its length.
/// [`Digest::of_presented`] looks at the rest.
pub fn may_be_key(text: &[u8]) -> bool {
    text.len() == PREFIX.len() + ENVIRONMENT_LEN + RANDOM_LEN + CHECK_LEN && looks_like_key(text)
}

/// The resource name of a bucket: four hexadecimal digits.
pub fn bucket_name(bucket: u16) -> String {
    format!("{bucket:04x}")
}

/// The kind of credential that a record is about. A record of one kind is never taken for one of
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// An API key, by the digest of its text.
    ApiKey,
    /// A signing key, by [`Digest::of_signing_key`].
    SigningKey,
    /// A name that tokens give to a consumer, by [`Digest::of_subject`].
    Subject,
}

/// The owner of a credential, and the time until which it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// The digest of the key.
    pub digest: Digest,
    /// The one site on which it works.
    pub site: SiteId,
    /// Its owner.
    pub consumer: ConsumerId,
    /// The key's own id, for usage and limits.
    pub key: KeyId,
    /// Milliseconds since the Unix epoch from which the key is refused; `None` if it does not
    /// expire.
    pub expires_at_ms: Option<u64>,
    /// The number of the consumer's plan in the site; 0 for none.
    pub plan: u16,
    /// The kind of credential.
    pub kind: CredentialKind,
    /// True if there is more to know of the key or of its consumer: settings, or the verifying half
    /// of signing keys ([`crate::wire::ConsumerBucket`]).
    pub has_details: bool,
}

impl KeyRecord {
    fn pack(&self) -> [u8; RECORD_LEN] {
        let mut packed = [0; RECORD_LEN];
        let kind = match self.kind {
            CredentialKind::ApiKey => 0,
            CredentialKind::SigningKey => 1,
            CredentialKind::Subject => 2,
        };
        let fields: [&[u8]; 7] = [
            &self.digest.0,
            self.site.as_bytes(),
            self.consumer.as_bytes(),
            self.key.as_bytes(),
            &self.expires_at_ms.unwrap_or(u64::MAX).to_be_bytes(),
            &self.plan.to_be_bytes(),
            &[kind, u8::from(self.has_details)],
        ];
        for (place, byte) in packed.iter_mut().zip(fields.into_iter().flatten()) {
            *place = *byte;
        }
        packed
    }

    fn unpack(packed: &[u8]) -> Option<Self> {
        let (digest, rest) = packed.split_first_chunk::<32>()?;
        let (site, rest) = rest.split_first_chunk::<16>()?;
        let (consumer, rest) = rest.split_first_chunk::<16>()?;
        let (key, rest) = rest.split_first_chunk::<16>()?;
        let (expiry, rest) = rest.split_first_chunk::<8>()?;
        let (plan, rest) = rest.split_first_chunk::<2>()?;
        let kind = match rest.first()? {
            0 => CredentialKind::ApiKey,
            1 => CredentialKind::SigningKey,
            2 => CredentialKind::Subject,
            _ => return None,
        };
        let expiry = u64::from_be_bytes(*expiry);
        Some(Self {
            digest: Digest(*digest),
            site: SiteId::from_slice(site)?,
            consumer: ConsumerId::from_slice(consumer)?,
            key: KeyId::from_slice(key)?,
            expires_at_ms: (expiry != u64::MAX).then_some(expiry),
            plan: u16::from_be_bytes(*plan),
            kind,
            has_details: *rest.get(1)? != 0,
        })
    }

    /// True if the key has expired at this time, in milliseconds since the Unix epoch.
    pub fn expired(&self, now_ms: u64) -> bool {
        self.expires_at_ms.is_some_and(|expiry| now_ms >= expiry)
    }
}

/// Packs the records of a bucket, sorted by digest: the same keys always give the same bytes.
pub fn pack_bucket(keys: &[KeyRecord]) -> Vec<u8> {
    let mut packed: Vec<_> = keys.iter().map(KeyRecord::pack).collect();
    packed.sort_unstable();
    packed.concat()
}

/// Finds a key in a packed bucket by binary search, without decoding the others. The last
/// comparison takes the same time wherever the digests differ.
pub fn find(records: &[u8], digest: &Digest) -> Option<KeyRecord> {
    let (records, _) = records.as_chunks::<RECORD_LEN>();
    let index = records.partition_point(|record| record.get(..32) < Some(&digest.0[..]));
    let record = records.get(index)?;
    let same: bool = record.get(..32)?.ct_eq(&digest.0).into();
    if same { KeyRecord::unpack(record) } else { None }
}

fn check_of(text: &[u8]) -> [u8; CHECK_LEN] {
    let mut rest = CRC.checksum(text);
    let mut check = [b'0'; CHECK_LEN];
    for place in check.iter_mut().rev() {
        *place = ALPHABET.get((rest % 62) as usize).copied().unwrap_or(b'0');
        rest /= 62;
    }
    check
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
