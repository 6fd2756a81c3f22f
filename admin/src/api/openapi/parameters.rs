//! The parameters that operations share.

use axum::http::Method;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{ObjectBuilder, Required, Type};

use crate::bounds;
use crate::receipt;

/// `wait`, which all writes have.
pub(super) fn wait_parameter() -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .maximum(Some(receipt::MAX_WAIT as f64));
    ParameterBuilder::new()
        .name(receipt::PARAMETER)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(
            "Answer when every connected Envoy of the tenant's cells has the change, with a \
             `receipt` that shows it; or with 202 when so many seconds are over. After the \
             revocation of a key, `acked` of `envoys` refuse it. Without it, the answer does not \
             wait.",
        ))
        .schema(Some(schema.build()))
        .build()
}

/// The headers that follow from the method; `single` if the path names one object.
pub(super) fn header_parameters(method: &Method, single: bool) -> Vec<Parameter> {
    let given = match *method {
        Method::POST => (
            "Idempotency-Key",
            "Any text that is new for this request. For 24 hours a repetition with the same key \
             has no further effect, and gets the same answer.",
        ),
        Method::PATCH | Method::DELETE => {
            ("If-Match", "Make the change only if the object still has this entity tag.")
        }
        Method::GET if single => {
            ("If-None-Match", "Answer 304 if the object still has this entity tag.")
        }
        _ => return Vec::new(),
    };
    let (name, description) = given;
    let mut schema = ObjectBuilder::new().schema_type(Type::String);
    schema = match *method {
        Method::POST => schema.min_length(Some(1)).max_length(Some(bounds::HEADER_ID_CHARS)),
        Method::GET => schema,
        // RFC 9110 section 8.8.3, without the list.
        _ => schema.pattern(Some(r#"^(\*|(W/)?"[\x21\x23-\x7e]*")$"#)),
    };
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema.build()));
    vec![parameter.build()]
}
