use proptest::prelude::*;

use super::*;
use crate::id::Uuid;

fn key_of(seed: u8) -> ApiKey {
    ApiKey::from_random(Environment::Live, &[seed; 64]).expect("64 usable bytes")
}

fn record(digest: [u8; 32], number: u128) -> KeyRecord {
    let id = Uuid::from_u128(number);
    KeyRecord {
        digest: Digest(digest),
        site: SiteId(id),
        consumer: ConsumerId(id),
        key: KeyId(id),
        expires_at_ms: number.is_multiple_of(2).then_some(number as u64),
        plan: number as u16,
        kind: match number % 3 {
            0 => CredentialKind::ApiKey,
            1 => CredentialKind::SigningKey,
            _ => CredentialKind::Subject,
        },
        has_details: number.is_multiple_of(5),
    }
}

#[test]
fn a_key_has_its_documented_form() {
    let key = key_of(7);
    assert_eq!(key.reveal(), "tnt_live_7777777777777777777777777777772GyRRZ");
    assert_eq!(key.reveal().len(), 45);
    assert_eq!(Digest::of_presented(key.reveal().as_bytes()), Some(key.digest()));
}

#[test]
fn a_key_does_not_print_itself() {
    let key = key_of(9);
    assert_eq!(format!("{key:?} {:?}", key.digest()), "ApiKey(redacted) Digest(redacted)");
    assert!(!key.hint().contains("9999"), "{}", key.hint());
}

#[test]
fn bytes_that_would_favour_a_character_are_skipped() {
    assert!(ApiKey::from_random(Environment::Test, &[255; 64]).is_none());
    let mut bytes = vec![250; 34];
    bytes.extend([1; 30]);
    let key = ApiKey::from_random(Environment::Test, &bytes).expect("30 usable bytes");
    assert!(key.reveal().starts_with("tnt_test_111111111111111111111111111111"));
}

#[test]
fn one_changed_character_is_refused_without_a_lookup() {
    let key = key_of(3);
    for at in 0..key.reveal().len() {
        let mut text = key.reveal().as_bytes().to_vec();
        text[at] = if text[at] == b'a' { b'b' } else { b'a' };
        assert_eq!(Digest::of_presented(&text), None, "character {at}");
    }
    assert_eq!(Digest::of_presented(b""), None);
    assert_eq!(Digest::of_presented(&key.reveal().as_bytes()[..44]), None);
}

#[test]
fn an_expiry_is_the_first_moment_of_refusal() {
    let key = record([0; 32], 1000);
    assert!(!key.expired(999));
    assert!(key.expired(1000));
    assert!(!record([0; 32], 1001).expired(u64::MAX - 1), "a key without expiry does not expire");
}

proptest! {
    #[test]
    fn every_made_key_is_accepted_as_presented(bytes in prop::collection::vec(0_u8..248, 30..64)) {
        let key = ApiKey::from_random(Environment::Live, &bytes).expect("enough usable bytes");
        prop_assert_eq!(Digest::of_presented(key.reveal().as_bytes()), Some(key.digest()));
    }

    #[test]
    fn presented_text_of_any_kind_does_no_harm(text in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = Digest::of_presented(&text);
    }

    #[test]
    fn a_packed_bucket_is_searched_like_a_list(
        digests in prop::collection::btree_set(prop::array::uniform32(0_u8..4), 0..40),
        probe in prop::array::uniform32(0_u8..4),
    ) {
        let numbered = digests.iter().zip(1..);
        let keys: Vec<_> = numbered.map(|(digest, number)| record(*digest, number)).collect();
        let packed = pack_bucket(&keys);
        prop_assert_eq!(packed.len(), keys.len() * RECORD_LEN);
        for key in &keys {
            prop_assert_eq!(find(&packed, &key.digest), Some(*key));
        }
        let expected = keys.iter().find(|key| key.digest.0 == probe).copied();
        prop_assert_eq!(find(&packed, &Digest(probe)), expected);
    }

    #[test]
    fn packing_does_not_depend_on_the_order(count in 0_u8..20, seed in any::<u64>()) {
        let key = |number| record([number; 32], u128::from(number));
        let mut keys: Vec<_> = (0..count).map(key).collect();
        let packed = pack_bucket(&keys);
        keys.rotate_left(usize::from(count) * (seed as usize % 7) / 7);
        prop_assert_eq!(pack_bucket(&keys), packed);
    }

    #[test]
    fn a_damaged_bucket_does_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = find(&bytes, &Digest([7; 32]));
        let _ = crate::wire::bucket_records(&bytes);
    }
}

#[test]
fn records_are_found_in_the_message_without_decoding_it() {
    let bucket =
        crate::wire::KeyBucket { records: pack_bucket(&[record([1; 32], 5), record([2; 32], 6)]) };
    let message = prost::Message::encode_to_vec(&bucket);
    assert_eq!(crate::wire::bucket_records(&message), Some(bucket.records.as_slice()));
    assert_eq!(crate::wire::bucket_records(&message[..message.len() - 1]), None);
}
