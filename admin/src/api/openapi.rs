//! The OpenAPI document: utoipa collects it from the handlers, and this file adds the parts that
//! all operations share.

use axum::Router;
use axum::http::Method;
use utoipa::openapi::extensions::{Extensions, ExtensionsBuilder};
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::Tag;
use utoipa::openapi::{
    Components, Content, Info, License, Object, ObjectBuilder, OpenApi, OpenApiBuilder, PathItem,
    Paths, Ref, RefOr, Required, Response, ResponseBuilder, Schema, Server, Type,
};
use utoipa::{PartialSchema as _, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use crate::bounds;
use crate::http::problem::{FieldError, KINDS, Kind, PROBLEM_JSON, ProblemBody, ReachedLimit};
use crate::receipt::{self, PendingEnvoy, Receipt, Refusal};
use crate::rights::access::operations;
use crate::rights::nouns::TAGS;
use crate::rights::permissions::Who;
use crate::rights::table;

/// The tokens that prove the identity of a caller: name, form, description.
const SCHEMES: [(&str, &str, &str); 3] = [
    (OPERATOR, "opaque", "An operator token, `tno_` and 40 letters and digits."),
    (SERVICE, "opaque", "A service token of a tenant, `tns_` and 40 letters and digits."),
    (ACCESS, "JWT", "The access token of a person who has logged in."),
];
const OPERATOR: &str = "operator_token";
const SERVICE: &str = "service_token";
const ACCESS: &str = "access_token";

/// The answers that many operations have: name, status, description.
const PROBLEMS: [(&str, &str, &str); 13] = [
    ("BadRequest", "400", "The body cannot be parsed, or a header cannot be read."),
    ("Unauthorized", "401", "There is no valid token."),
    (
        "Forbidden",
        "403",
        "The caller has another role than the operation needs: see its `x-tenantry-role`.",
    ),
    ("NotFound", "404", "The object, or one of those in its path, does not exist."),
    (
        "Conflict",
        "409",
        "A value is taken, an object is in use, or a limit is reached: a general bound, or one of \
         the tenant's platform plan (`limit-reached`).",
    ),
    (
        "PreconditionFailed",
        "412",
        "The object has changed since: `If-Match` names another revision.",
    ),
    ("TooLarge", "413", "The body is too large."),
    ("UnsupportedMediaType", "415", "The body has another media type than the operation takes."),
    (
        "Unprocessable",
        "422",
        "Fields are wrong; `errors` names them. Or the `Idempotency-Key` was used for another \
         request.",
    ),
    (
        "LoginFailed",
        "",
        "The credentials are wrong, or a second factor is needed: `type` tells which.",
    ),
    (
        "TooOften",
        "429",
        "The caller, or the address, has made too many requests: `RateLimit-Policy` names the \
         limit. Or there were too many attempts. `Retry-After` tells when to try again.",
    ),
    ("Internal", "500", "A fault of this program; the log has the cause under the request id."),
    (
        "Unavailable",
        "503",
        "The database cannot be reached, or the request took too long: try again. Or a secret is \
         to be kept, and the operator has configured no key for secrets; or an e-mail is to be \
         sent, and there is no mail server.",
    ),
];

/// The router and the whole document.
pub fn assemble<S: Clone + Send + Sync + 'static>(
    routes: OpenApiRouter<S>,
) -> (Router<S>, OpenApi) {
    let base = OpenApiBuilder::new().info(info()).paths(Paths::new()).build();
    let (router, mut document) = OpenApiRouter::with_openapi(base).merge(routes).split_for_parts();
    complete(&mut document);
    (router, document)
}

fn info() -> Info {
    let mut info = Info::new("Tenantry admin API", env!("CARGO_PKG_VERSION"));
    info.description = Some(include_str!("openapi.md").to_owned() + &kinds());
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".into());
    info.license = Some(license);
    info
}

/// The kinds of problems, as a list in Markdown.
fn kinds() -> String {
    let line =
        |kind: &Kind| format!("* `{}` ({}): {}.\n", kind.name, kind.status.as_u16(), kind.title);
    KINDS.iter().copied().flatten().map(line).collect()
}

