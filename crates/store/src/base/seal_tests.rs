use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::*;

const KEY: SecretsKey = SecretsKey([7; KEY_LEN]);

fn place() -> Place {
    Place { table: "issuers", tenant: TenantId(Uuid::from_u128(1)), row: Uuid::from_u128(2) }
}

#[test]
fn what_is_sealed_opens_in_its_place_with_its_key_and_nowhere_else() {
    let secret = Secret(b"a shared secret of an issuer".to_vec());
    let sealed = KEY.seal(place(), &secret).unwrap();
    assert_eq!(KEY.open(place(), &sealed), Some(secret.clone()));
    assert!(!sealed.windows(8).any(|window| secret.0.windows(8).any(|part| part == window)));
    let elsewhere = [
        Place { table: "signing_keys", ..place() },
        Place { tenant: TenantId(Uuid::from_u128(3)), ..place() },
        Place { row: Uuid::from_u128(3), ..place() },
    ];
    for other in elsewhere {
        assert_eq!(KEY.open(other, &sealed), None, "{other:?}");
    }
    assert_eq!(SecretsKey([8; KEY_LEN]).open(place(), &sealed), None);
    for index in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[index] ^= 1;
        assert_eq!(KEY.open(place(), &changed), None, "byte {index}");
    }
    for len in 0..sealed.len() {
        assert_eq!(KEY.open(place(), &sealed[..len]), None, "{len} bytes");
    }
}

#[test]
fn the_same_secret_is_never_sealed_the_same() {
    let secret = Secret(vec![1; 32]);
    assert_ne!(KEY.seal(place(), &secret).unwrap(), KEY.seal(place(), &secret).unwrap());
}

#[test]
fn a_key_is_not_shown() {
    assert_eq!(format!("{KEY:?}"), "SecretsKey(redacted)");
}

fn file(name: &str, content: &str, mode: u32) -> PathBuf {
    let path = std::env::temp_dir().join(format!("tenantry-seal-{}-{name}", std::process::id()));
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    path
}

#[test]
fn a_key_file_holds_64_digits() {
    let digits = "0123456789abcdefABCDEF0123456789".repeat(2);
    let good = file("good", &format!("{digits}\n"), 0o600);
    let read = SecretsKey::read(&good).unwrap();
    assert_eq!(
        &read.0[..12],
        &[0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xab, 0xcd, 0xef, 0x01]
    );
    fs::remove_file(&good).unwrap();
    let wrong = [
        String::new(),
        digits[1..].to_owned(),
        format!("{digits}00"),
        digits.replace('a', "g"),
        format!("{digits}\n\n"),
    ];
    for content in wrong {
        let path = file("wrong", &content, 0o600);
        let error = SecretsKey::read(&path).unwrap_err();
        assert!(matches!(error, SecretsKeyError::Malformed { .. }), "{error:?}");
        assert!(content.is_empty() || !error.to_string().contains(&content));
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let path = file("exposed", &"00".repeat(32), 0o640);
    let error = SecretsKey::read(&path).unwrap_err();
    assert!(matches!(error, SecretsKeyError::Exposed { mode: 0o640, .. }), "{error:?}");
    fs::remove_file(&path).unwrap();
    let error = SecretsKey::read(&path).unwrap_err();
    assert!(matches!(error, SecretsKeyError::Unreadable { .. }), "{error:?}");
}

#[test]
fn keys_that_are_derived_differ_by_purpose_and_owner() {
    let key = SecretsKey::new([7; 32]);
    let one = key.derive(b"answers", b"a");
    assert_eq!(one, key.derive(b"answers", b"a"));
    for other in [
        key.derive(b"answers", b"b"),
        key.derive(b"others", b"a"),
        SecretsKey::new([8; 32]).derive(b"answers", b"a"),
    ] {
        assert_ne!(one, other);
    }
}
