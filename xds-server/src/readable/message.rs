//! One message as JSON.

use policy::id::Uuid;
use prost_reflect::{DynamicMessage, Kind, SerializeOptions, Value as Field};
use serde_json::{Map, Value, json};

use super::descriptors;
use super::filter_schema::{PACKAGE, is_secret};

/// The JSON of a message. One of a type that is not known here, or that cannot be read, is shown by
/// its size.
pub(super) fn readable(type_url: &str, bytes: &[u8]) -> Value {
    let name = type_url.strip_prefix("type.googleapis.com/").unwrap_or(type_url);
    known(name, bytes).unwrap_or_else(|| json!({ "unreadable_bytes": bytes.len() }))
}

fn known(name: &str, bytes: &[u8]) -> Option<Value> {
    let descriptor = descriptors::pool()?.get_message_by_name(name)?;
    let message = DynamicMessage::decode(descriptor, bytes).ok()?;
    if name.strip_prefix(PACKAGE).is_some_and(|rest| rest.starts_with('.')) {
        return Some(of_filter(&message));
    }
    let options = SerializeOptions::new().use_proto_field_name(true);
    message.serialize_with_options(serde_json::value::Serializer, &options).ok()
}

/// A message of the filter. Fields that the schema does not have are counted: the message is of
/// another version.
fn of_filter(message: &DynamicMessage) -> Value {
    let mut fields = Map::new();
    for (field, value) in message.fields() {
        let shown = match value {
            Field::Bytes(bytes) if is_secret(&field) => json!({ "left_out_bytes": bytes.len() }),
            value => of_field(&field.kind(), value),
        };
        fields.insert(field.name().to_owned(), shown);
    }
    let unknown = message.unknown_fields().count();
    if unknown > 0 {
        fields.insert("unknown_fields".to_owned(), unknown.into());
    }
    Value::Object(fields)
}

fn of_field(kind: &Kind, value: &Field) -> Value {
    match value {
        Field::Bool(value) => (*value).into(),
        Field::I32(value) => (*value).into(),
        Field::I64(value) => (*value).into(),
        Field::U32(value) => (*value).into(),
        Field::U64(value) => (*value).into(),
        Field::F32(value) => (*value).into(),
        Field::F64(value) => (*value).into(),
        Field::String(value) => value.as_str().into(),
        Field::Bytes(bytes) => of_bytes(bytes).into(),
        Field::EnumNumber(number) => {
            let known = kind.as_enum().and_then(|names| names.get_value(*number));
            known.map_or((*number).into(), |value| value.name().into())
        }
        Field::Message(message) => of_filter(message),
        Field::List(items) => items.iter().map(|item| of_field(kind, item)).collect(),
        // The filter has none.
        Field::Map(entries) => json!({ "entries": entries.len() }),
    }
}

/// The id of something, or bytes in hexadecimal.
fn of_bytes(bytes: &[u8]) -> String {
    match <[u8; 16]>::try_from(bytes) {
        Ok(id) => Uuid::from_bytes(id).to_string(),
        Err(_) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use policy::wire::{Consumer, ConsumerBucket, Host, Issuer, SigningKey, SitePolicy};
    use prost::Message as _;
    use serde_json::json;

    use super::*;

    fn shown(name: &str, message: &impl prost::Message) -> Value {
        readable(
            &format!("type.googleapis.com/tenantry.filter.v1.{name}"),
            &message.encode_to_vec(),
        )
    }

    #[test]
    fn secrets_are_left_out() {
        let secret = b"hunter2".to_vec();
        let issuer =
            Issuer { issuer: "i".to_owned(), secret: secret.clone(), ..Default::default() };
        let policy = SitePolicy { issuers: vec![issuer], ..Default::default() };
        let expected = json!({"issuers": [{"issuer": "i", "secret": {"left_out_bytes": 7}}]});
        assert_eq!(shown("SitePolicy", &policy), expected);

        let key = SigningKey { id: vec![1; 16], ed25519: false, material: secret };
        let consumer = Consumer { signing_keys: vec![key], ..Default::default() };
        let bucket = ConsumerBucket { consumers: vec![consumer] };
        let text = shown("ConsumerBucket", &bucket).to_string();
        let hex = "68756e74657232";
        assert!(!text.contains("hunter2") && !text.contains(hex), "{text}");
        assert!(text.contains("01010101-0101-0101-0101-010101010101"), "{text}");
    }

    #[test]
    fn a_field_of_a_later_version_is_counted() {
        let mut bytes = Host { site: vec![1, 2], shared_api: true }.encode_to_vec();
        // Field 1000, a number.
        bytes.extend([0xc0, 0x3e, 0x01]);
        let shown = readable("type.googleapis.com/tenantry.filter.v1.Host", &bytes);
        assert_eq!(shown, json!({"site": "0102", "shared_api": true, "unknown_fields": 1}));
    }

    #[test]
    fn a_message_that_cannot_be_read_is_shown_by_its_size() {
        for (url, bytes) in [
            ("type.googleapis.com/tenantry.filter.v1.Host", &[0xff, 0xff][..]),
            ("type.googleapis.com/tenantry.filter.v9.Host", &[8, 1]),
        ] {
            assert_eq!(readable(url, bytes), json!({"unreadable_bytes": 2}), "{url}");
        }
    }
}
