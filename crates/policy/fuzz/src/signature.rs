//! Signed requests.

use hmac::{Hmac, Mac as _};
use policy::signature::{Algorithm, Component, Key, Presented, Rejected, Rules, base};
use sha2::Sha256;

/// A secret that no input can know: it is in no corpus, and a MAC under it cannot be guessed.
const SECRET: &[u8] = &[0xa5; 32];
const NOW_MS: u64 = 1_700_000_000_000;

/// Lines: the parameters of a signature, then fields as `name: value`. As they come, nothing
/// verifies. Signed with the key, they verify or are refused for a reason other than the signature,
/// and no change of a covered part verifies.
pub fn signature(data: &[u8]) {
    let (parameters, fields) = crate::split_line(data);
    let mut headers = fields_of(fields);
    let rules = Rules {
        required: Vec::new(),
        max_age_s: u32::MAX,
        max_skew_s: u32::MAX,
        ..Rules::default()
    };
    let key = Key::new(Algorithm::HmacSha256, SECRET).expect("a key");
    if let Ok(Some(presented)) = Presented::parse(&headers) {
        assert!(
            presented.verify(&key, &rules, true, NOW_MS).is_err(),
            "a signature that nobody made"
        );
    }

    let Ok(parameters) = std::str::from_utf8(parameters) else { return };
    headers.retain(|(name, _)| !name.starts_with("signature"));
    let Ok(bytes) = base(&headers, parameters) else { return };
    assert!(bytes.is_ascii());
    let mac = Hmac::<Sha256>::new_from_slice(SECRET)
        .expect("a key")
        .chain_update(&bytes)
        .finalize()
        .into_bytes();
    let value = format!("s={}", sfv::ItemSerializer::new().bare_item(mac.as_slice()).finish());
    let input = format!("s={parameters}");
    headers.push(("signature-input", input.as_bytes()));
    headers.push(("signature", value.as_bytes()));
    let Ok(Some(presented)) = Presented::parse(&headers) else { return };
    // There is one line for each component, so no value has added a line.
    assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), presented.components().len());
    match presented.verify(&key, &rules, true, NOW_MS) {
        Ok(verified) => {
            assert!(verified.accepted_until_ms > NOW_MS);
            assert_eq!(verified.keyid, presented.keyid());
            changes_are_refused(&headers, presented.components(), &key, &rules);
        }
        Err(Rejected::Signature) => panic!("the signature of the key is refused: {parameters}"),
        Err(_) => {}
    }
}

/// Appends a byte to each covered field: the signature no longer holds.
fn changes_are_refused(
    headers: &[(&str, &[u8])],
    components: &[Component],
    key: &Key<'_>,
    rules: &Rules,
) {
    for component in components {
        let name = match component {
            Component::Method => ":method",
            Component::Path
            | Component::Query
            | Component::TargetUri
            | Component::RequestTarget => ":path",
            Component::Field(field) if field.key.is_none() && !field.sf => &field.name,
            _ => continue,
        };
        let Some(at) = headers.iter().position(|(known, _)| *known == name) else { continue };
        // The path ends where a query begins.
        let end = match component {
            Component::Path => {
                headers[at].1.split(|byte| *byte == b'?').next().unwrap_or_default().len()
            }
            _ => headers[at].1.len(),
        };
        let changed = [&headers[at].1[..end], b"!", &headers[at].1[end..]].concat();
        let mut others = headers.to_vec();
        others[at].1 = &changed;
        if let Ok(Some(presented)) = Presented::parse(&others) {
            assert!(presented.verify(key, rules, true, NOW_MS).is_err(), "{component} was changed");
        }
    }
}

fn fields_of(lines: &[u8]) -> Vec<(&str, &[u8])> {
    let lines = lines.split(|byte| *byte == b'\n').take(64);
    let fields = lines.filter_map(|line| {
        // Names of pseudo-headers begin with a colon.
        let colon = line.iter().skip(1).position(|byte| *byte == b':')? + 1;
        let name = std::str::from_utf8(&line[..colon]).ok()?;
        let value = &line[colon + 1..];
        Some((name, value.strip_prefix(b" ").unwrap_or(value)))
    });
    fields.collect()
}
