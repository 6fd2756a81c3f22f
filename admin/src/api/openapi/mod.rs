//! The OpenAPI document: utoipa collects it from the handlers, and this module adds the parts that
//! all operations share.

mod answers;
mod operation;
mod parameters;

use axum::Router;
use axum::http::Method;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::tag::Tag;
use utoipa::openapi::{
    Components, Info, License, OpenApi, OpenApiBuilder, PathItem, Paths, RefOr, Server,
};
use utoipa::{PartialSchema as _, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use self::answers::{PROBLEMS, problem};
use self::operation::{ACCESS, OPERATOR, SERVICE, complete_operation};
use crate::http::problem::{FieldError, KINDS, Kind, ProblemBody, ReachedLimit};
use crate::receipt::{PendingEnvoy, Receipt, Refusal};
use crate::rights::access::operations;
use crate::rights::nouns::TAGS;

/// The tokens that prove the identity of a caller: name, form, description.
const SCHEMES: [(&str, &str, &str); 3] = [
    (OPERATOR, "opaque", "An operator token, `tno_` and 40 letters and digits."),
    (SERVICE, "opaque", "A service token of a tenant, `tns_` and 40 letters and digits."),
    (ACCESS, "JWT", "The access token of a person who has logged in."),
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
    info.description = Some(include_str!("description.md").to_owned() + &kinds());
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

fn operation_mut<'a>(item: &'a mut PathItem, method: &Method) -> Option<&'a mut Operation> {
    match *method {
        Method::GET => item.get.as_mut(),
        Method::POST => item.post.as_mut(),
        Method::PATCH => item.patch.as_mut(),
        Method::DELETE => item.delete.as_mut(),
        _ => None,
    }
}
