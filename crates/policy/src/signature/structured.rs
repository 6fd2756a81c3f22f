//! Structured field values (RFC 9651) in strict form, as `;sf` and `;key` cover them.

use sfv::{Dictionary, FieldType, Item, List, ListSerializer, Parser};

/// The type of a structured field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Dictionary,
    Item,
    List,
}

/// The request fields to which IANA's registry of field names gives a structured type, sorted by
/// name. The type of any other field is not known here, and a wrong guess would cover another value
/// than the signer meant.
const KINDS: &[(&str, Kind)] = &[
    ("available-dictionary", Kind::Item),
    ("capsule-protocol", Kind::Item),
    ("client-cert", Kind::Item),
    ("client-cert-chain", Kind::List),
    ("content-digest", Kind::Dictionary),
    ("dictionary-id", Kind::Item),
    ("priority", Kind::Dictionary),
    ("repr-digest", Kind::Dictionary),
    ("signature", Kind::Dictionary),
    ("signature-input", Kind::Dictionary),
    ("want-content-digest", Kind::Dictionary),
    ("want-repr-digest", Kind::Dictionary),
];

/// The type of a field; `None` where it is not known.
pub(super) fn kind_of(name: &str) -> Option<Kind> {
    let at = KINDS.binary_search_by_key(&name, |(known, _)| known).ok()?;
    KINDS.get(at).map(|(_, kind)| *kind)
}

/// The strict form of a value (RFC 9421 section 2.1.1). `None` for a value that is not of the type,
/// and for an empty list or dictionary, which is no field at all (RFC 9651 section 4.1).
pub(super) fn strict(kind: Kind, value: &[u8]) -> Option<String> {
    match kind {
        Kind::Dictionary => Parser::new(value).parse::<Dictionary>().ok()?.serialize(),
        Kind::List => Parser::new(value).parse::<List>().ok()?.serialize(),
        Kind::Item => Some(Parser::new(value).parse::<Item>().ok()?.serialize()),
    }
}

/// The strict form of one member of a dictionary (RFC 9421 section 2.1.2); `None` if there is no
/// such member.
pub(super) fn member(value: &[u8], key: &str) -> Option<String> {
    let dictionary: Dictionary = Parser::new(value).parse().ok()?;
    let mut list = ListSerializer::new();
    list.members([dictionary.get(key)?]);
    list.finish()
}
