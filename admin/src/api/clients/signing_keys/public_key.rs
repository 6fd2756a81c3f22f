//! Reading an Ed25519 public key.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use thiserror::Error;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
const PEM_BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const PEM_END: &str = "-----END PUBLIC KEY-----";
/// The bytes before the 32 bytes of the key in a SubjectPublicKeyInfo (RFC 8410 section 4): a
/// sequence of 42 bytes, the algorithm 1.3.101.112, a bit string of 33 bytes, none of whose last
/// bits is unused.
const SPKI_HEAD: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The reason why a text is no public key. It never carries the text.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum PublicKeyError {
    #[error("is a private key: keep it to yourself, and give the public key that belongs to it")]
    Private,
    #[error("must be the base64 of the key's 32 bytes, or PEM that begins with {PEM_BEGIN}")]
    Form,
    #[error("is not an Ed25519 key (RFC 8410)")]
    OtherKind,
    #[error("is no point of the curve that can verify signatures")]
    Unusable,
}

/// Reads the base64 of the 32 bytes, or PEM of a SubjectPublicKeyInfo (RFC 7468 section 13).
pub(super) fn read(text: &str) -> Result<[u8; 32], PublicKeyError> {
    let text = text.trim();
    let key = match text.strip_prefix(PEM_BEGIN) {
        Some(rest) => from_pem(rest.strip_suffix(PEM_END).ok_or(PublicKeyError::Form)?)?,
        None if text.contains("PRIVATE KEY") => return Err(PublicKeyError::Private),
        None => {
            let bytes = BASE64.decode(text).map_err(|_| PublicKeyError::Form)?;
            bytes.try_into().map_err(|_| PublicKeyError::Form)?
        }
    };
    // Nothing could be signed for such a key, or anything.
    ed25519_compact::PublicKey::new(key).validate().map_err(|_| PublicKeyError::Unusable)?;
    Ok(key)
}

/// The text form in answers: the base64 of the 32 bytes.
pub(super) fn write(key: &[u8]) -> String {
    BASE64.encode(key)
}

fn from_pem(base64: &str) -> Result<[u8; 32], PublicKeyError> {
    let compact: String = base64.split_ascii_whitespace().collect();
    let spki = BASE64.decode(compact).map_err(|_| PublicKeyError::Form)?;
    let key = spki.strip_prefix(&SPKI_HEAD).ok_or(PublicKeyError::OtherKind)?;
    key.try_into().map_err(|_| PublicKeyError::OtherKind)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The public key of RFC 8410 section 10.1.
    const PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    const BASE64_TEXT: &str = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";

    #[test]
    fn both_forms_are_the_same_key() {
        let key = read(PEM).unwrap();
        assert_eq!(read(BASE64_TEXT), Ok(key));
        assert_eq!(read(BASE64_TEXT.trim_end_matches('=')), Ok(key));
        assert_eq!(write(&key), BASE64_TEXT);
        let windows = PEM.replace('\n', "\r\n");
        assert_eq!(read(&windows), Ok(key));
    }

    #[test]
    fn what_is_no_such_key_is_refused() {
        let private = "-----BEGIN PRIVATE KEY-----\n\
            MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
            -----END PRIVATE KEY-----";
        let x25519 = PEM.replace("K2Vw", "K2Vu");
        let short = PEM.replace("-----END PUBLIC KEY-----", "");
        for (text, error) in [
            (private, PublicKeyError::Private),
            (&*x25519, PublicKeyError::OtherKind),
            (&*short, PublicKeyError::Form),
            ("", PublicKeyError::Form),
            ("Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZg==", PublicKeyError::Form),
            ("!", PublicKeyError::Form),
            // The neutral element, for which anybody can sign.
            ("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", PublicKeyError::Unusable),
            // No point of the curve.
            ("AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", PublicKeyError::Unusable),
        ] {
            assert_eq!(read(text), Err(error), "{text}");
        }
    }
}
