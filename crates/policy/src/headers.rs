//! A header map in the form in which the proxy-wasm ABI hands it over.

/// The most headers that are read. Envoy's own limit at the edge is lower; a map with more is not
/// read at all.
const MAX_HEADERS: usize = 1024;

/// One name, in lower case, and value.
pub type Header<'a> = (&'a [u8], &'a [u8]);

/// Reads a serialised map into a list; nothing else is copied.
///
/// `None` if the bytes are no such map.
pub fn parse(map: &[u8]) -> Option<Vec<Header<'_>>> {
    let pairs = pairs(map)?;
    let mut headers = Vec::with_capacity(pairs.lengths.len());
    for header in pairs {
        headers.push(header?);
    }
    Some(headers)
}

/// The pairs of a serialised map (proxy-wasm ABI 0.2.1, "Serialized map"): their number, then the
/// lengths of each name and value, then each name and value with a NUL behind it; numbers are 32
/// bits, little endian. A pair that is cut is `None`.
///
/// `None` if the bytes are no such map. No bytes are a map without pairs.
pub fn pairs(map: &[u8]) -> Option<Pairs<'_>> {
    let (count, rest) = if map.is_empty() { (&[0; 4], map) } else { map.split_first_chunk::<4>()? };
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    if count > MAX_HEADERS {
        return None;
    }
    let (lengths, content) = rest.split_at_checked(count.checked_mul(8)?)?;
    Some(Pairs { lengths: lengths.as_chunks::<8>().0.iter(), content, at: 0 })
}

/// The rest of a map that is being read.
#[derive(Debug)]
pub struct Pairs<'a> {
    lengths: std::slice::Iter<'a, [u8; 8]>,
    content: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Option<Header<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let [a, b, c, d, e, f, g, h] = *self.lengths.next()?;
        let [name, value] = [[a, b, c, d], [e, f, g, h]].map(u32::from_le_bytes);
        let mut text = |len| terminated(self.content, &mut self.at, len);
        Some(text(name).and_then(|name| Some((name, text(value)?))))
    }
}

/// The text of this length at a place, which moves behind it and the NUL at its end.
fn terminated<'a>(content: &'a [u8], at: &mut usize, len: u32) -> Option<&'a [u8]> {
    let end = at.checked_add(usize::try_from(len).ok()?)?;
    if *content.get(end)? != 0 {
        return None;
    }
    let text = content.get(*at..end)?;
    *at = end + 1;
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn serialised(pairs: &[Header<'_>]) -> Vec<u8> {
        let mut map = u32::try_from(pairs.len()).expect("few").to_le_bytes().to_vec();
        for (name, value) in pairs {
            map.extend(u32::try_from(name.len()).expect("short").to_le_bytes());
            map.extend(u32::try_from(value.len()).expect("short").to_le_bytes());
        }
        for (name, value) in pairs {
            map.extend([*name, b"\0", value, b"\0"].concat());
        }
        map
    }

    fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..most)
    }

    proptest! {
        #[test]
        fn what_was_serialised_is_read(
            pairs in prop::collection::vec((bytes(20), bytes(40)), 0..20),
        ) {
            let pairs = pairs.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
            let pairs: Vec<_> = pairs.collect();
            let map = serialised(&pairs);
            prop_assert_eq!(parse(&map), Some(pairs));
        }

        #[test]
        fn no_bytes_are_trouble(map in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&map);
        }

        #[test]
        fn a_map_that_was_cut_is_none(at in 1_usize..40) {
            let map = serialised(&[(b":path", b"/"), (b"accept", b"text/plain")]);
            prop_assert_eq!(parse(map.get(..map.len() - at).unwrap_or(&[0])), None);
        }
    }
}
