//! The schemas of an issuer in bodies and answers: the fields of its settings stand beside others
//! in one object.

use std::borrow::Cow;

use policy::settings;
use utoipa::openapi::schema::{KnownFormat, SchemaFormat};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::body::NewIssuer;
use super::model::Issuer;

/// A field beside those of the settings: name, schema, whether it is always there.
type Field = (&'static str, ObjectBuilder, bool);

/// The object of an issuer's settings, with more fields.
fn issuer_with(description: &str, strict: bool, fields: Vec<Field>) -> RefOr<Schema> {
    let mut schema = settings::Issuer::schema();
    if let RefOr::T(Schema::Object(object)) = &mut schema {
        object.description = Some(description.to_owned());
        if !strict {
            object.additional_properties = None;
        }
        for (name, field, always) in fields {
            object.properties.insert(name.to_owned(), RefOr::T(Schema::Object(field.build())));
            if always {
                object.required.push(name.to_owned());
            }
        }
    }
    schema
}

fn text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description))
}

impl PartialSchema for NewIssuer {
    fn schema() -> RefOr<Schema> {
        let secret = text(
            "The secret that HS256, HS384 and HS512 need: the text's bytes in UTF-8, at least 32, \
             48 and 64 of them. It is never shown.",
        );
        let secret = secret.min_length(Some(32)).max_length(Some(1_024)).write_only(Some(true));
        issuer_with("What an issuer is made of.", true, vec![("shared_secret", secret, false)])
    }
}

impl ToSchema for NewIssuer {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("NewIssuer")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        settings::Issuer::schemas(schemas);
    }
}

impl PartialSchema for Issuer {
    fn schema() -> RefOr<Schema> {
        let format = |format| {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .format(Some(SchemaFormat::KnownFormat(format)))
        };
        let fields = vec![
            ("id", format(KnownFormat::Uuid), true),
            ("created_at", format(KnownFormat::DateTime), true),
            ("updated_at", format(KnownFormat::DateTime), true),
        ];
        issuer_with("Whose tokens a site accepts. Its shared secret is not shown.", false, fields)
    }
}

impl ToSchema for Issuer {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Issuer")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        settings::Issuer::schemas(schemas);
    }
}
