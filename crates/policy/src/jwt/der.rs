//! The little of DER (X.690) in which Envoy takes public keys and signatures.

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// AlgorithmIdentifier of `rsaEncryption` (RFC 3279 section 2.3.1).
const RSA_ENCRYPTION: [u8; 15] =
    [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
/// AlgorithmIdentifier of `id-ecPublicKey` on `secp256r1` (RFC 5480 section 2.1.1).
const EC_P256: [u8; 21] = [
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
    0xce, 0x3d, 0x03, 0x01, 0x07,
];
/// AlgorithmIdentifier of `id-ecPublicKey` on `secp384r1`.
const EC_P384: [u8; 18] = [
    0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04,
    0x00, 0x22,
];

/// SubjectPublicKeyInfo of an RSA key, whose numbers are big-endian.
pub(super) fn rsa_public_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    public_key(&RSA_ENCRYPTION, &tagged(SEQUENCE, &[&integer(modulus), &integer(exponent)]))
}

/// SubjectPublicKeyInfo of an uncompressed point of P-256.
pub(super) fn p256_public_key(point: &[u8]) -> Vec<u8> {
    public_key(&EC_P256, point)
}

/// SubjectPublicKeyInfo of an uncompressed point of P-384.
pub(super) fn p384_public_key(point: &[u8]) -> Vec<u8> {
    public_key(&EC_P384, point)
}

/// Ecdsa-Sig-Value (RFC 3279 section 2.2.3) of a signature that is two numbers of the same length
/// (RFC 7518 section 3.4).
pub(super) fn ecdsa_signature(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    tagged(SEQUENCE, &[&integer(r), &integer(s)])
}

fn public_key(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    tagged(SEQUENCE, &[algorithm, &tagged(BIT_STRING, &[&[0], key])])
}

/// A positive number: no needless zeros in front, and one where its first bit would say that it is
/// negative.
fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let number = number.get(zeros..).unwrap_or_default();
    let sign: &[u8] = if number.first().is_none_or(|first| *first >= 0x80) { &[0] } else { &[] };
    tagged(INTEGER, &[sign, number])
}

fn tagged(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let len: usize = contents.iter().map(|content| content.len()).sum();
    let mut out = Vec::with_capacity(len + 4);
    out.push(tag);
    // Nothing here is longer than the two bytes of the longest form: keys have at most 4096 bits.
    match u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes() {
        [0, short @ ..=0x7f] => out.push(short),
        [0, long] => out.extend([0x81, long]),
        [high, low] => out.extend([0x82, high, low]),
    }
    contents.iter().for_each(|content| out.extend_from_slice(content));
    out
}

#[cfg(test)]
#[path = "der_tests.rs"]
mod tests;
