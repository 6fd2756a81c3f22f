//! The schema of the filter's resources, as descriptors. The messages of [`policy::wire`] are
//! written by hand, and bring none. The golden tests find a field that one of their resources sets
//! and that is missing here.

use prost_reflect::FieldDescriptor;
use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto,
};

use self::Of::{Bool, Bytes, Enum, Fixed64, Many, One, S32, S64, Secret, Text, Texts, U32, U64};

/// The package of the filter's messages.
pub(super) const PACKAGE: &str = "tenantry.filter.v1";

/// A field: its number, name and type.
struct Field(i32, &'static str, Of);

#[derive(Clone, Copy)]
enum Of {
    Bool,
    U32,
    U64,
    Fixed64,
    S32,
    S64,
    Text,
    Texts,
    Bytes,
    /// Bytes that are a secret, or derived from one: no tool prints them.
    Secret,
    Enum(&'static str),
    One(&'static str),
    Many(&'static str),
}

const MESSAGES: [(&str, &[Field]); 21] = [
    ("Host", &[Field(1, "site", Bytes), Field(2, "shared_api", Bool)]),
    ("KeyBucket", &[Field(1, "records", Secret)]),
    ("Sync", &[]),
    ("ConsumerBucket", &[Field(1, "consumers", Many("Consumer"))]),
    (
        "Consumer",
        &[
            Field(1, "id", Bytes),
            Field(2, "scopes", Texts),
            Field(3, "ip", One("IpRules")),
            Field(4, "limits", Many("LimitRule")),
            Field(5, "keys", Many("KeyDetail")),
            Field(6, "signing_keys", Many("SigningKey")),
        ],
    ),
    (
        "KeyDetail",
        &[
            Field(1, "id", Bytes),
            Field(2, "scopes", Texts),
            Field(3, "ip", One("IpRules")),
            Field(4, "limits", Many("LimitRule")),
        ],
    ),
    (
        "SigningKey",
        &[Field(1, "id", Bytes), Field(2, "ed25519", Bool), Field(3, "material", Secret)],
    ),
    (
        "SitePolicy",
        &[
            Field(1, "tenant", Bytes),
            Field(2, "forward_credentials", Bool),
            Field(3, "routes", Many("PolicyRoute")),
            Field(4, "key_sources", Many("KeySource")),
            Field(5, "requirement", One("Requirement")),
            Field(6, "challenges", Bool),
            Field(7, "ip", One("IpRules")),
            Field(8, "limits", Many("LimitRule")),
            Field(9, "rate_limit_headers_on_refusals_only", Bool),
            Field(10, "issuers", Many("Issuer")),
            Field(11, "signatures", One("SignatureRules")),
            Field(12, "plans", Many("Plan")),
            Field(13, "apis", Many("ApiPolicy")),
            Field(14, "offsets", Many("UtcOffset")),
            Field(15, "max_concurrent_requests", U32),
            Field(16, "weight", U32),
            Field(17, "suspended", Bool),
        ],
    ),
    (
        "PolicyRoute",
        &[
            Field(1, "id", Bytes),
            Field(2, "methods", U32),
            Field(3, "path", Text),
            Field(4, "requirement", One("Requirement")),
            Field(5, "scopes", Texts),
            Field(6, "limits", Many("LimitRule")),
            Field(7, "api", U32),
        ],
    ),
    ("ApiPolicy", &[Field(1, "id", Bytes), Field(2, "limits", Many("LimitRule"))]),
    ("Plan", &[Field(1, "number", U32), Field(2, "limits", Many("LimitRule"))]),
    ("Requirement", &[Field(1, "mode", Enum("RequirementMode")), Field(2, "methods", U32)]),
    ("KeySource", &[Field(1, "kind", Enum("KeySourceKind")), Field(2, "name", Text)]),
    ("IpRules", &[Field(1, "allow", Bytes), Field(2, "deny", Bytes)]),
    (
        "Issuer",
        &[
            Field(1, "id", Bytes),
            Field(2, "issuer", Text),
            Field(3, "algorithms", Texts),
            Field(4, "jwks", Text),
            Field(5, "secret", Secret),
            Field(6, "audiences", Texts),
            Field(7, "required_claims", Many("RequiredClaim")),
            Field(8, "leeway_s", U32),
            Field(9, "max_age_s", U32),
            Field(10, "consumer_claim", Text),
            Field(11, "require_consumer", Bool),
            Field(12, "scope_claim", Text),
            Field(13, "upstream_headers", Many("ClaimHeader")),
        ],
    ),
    ("RequiredClaim", &[Field(1, "claim", Text), Field(2, "value", Text)]),
    ("ClaimHeader", &[Field(1, "header", Text), Field(2, "claim", Text)]),
    (
        "SignatureRules",
        &[
            Field(1, "components", Texts),
            Field(2, "max_age_s", U32),
            Field(3, "skew_s", U32),
            Field(4, "require_nonce", Bool),
            Field(5, "require_content_digest", Bool),
            Field(6, "max_body_bytes", U32),
        ],
    ),
    ("UtcOffset", &[Field(1, "from_ms", S64), Field(2, "offset_s", S32)]),
    (
        "LimitRule",
        &[
            Field(1, "id", Fixed64),
            Field(2, "name", Text),
            Field(3, "measure", Enum("Measure")),
            Field(4, "requests", U64),
            Field(5, "burst", U32),
            Field(6, "by", Many("Dimension")),
            Field(7, "in_utc", Bool),
        ],
    ),
    ("Dimension", &[Field(1, "kind", Enum("DimensionKind")), Field(2, "name", Text)]),
];

/// The enumerations, with the names of their values from 0 on.
const ENUMS: [(&str, &[&str]); 4] = [
    ("RequirementMode", &["UNKNOWN_MODE", "PUBLIC", "ANY_OF", "ALL_OF"]),
    ("KeySourceKind", &["UNKNOWN_SOURCE", "BEARER", "BASIC", "HEADER", "QUERY"]),
    (
        "Measure",
        &[
            "UNKNOWN_MEASURE",
            "PER_SECOND",
            "PER_MINUTE",
            "PER_HOUR",
            "MINUTE",
            "HOUR",
            "DAY",
            "MONTH",
        ],
    ),
    (
        "DimensionKind",
        &[
            "UNKNOWN_DIMENSION",
            "BY_CONSUMER",
            "BY_KEY",
            "BY_API",
            "BY_ROUTE",
            "BY_CLIENT_IP",
            "BY_HEADER",
            "BY_CLAIM",
        ],
    ),
];

/// Returns true if the field of a message of the filter holds a secret.
pub(super) fn is_secret(field: &FieldDescriptor) -> bool {
    let message = field.parent_message();
    let of_message = MESSAGES.iter().find(|(name, _)| *name == message.name());
    of_message.is_some_and(|(_, fields)| {
        let is_field = |number: i32| u32::try_from(number) == Ok(field.number());
        fields.iter().any(|Field(number, _, of)| matches!(of, Secret) && is_field(*number))
    })
}

/// The file that declares the package.
pub(super) fn file() -> FileDescriptorProto {
    let messages = MESSAGES.iter().map(|(name, fields)| DescriptorProto {
        name: Some((*name).to_owned()),
        field: fields.iter().map(Field::descriptor).collect(),
        ..DescriptorProto::default()
    });
    let enums = ENUMS.iter().map(|(name, values)| EnumDescriptorProto {
        name: Some((*name).to_owned()),
        value: values
            .iter()
            .zip(0..)
            .map(|(name, number)| EnumValueDescriptorProto {
                name: Some((*name).to_owned()),
                number: Some(number),
                options: None,
            })
            .collect(),
        ..EnumDescriptorProto::default()
    });
    FileDescriptorProto {
        name: Some("tenantry/filter/v1/resources.proto".to_owned()),
        package: Some(PACKAGE.to_owned()),
        message_type: messages.collect(),
        enum_type: enums.collect(),
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    }
}

impl Field {
    fn descriptor(&self) -> FieldDescriptorProto {
        let Self(number, name, of) = self;
        let (kind, of_type) = match of {
            Bool => (Type::Bool, None),
            U32 => (Type::Uint32, None),
            U64 => (Type::Uint64, None),
            Fixed64 => (Type::Fixed64, None),
            S32 => (Type::Sint32, None),
            S64 => (Type::Sint64, None),
            Text | Texts => (Type::String, None),
            Bytes | Secret => (Type::Bytes, None),
            Enum(name) => (Type::Enum, Some(name)),
            One(name) | Many(name) => (Type::Message, Some(name)),
        };
        let repeated = matches!(of, Texts | Many(_));
        FieldDescriptorProto {
            name: Some((*name).to_owned()),
            number: Some(*number),
            label: Some(if repeated { Label::Repeated } else { Label::Optional } as i32),
            r#type: Some(kind as i32),
            type_name: of_type.map(|name| format!(".{PACKAGE}.{name}")),
            ..FieldDescriptorProto::default()
        }
    }
}
