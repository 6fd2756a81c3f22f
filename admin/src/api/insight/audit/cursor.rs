//! The place at which the next page of the log begins.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use store::audit::Position;
use uuid::Uuid;

use super::query::SECONDS;

/// The first byte of a cursor, so that none is taken for another list's: in one chain, and over all
/// of them.
const IN_CHAIN: u8 = 3;
const OVER_ALL: u8 = 4;

/// The cursor of the rows before a row of one chain.
pub(super) fn place_in_chain(seq: i64) -> String {
    let mut bytes = vec![IN_CHAIN];
    bytes.extend_from_slice(&seq.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads it again.
pub(super) fn read_place_in_chain(text: &str) -> Option<i64> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (form, seq) = bytes.split_first()?;
    if *form == IN_CHAIN { Some(i64::from_be_bytes(seq.try_into().ok()?)) } else { None }
}

/// The cursor of the rows before a row of all chains.
pub(super) fn place_of(position: &Position) -> String {
    let mut bytes = vec![OVER_ALL];
    bytes.extend_from_slice(&position.at.timestamp_micros().to_be_bytes());
    bytes.extend_from_slice(position.tenant.as_bytes());
    bytes.extend_from_slice(&position.seq.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads it again.
pub(super) fn read_place(text: &str) -> Option<Position> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (form, rest) = bytes.split_first()?;
    let (at, rest) = rest.split_first_chunk::<8>()?;
    let (tenant, seq) = rest.split_first_chunk::<16>()?;
    let at = DateTime::from_timestamp_micros(i64::from_be_bytes(*at))?;
    let seq = i64::from_be_bytes(seq.try_into().ok()?);
    let known = *form == OVER_ALL && SECONDS.contains(&at.timestamp());
    known.then_some(Position { at, tenant: Uuid::from_bytes(*tenant), seq })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_read_back_and_are_not_taken_for_one_another() {
        let position = Position {
            at: DateTime::from_timestamp_micros(1_775_558_700_000_001).unwrap(),
            tenant: Uuid::max(),
            seq: 9,
        };
        assert_eq!(read_place(&place_of(&position)), Some(position));
        assert_eq!(read_place_in_chain(&place_in_chain(7)), Some(7));
        assert_eq!(read_place(&place_in_chain(7)), None);
        assert_eq!(read_place_in_chain(&place_of(&position)), None);
        for wrong in ["", "!", "Aw", "AAAAAAAAAAAA"] {
            assert_eq!((read_place(wrong), read_place_in_chain(wrong)), (None, None), "{wrong}");
        }
    }
}
