//! Texts that clients send: hosts, keys, digests.

use policy::credential::{KeySource, PresentedKey};
use policy::digest_field::Expected;
use policy::host::canonical;
use policy::key::{ApiKey, Digest, Environment};
use policy::request::Request;
use sha2::{Digest as _, Sha256, Sha512};

/// `:authority`: an accepted one is a name in its one canonical form, and finds the same site with
/// a port, with a dot, and in capitals.
pub fn host(data: &[u8]) {
    let Some(name) = canonical(data) else { return };
    assert!(!name.is_empty() && name.len() <= 253 && !name.ends_with('.'));
    assert!(
        name.bytes().all(|byte| byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || b"-._".contains(&byte))
    );
    for same in [name.clone(), format!("{name}:443"), format!("{name}."), name.to_ascii_uppercase()]
    {
        assert_eq!(canonical(same.as_bytes()).as_ref(), Some(&name), "{same}");
    }
}

/// A presented key: an accepted one has the checksum of its own text, so that no change of a byte
/// is accepted. A key that is made from the bytes is accepted in every place of a request.
pub fn key(data: &[u8]) {
    if let Some(digest) = Digest::of_presented(data) {
        assert_eq!(data.len(), 45);
        for at in 0..data.len() {
            let mut changed = data.to_vec();
            changed[at] ^= 1;
            assert_eq!(Digest::of_presented(&changed), None);
        }
        found_in_requests(data, digest);
    }
    for environment in [Environment::Live, Environment::Test] {
        if let Some(made) = ApiKey::from_random(environment, data) {
            assert_eq!(Digest::of_presented(made.reveal().as_bytes()), Some(made.digest()));
            found_in_requests(made.reveal().as_bytes(), made.digest());
        }
    }
    // The key that is read from a request is one of these values, whatever else the request
    // carries, and it has a key's length.
    let headers = [(&b"authorization"[..], data), (b"x-api-key", data), (b":path", data)];
    let sources = [
        KeySource::Bearer,
        KeySource::Basic,
        KeySource::Header("x-api-key".into()),
        KeySource::Query("key".into()),
    ];
    for at in 0..sources.len() {
        if let PresentedKey::Key(key) =
            PresentedKey::find(&Request::read(&headers, false), &sources[..=at])
        {
            assert!(key.0.starts_with(b"tnt_") && key.0.len() == 45);
        }
    }
}

fn found_in_requests(text: &[u8], digest: Digest) {
    let bearer = [b"Bearer ", text].concat();
    for headers in [[(&b"x-api-key"[..], text)], [(b"authorization", bearer.as_slice())]] {
        match PresentedKey::find(&Request::read(&headers, false), &KeySource::defaults()) {
            PresentedKey::Key(key) => assert!(Digest::of_presented(&key.0) == Some(digest)),
            other => panic!("{other:?} for a key"),
        }
    }
}

/// `Content-Digest`, then a line feed, then a body. A field that matches contains the body's
/// digest, and the division of the body into chunks does not matter. The right field for the body
/// matches, and matches no other body.
pub fn content_digest(data: &[u8]) {
    let (field, body) = crate::split_line(data);
    if let Some(expected) = Expected::parse(field) {
        let mut whole = expected.start();
        whole.update(body);
        let mut bytewise = expected.start();
        body.iter().for_each(|byte| bytewise.update(std::slice::from_ref(byte)));
        let matches = whole.finish();
        assert_eq!(matches, bytewise.finish());
        if matches {
            let field: sfv::Dictionary =
                sfv::Parser::new(field).parse().expect("it was one before");
            let is = |name: &str, digest: &[u8]| match field.get(name) {
                Some(sfv::ListEntry::Item(item)) => {
                    item.bare_item.as_byte_sequence() == Some(digest)
                }
                Some(sfv::ListEntry::InnerList(_)) => false,
                None => true,
            };
            assert!(is("sha-256", &Sha256::digest(body)) && is("sha-512", &Sha512::digest(body)));
        }
    }
    let digest = sfv::ItemSerializer::new().bare_item(Sha256::digest(body).as_slice()).finish();
    let expected = Expected::parse(format!("sha-256={digest}").as_bytes()).expect("a digest");
    let mut right = expected.start();
    right.update(body);
    let mut longer = right.clone();
    longer.update(b"\0");
    assert!(right.finish() && !longer.finish());
}
