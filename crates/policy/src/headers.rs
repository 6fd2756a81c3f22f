//! A header map in the form in which the proxy-wasm ABI hands it over.

/// The most headers that are read. Envoy's own limit at the edge is lower; a map with more is not read at all.
const MAX_HEADERS: usize = 1024;

/// One name, in lower case, and value.
pub type Header<'a> = (&'a str, &'a [u8]);

/// Reads a serialised map (proxy-wasm ABI 0.2.1, "Serialized map"): the number of pairs, then the lengths of each name and
/// value, then each name and value with a NUL behind it; numbers are 32 bits, little endian. Nothing is copied.
///
/// `None` if the bytes are no such map. A pair whose name is no UTF-8 text is left out: no header that matters has one.
pub fn parse(map: &[u8]) -> Option<Vec<Header<'_>>> {
    if map.is_empty() {
        return Some(Vec::new());
    }
    let (count, rest) = number(map)?;
    if count > MAX_HEADERS {
        return None;
    }
    let (lengths, mut content) = rest.split_at_checked(count.checked_mul(8)?)?;
    let (lengths, _) = lengths.as_chunks::<8>();
    // All of it at once, as long as all of it is text, is several times as fast as name by name.
    let whole = std::str::from_utf8(content).ok();
    let whole_len = content.len();
    let mut headers = Vec::with_capacity(count);
    for pair in lengths {
        let (name_len, value_len) = number(pair)?;
        let (value_len, _) = number(value_len)?;
        let at = whole_len - content.len();
        let (name, after) = terminated(content, name_len)?;
        let (value, after) = terminated(after, value_len)?;
        content = after;
        let name = match whole {
            Some(whole) => whole.get(at..at + name_len),
            None => std::str::from_utf8(name).ok(),
        };
        if let Some(name) = name {
            headers.push((name, value));
        }
    }
    Some(headers)
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*number)).ok()?, rest))
}

fn terminated(bytes: &[u8], len: usize) -> Option<(&[u8], &[u8])> {
    let (text, rest) = bytes.split_at_checked(len)?;
    Some((text, rest.strip_prefix(b"\0")?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn serialised(pairs: &[(&str, &[u8])]) -> Vec<u8> {
        let mut map = u32::try_from(pairs.len()).expect("few").to_le_bytes().to_vec();
        for (name, value) in pairs {
            map.extend(u32::try_from(name.len()).expect("short").to_le_bytes());
            map.extend(u32::try_from(value.len()).expect("short").to_le_bytes());
        }
        for (name, value) in pairs {
            map.extend([name.as_bytes(), b"\0", value, b"\0"].concat());
        }
        map
    }

    proptest! {
        #[test]
        fn what_was_serialised_is_read(pairs in prop::collection::vec((".{0,20}", prop::collection::vec(any::<u8>(), 0..40)), 0..20)) {
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
            let map = serialised(&pairs);
            prop_assert_eq!(parse(&map), Some(pairs));
        }

        #[test]
        fn no_bytes_are_trouble(map in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&map);
        }

        #[test]
        fn a_map_that_was_cut_is_none(at in 1_usize..40) {
            let map = serialised(&[(":path", b"/"), ("accept", b"text/plain")]);
            prop_assert_eq!(parse(map.get(..map.len() - at).unwrap_or(&[0])), None);
        }
    }
}
