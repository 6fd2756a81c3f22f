//! The parts of an operation that follow from its method, its path and its permission.

use axum::http::Method;
use utoipa::openapi::extensions::{Extensions, ExtensionsBuilder};
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Ref, RefOr, ResponseBuilder};

use super::answers::{EVERYWHERE, NOT_EVERYWHERE, PROBLEMS, text, with_receipt};
use super::parameters::{header_parameters, wait_parameter};
use crate::rights::permissions::Who;
use crate::rights::table;

pub(super) const OPERATOR: &str = "operator_token";
pub(super) const SERVICE: &str = "service_token";
pub(super) const ACCESS: &str = "access_token";

/// Adds the parts that follow from the method, the path and the permission of an operation.
pub(super) fn complete_operation(path: &str, method: &Method, operation: &mut Operation) {
    // utoipa takes the first paragraph of a handler's documentation as the summary, and the rest as
    // the description.
    if operation.description.is_none() {
        operation.description.clone_from(&operation.summary);
    }
    let row = operation.operation_id.as_deref().and_then(table::find);
    let (who, more) = row.map_or((Who::Operator, &[][..]), |row| (row.who, row.answers));
    show_role(operation, who);
    for (status, name) in more {
        let reference = RefOr::Ref(Ref::from_response_name(*name));
        operation.responses.responses.insert((*status).into(), reference);
    }
    if who == Who::Anyone {
        complete_open_operation(path, operation);
        return;
    }
    let single = path.ends_with('}');
    for status in statuses(path, method, operation) {
        if let Some((name, ..)) = PROBLEMS.iter().find(|(_, known, _)| *known == status) {
            let reference = RefOr::Ref(Ref::from_response_name(*name));
            operation.responses.responses.insert(status.into(), reference);
        }
    }
    if single && *method == Method::GET {
        let unchanged = ResponseBuilder::new()
            .description("The object still has the entity tag of `If-None-Match`.")
            .build();
        operation.responses.responses.insert("304".into(), RefOr::T(unchanged));
    }
    if !method.is_safe() {
        operation.responses.responses.insert("202".into(), RefOr::T(with_receipt(NOT_EVERYWHERE)));
    }
    if *method == Method::DELETE && operation.responses.responses.contains_key("204") {
        operation.responses.responses.insert("200".into(), RefOr::T(with_receipt(EVERYWHERE)));
    }
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        response.headers.insert("x-request-id".into(), text("The id of the request, for the log."));
        let object = single && matches!(status.as_str(), "200" | "304");
        if object || status == "201" {
            response
                .headers
                .insert("ETag".into(), text("The revision of the object, for `If-Match`."));
        }
        if status == "201" {
            response.headers.insert("Location".into(), text("The path of the new object."));
        }
        if *method == Method::POST {
            let description =
                "`true` if the request was a repetition, and this is the answer of its first run.";
            response.headers.insert("Idempotency-Replayed".into(), text(description));
        }
    }
    let parameters = operation.parameters.get_or_insert_with(Vec::new);
    parameters.extend(header_parameters(method, single));
    if !method.is_safe() {
        parameters.push(wait_parameter());
    }
}

/// Adds the answers of an operation that is open to everybody.
fn complete_open_operation(path: &str, operation: &mut Operation) {
    if !path.starts_with("/v1/") {
        return;
    }
    let mut answers = vec![("429", "TooOften"), ("500", "Internal"), ("503", "Unavailable")];
    if operation.request_body.is_some() {
        answers.extend([
            ("400", "BadRequest"),
            ("408", "SlowBody"),
            ("413", "TooLarge"),
            ("415", "UnsupportedMediaType"),
            ("422", "Unprocessable"),
        ]);
    }
    for (status, name) in answers {
        operation
            .responses
            .responses
            .insert(status.into(), RefOr::Ref(Ref::from_response_name(name)));
    }
    for response in operation.responses.responses.values_mut() {
        let RefOr::T(response) = response else { continue };
        response.headers.insert("x-request-id".into(), text("The id of the request, for the log."));
    }
}

/// Shows the callers that may use it, and their tokens.
fn show_role(operation: &mut Operation, who: Who) {
    let role = ExtensionsBuilder::new().add("x-tenantry-role", who.name()).build();
    operation.extensions.get_or_insert_with(Extensions::default).merge(role);
    if who != Who::Anyone {
        let description = operation.description.take().unwrap_or_default();
        operation.description = Some(format!("{description}\n\n{}", who.text()));
    }
    let schemes: &[&str] = match who {
        Who::Anyone => &[],
        Who::Account => &[ACCESS],
        Who::Operator => &[OPERATOR],
        Who::AdminInPerson => &[OPERATOR, ACCESS],
        Who::Member | Who::Viewer | Who::Developer | Who::TenantDeveloper | Who::Admin => {
            &[OPERATOR, ACCESS, SERVICE]
        }
    };
    let requirement = |scheme: &&str| SecurityRequirement::new(*scheme, Vec::<String>::new());
    operation.security = Some(schemes.iter().map(requirement).collect());
}

/// The statuses of the problems that it can have.
fn statuses(path: &str, method: &Method, operation: &Operation) -> Vec<&'static str> {
    let mut statuses = vec!["401", "403", "429", "500", "503"];
    // An object that a body names may be absent, too: then the handler says so.
    if path.contains('{') || operation.responses.responses.contains_key("404") {
        statuses.push("404");
    }
    let has_query = operation
        .parameters
        .iter()
        .flatten()
        .any(|parameter| parameter.parameter_in == ParameterIn::Query);
    if has_query || operation.request_body.is_some() {
        statuses.push("422");
    }
    if operation.request_body.is_some() {
        statuses.extend(["400", "408", "413", "415"]);
    }
    match *method {
        Method::POST => statuses.extend(["400", "409", "422"]),
        // By `wait`, any write has a query.
        Method::PATCH | Method::DELETE => statuses.extend(["400", "409", "412", "422"]),
        _ => {}
    }
    statuses
}
