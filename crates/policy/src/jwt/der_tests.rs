use jwt_simple::algorithms::{
    ECDSAP256PublicKeyLike as _, ECDSAP384PublicKeyLike as _, ES256PublicKey, ES384PublicKey,
    RS256PublicKey,
};
use proptest::prelude::*;

use super::*;

/// A modulus with its first bit set, and one without.
#[test]
fn rsa_keys_are_what_others_write() {
    for first in [0xc1, 0x41] {
        let mut modulus = vec![0x5b; 256];
        modulus[0] = first;
        for exponent in [&[1, 0, 1][..], &[3], &[0x81, 1]] {
            let theirs =
                RS256PublicKey::from_components(&modulus, exponent).unwrap().to_der().unwrap();
            assert_eq!(rsa_public_key(&modulus, exponent), theirs);
        }
    }
}

#[test]
fn points_are_what_others_write() {
    let pair = jwt_simple::algorithms::ES256KeyPair::from_bytes(&[7; 32]).unwrap().public_key();
    let point = pair.public_key().to_bytes_uncompressed();
    assert_eq!(p256_public_key(&point), pair.to_der().unwrap());
    assert!(ES256PublicKey::from_der(&p256_public_key(&point)).is_ok());
    let pair = jwt_simple::algorithms::ES384KeyPair::from_bytes(&[7; 48]).unwrap().public_key();
    let point = pair.public_key().to_bytes_uncompressed();
    assert_eq!(p384_public_key(&point), pair.to_der().unwrap());
    assert!(ES384PublicKey::from_der(&p384_public_key(&point)).is_ok());
}

proptest! {
    /// Numbers of all lengths, with and without their first bit.
    #[test]
    fn signatures_are_what_others_write(
        mut signature in prop::collection::vec(any::<u8>(), 64..=64),
        zeros in 0..31_usize,
    ) {
        signature[..zeros].fill(0);
        signature[32..32 + zeros].fill(0);
        if let Ok(theirs) = p256::ecdsa::Signature::from_slice(&signature) {
            let theirs = theirs.to_der();
            prop_assert_eq!(ecdsa_signature(&signature), theirs.as_bytes());
        }
        // Lengths that take two bytes.
        let wide = p384::ecdsa::Signature::from_slice(&[&signature[..], &signature[32..]].concat());
        if let Ok(theirs) = wide {
            let signature = [&signature[..], &signature[32..]].concat();
            let theirs = theirs.to_der();
            prop_assert_eq!(ecdsa_signature(&signature), theirs.as_bytes());
        }
    }
}
