//! The body of an error (RFC 9457).

use serde::Serialize;
use utoipa::ToSchema;

/// One field of the request that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The place of the field: `name`, `endpoints[0].port`, the name of a query parameter, or a
    /// JSON pointer into an imported document.
    #[schema(example = "endpoints[0].port")]
    pub field: String,
    /// The fault of the text.
    #[schema(example = "must be between 1 and 65535")]
    pub message: String,
}

impl FieldError {
    /// A field and its fault.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// The body of an error (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// The kind of problem; programs should look at this.
    #[schema(example = "urn:tenantry:problem:invalid")]
    pub(super) r#type: String,
    /// The kind of problem in words, always the same for one type.
    pub(super) title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub(super) status: u16,
    /// The fault of this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) detail: Option<String>,
    /// The fields that are wrong, if any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(super) errors: Vec<FieldError>,
    /// The limit of the platform plan that is reached, if it is that.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) limit: Option<ReachedLimit>,
}

/// A limit of the tenant's platform plan that is reached.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReachedLimit {
    /// Its name, as in the tenant's limits.
    #[schema(example = "keys")]
    pub(super) name: &'static str,
    /// The allowance.
    pub(super) allowed: i64,
    /// The use.
    pub(super) used: i64,
}

impl ProblemBody {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }
}
