//! A discovery response, read in place: the mirror copies nothing of it but the values that it
//! writes.

/// `envoy.service.discovery.v3.DeltaDiscoveryResponse`, in part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response<'a> {
    /// The resources that were added or changed.
    pub resources: Vec<Part<'a>>,
    /// The type that this message is about.
    pub type_url: &'a str,
    /// To be given back in the answer.
    pub nonce: &'a str,
    /// The names of resources that are gone.
    pub removed: Vec<&'a str>,
}

/// `envoy.service.discovery.v3.Resource`, in part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part<'a> {
    /// Unique in its type.
    pub name: &'a str,
    /// The hash of the content.
    pub version: &'a str,
    /// The content, without its type; `None` if there is none.
    pub value: Option<&'a [u8]>,
}

impl<'a> Response<'a> {
    /// Reads a message; `None` if it is none.
    pub fn read(message: &'a [u8]) -> Option<Self> {
        let mut response = Self::default();
        each_field(message, |number, bytes| {
            match number {
                2 => response.resources.push(Part::read(bytes)?),
                4 => response.type_url = text(bytes)?,
                5 => response.nonce = text(bytes)?,
                6 => response.removed.push(text(bytes)?),
                _ => {}
            }
            Some(())
        })?;
        Some(response)
    }
}

impl<'a> Part<'a> {
    fn read(message: &'a [u8]) -> Option<Self> {
        let mut part = Self::default();
        each_field(message, |number, bytes| {
            match number {
                1 => part.version = text(bytes)?,
                2 => part.value = Some(content(bytes)?),
                3 => part.name = text(bytes)?,
                _ => {}
            }
            Some(())
        })?;
        Some(part)
    }
}

/// The value of a `google.protobuf.Any`.
fn content(any: &[u8]) -> Option<&[u8]> {
    let mut value: &[u8] = &[];
    each_field(any, |number, bytes| {
        if number == 2 {
            value = bytes;
        }
        Some(())
    })?;
    Some(value)
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Calls back with each field that has a length, by its number, and skips the others (Protocol
/// Buffers, "Encoding"). `None` if the bytes are no message.
fn each_field<'a>(
    mut rest: &'a [u8],
    mut field: impl FnMut(usize, &'a [u8]) -> Option<()>,
) -> Option<()> {
    while !rest.is_empty() {
        let tag = prost::decode_length_delimiter(&mut rest).ok()?;
        let len = match tag & 7 {
            0 => {
                prost::encoding::decode_varint(&mut rest).ok()?;
                continue;
            }
            1 => 8,
            2 => prost::decode_length_delimiter(&mut rest).ok()?,
            5 => 4,
            _ => return None,
        };
        let (bytes, after) = rest.split_at_checked(len)?;
        rest = after;
        if tag & 7 == 2 {
            field(tag >> 3, bytes)?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;
    use crate::mirror_wire::{Any, DeltaDiscoveryResponse, Resource};

    proptest! {
        #[test]
        fn it_reads_what_is_encoded_and_anything_else_does_no_harm(
            names in prop::collection::vec("[a-z.]{0,12}", 0..4),
            value in prop::collection::vec(any::<u8>(), 0..300),
            junk in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let resource = |name: &String| Resource {
                name: name.clone(),
                version: "v".to_owned(),
                resource: (!name.is_empty())
                    .then(|| Any { type_url: "t".to_owned(), value: value.clone() }),
            };
            let message = DeltaDiscoveryResponse {
                resources: names.iter().map(resource).collect(),
                type_url: "type".to_owned(),
                nonce: "7".to_owned(),
                removed_resources: names.clone(),
            };
            let bytes = message.encode_to_vec();
            let read = Response::read(&bytes).expect("a message");
            prop_assert_eq!(&read.removed, &names);
            prop_assert_eq!((read.type_url, read.nonce), ("type", "7"));
            for (part, name) in read.resources.iter().zip(&names) {
                let expected = (!name.is_empty()).then_some(value.as_slice());
                prop_assert_eq!((part.name, part.version, part.value), (&**name, "v", expected));
            }
            let _ = Response::read(&junk);
            let _ = Response::read(bytes.get(..bytes.len() / 2).unwrap_or_default());
        }
    }
}