fn complete(document: &mut OpenApi) {
    document.servers = Some(vec![Server::new("/")]);
    document.tags = Some(
        TAGS.iter()
            .map(|(name, text)| Tag::builder().name(*name).description(Some(*text)).build())
            .collect(),
    );
    let components = document.components.get_or_insert_with(Components::new);
    for (name, form, description) in SCHEMES {
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        scheme.bearer_format = Some(form.into());
        scheme.description = Some(description.into());
        components.security_schemes.insert(name.into(), SecurityScheme::Http(scheme));
    }
    components.schemas.insert(ProblemBody::name().into(), ProblemBody::schema());
    components.schemas.insert(FieldError::name().into(), FieldError::schema());
    components.schemas.insert(ReachedLimit::name().into(), ReachedLimit::schema());
    components.schemas.insert(Receipt::name().into(), Receipt::schema());
    components.schemas.insert(PendingEnvoy::name().into(), PendingEnvoy::schema());
    components.schemas.insert(Refusal::name().into(), Refusal::schema());
    for (name, _, description) in PROBLEMS {
        components.responses.insert(name.into(), RefOr::T(problem(name, description)));
    }
    for (path, item) in &mut document.paths.paths {
        for method in operations(item).map(|(method, _)| method).collect::<Vec<_>>() {
            if let Some(operation) = operation_mut(item, &method) {
                complete_operation(path, &method, operation);
            }
        }
    }
}

fn problem(name: &str, description: &str) -> Response {
    let body = Content::new(Some(Ref::from_schema_name(ProblemBody::name())));
    let response = ResponseBuilder::new()
        .description(description)
        .content(PROBLEM_JSON, body)
        .header("x-request-id", text("The id of the request, for the log."));
    match name {
        "Unauthorized" | "LoginFailed" => {
            response.header("WWW-Authenticate", text("`Bearer` with the reason (RFC 6750)."))
        }
        "PreconditionFailed" => response.header("ETag", text("The current entity tag.")),
        "TooOften" => response
            .header("Retry-After", text("The seconds after which to try again."))
            .header(
                "RateLimit-Policy",
                text("If a rate limit was reached: its name, `q` requests in `w` seconds."),
            )
            .header(
                "RateLimit",
                text("`r` requests are left, and there is one again in `t` seconds."),
            ),
        "Unavailable" => {
            response.header("Retry-After", text("The seconds after which to try again."))
        }
        _ => response,
    }
    .build()
}

fn text(description: &str) -> Header {
    let mut header = Header::new(ObjectBuilder::new().schema_type(Type::String).build());
    header.description = Some(description.into());
    header
}

fn operation_mut<'a>(item: &'a mut PathItem, method: &Method) -> Option<&'a mut Operation> {
    match *method {
        Method::GET => item.get.as_mut(),
        Method::POST => item.post.as_mut(),
        Method::PATCH => item.patch.as_mut(),
        Method::DELETE => item.delete.as_mut(),
        _ => None,
    }
}

/// Adds the parts that follow from the method, the path and the permission of an operation.
fn complete_operation(path: &str, method: &Method, operation: &mut Operation) {
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

/// The answers to writes with `wait`.
const NOT_EVERYWHERE: &str = "Only with `wait`: the change is made, and not every Envoy has it \
                              yet, or one has refused it. `receipt` tells which; it is null if \
                              that is not known.";
const EVERYWHERE: &str =
    "Only with `wait`: it is done, and every Envoy has it, as `receipt` shows.";

/// An answer to a write with `wait`.
fn with_receipt(description: &str) -> Response {
    let mut field = Object::new();
    field.properties.insert("receipt".into(), RefOr::Ref(Ref::from_schema_name(Receipt::name())));
    ResponseBuilder::new()
        .description(description)
        .content("application/json", Content::new(Some(Schema::Object(field))))
        .build()
}

fn wait_parameter() -> Parameter {
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
        statuses.extend(["400", "413", "415"]);
    }
    match *method {
        Method::POST => statuses.extend(["400", "409", "422"]),
        // By `wait`, any write has a query.
        Method::PATCH | Method::DELETE => statuses.extend(["400", "409", "412", "422"]),
        _ => {}
    }
    statuses
}

fn header_parameters(method: &Method, single: bool) -> Vec<Parameter> {
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
