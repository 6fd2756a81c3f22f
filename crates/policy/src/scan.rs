//! Looking through bytes eight at a time: the filter looks for a slash or a question mark in each
//! request, and byte by byte that takes several times as many instructions.

/// One in each byte, and the highest bit of each.
const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The index of the first byte that is `wanted`.
pub(crate) fn position(text: &[u8], wanted: u8) -> Option<usize> {
    let pattern = ONES.wrapping_mul(u64::from(wanted));
    let (words, rest) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let found = zeros(u64::from_le_bytes(*word) ^ pattern);
        if found != 0 {
            return Some(index * 8 + first(found));
        }
    }
    let found = zeros(short(rest) ^ pattern);
    // A search for zero may also find the padding behind the end.
    Some(first(found)).filter(|at| *at < rest.len()).map(|at| words.len() * 8 + at)
}

/// All that matters about a path's characters, found in one go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PathBytes {
    /// A backslash, a `#`, a blank or a control character is among them.
    pub(crate) forbidden: bool,
    /// A `%` is among them.
    pub(crate) percent: bool,
}

impl PathBytes {
    /// Looks at a path.
    pub(crate) fn of(path: &[u8]) -> Self {
        let (words, rest) = path.as_chunks::<8>();
        let (mut forbidden, mut percent) = (0, 0);
        let mut look = |word: u64| {
            forbidden |=
                not_above_blank(word) | equal(word, b'\\') | equal(word, b'#') | equal(word, 0x7f);
            percent |= equal(word, b'%');
        };
        words.iter().for_each(|word| look(u64::from_le_bytes(*word)));
        // Slashes beyond the end: a zero would be forbidden.
        let unused = rest.len() * 8;
        let slashes = ONES
            .wrapping_mul(u64::from(b'/'))
            .checked_shl(u32::try_from(unused).unwrap_or(0))
            .unwrap_or(0);
        look(short(rest) | slashes);
        Self { forbidden: forbidden != 0, percent: percent != 0 }
    }
}

/// Up to eight bytes as a word, the first one lowest, zeros beyond the end.
pub(crate) fn short(bytes: &[u8]) -> u64 {
    // Two reads that may overlap, for any length: no loop.
    if let (Some(start), Some(end)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let beyond = bytes.len().min(8) - 4;
        u64::from(u32::from_le_bytes(*start)) | u64::from(u32::from_le_bytes(*end)) << (8 * beyond)
    } else if let (Some(start), Some(end)) = (bytes.first_chunk::<2>(), bytes.last_chunk::<2>()) {
        let beyond = bytes.len() - 2;
        u64::from(u16::from_le_bytes(*start)) | u64::from(u16::from_le_bytes(*end)) << (8 * beyond)
    } else {
        bytes.first().copied().map_or(0, u64::from)
    }
}

/// The highest bit of each byte that is zero; above the first of them, perhaps of others.
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

/// Not zero if a byte is `wanted`.
fn equal(word: u64, wanted: u8) -> u64 {
    zeros(word ^ ONES.wrapping_mul(u64::from(wanted)))
}

/// Not zero if a byte is a blank or a control character.
fn not_above_blank(word: u64) -> u64 {
    word.wrapping_sub(ONES * 0x21) & !word & HIGHS
}

/// The index of the first byte of which the highest bit is set; 8 if there is none.
fn first(found: u64) -> usize {
    usize::try_from(found.trailing_zeros() / 8).unwrap_or(8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_byte_is_found_where_a_plain_search_finds_it(
            text in prop::collection::vec(any::<u8>(), 0..40),
            wanted in any::<u8>(),
        ) {
            prop_assert_eq!(position(&text, wanted), text.iter().position(|byte| *byte == wanted));
        }

        #[test]
        fn a_slash_is_found_among_its_neighbours(
            text in prop::collection::vec(b'.'..=b'1', 0..40),
        ) {
            prop_assert_eq!(position(&text, b'/'), text.iter().position(|byte| *byte == b'/'));
        }

        #[test]
        fn a_path_is_judged_as_byte_by_byte(
            path in prop::collection::vec(prop_oneof![4 => b'!'..=b'~', 1 => any::<u8>()], 0..40),
        ) {
            let forbidden = path.iter().any(|byte| matches!(byte, b'\\' | b'#' | 0..=0x20 | 0x7f));
            let expected = PathBytes { forbidden, percent: path.contains(&b'%') };
            prop_assert_eq!(PathBytes::of(&path), expected);
        }

        #[test]
        fn a_short_text_is_its_bytes(text in prop::collection::vec(any::<u8>(), 0..=8)) {
            let word = text.iter().rev().fold(0, |word: u64, byte| word << 8 | u64::from(*byte));
            prop_assert_eq!(short(&text), word);
        }
    }
}
