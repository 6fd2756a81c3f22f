//! From the paths of a document to routes.

use std::collections::HashMap;

use policy::method::Methods;
use policy::path::Template;

use super::document::{Components, Document, Operation, PathItem, Server};
use super::security::Security;
use super::{ImportError, Imported, pointer};
use crate::bounds;
use crate::http::problem::FieldError;

/// Enough mistakes to see a pattern; an answer with thousands does not help.
pub(super) const MAX_ERRORS: usize = 100;
/// The same for warnings.
const MAX_WARNINGS: usize = 100;
/// The places of path items to which a path may refer.
const PATH_ITEMS: &str = "#/components/pathItems/";

/// One operation as a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedRoute {
    /// Its one method.
    pub methods: Methods,
    /// Its path, in canonical form.
    pub template: Template,
    /// Its `operationId`.
    pub name: Option<String>,
    /// The place of the operation in the document, such as `/paths/~1orders~1{id}/get`.
    pub pointer: String,
}

/// Turns a document into routes, and collects its faults.
pub(super) fn collect(document: Document) -> Result<Imported, ImportError> {
    let mut collector = Collector::default();
    collector.version(&document);
    collector.servers(&document.servers);
    collector.security.document(document.security.as_ref());
    for (path, item) in document.paths.map(|entries| entries.0).unwrap_or_default() {
        if collector.errors.len() >= MAX_ERRORS {
            break;
        }
        match resolve(&path, item, document.components.as_ref()) {
            Ok(item) => collector.path(&path, &item),
            Err(error) => collector.errors.push(error),
        }
    }
    collector.finish()
}

/// The path item itself, or the one in the components that it refers to.
fn resolve(
    path: &str,
    item: PathItem,
    components: Option<&Components>,
) -> Result<PathItem, FieldError> {
    let Some(reference) = &item.reference else { return Ok(item) };
    let here = pointer::of(&["paths", path, "$ref"]);
    let Some(name) = reference.strip_prefix(PATH_ITEMS) else {
        let message = format!(
            "`{reference}` is not followed: only {PATH_ITEMS} of the same document is; bundle the \
             description into one document"
        );
        return Err(FieldError::new(here, message));
    };
    let name = name.replace("~1", "/").replace("~0", "~");
    let known = components.and_then(|components| components.path_items.as_ref());
    let found = known.and_then(|items| items.0.iter().find(|(known, _)| *known == name));
    match found {
        Some((_, found)) if found.reference.is_none() => Ok(found.clone()),
        Some(_) => Err(FieldError::new(
            here,
            format!("`{reference}` is itself a reference; refer to the last one"),
        )),
        None => Err(FieldError::new(here, format!("`{reference}` is not in the document"))),
    }
}

#[derive(Default)]
struct Collector {
    routes: Vec<ImportedRoute>,
    /// The pointer of the route with this shape and method.
    taken: HashMap<(String, u32), String>,
    errors: Vec<FieldError>,
    warnings: Vec<String>,
    security: Security,
}

impl Collector {
    fn version(&mut self, document: &Document) {
        match document.openapi.as_deref() {
            Some(version) if version.starts_with("3.0.") || version.starts_with("3.1.") => {}
            Some("3.0" | "3.1") => {}
            Some(other) => {
                let message = format!("`{other}` is not supported; 3.0.x and 3.1.x are");
                self.errors.push(FieldError::new("/openapi", message));
            }
            None if document.swagger.is_some() => {
                let message =
                    "Swagger 2.0 is not supported; convert the document to OpenAPI 3.0 or 3.1";
                self.errors.push(FieldError::new("/swagger", message));
            }
            None => self
                .errors
                .push(FieldError::new("/openapi", "is missing; it says `3.0.x` or `3.1.x`")),
        }
    }

    /// The path part of server URLs does not become part of routes: the API's base path and the
    /// version's name do.
    fn servers(&mut self, servers: &[Server]) {
        for url in servers.iter().filter_map(|server| server.url.as_deref()) {
            let path = url
                .split_once("://")
                .map_or(url, |(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
            if !path.trim_matches('/').is_empty() {
                self.warn(format!("The path of the server `{url}` is not part of the routes."));
            }
        }
    }

    fn path(&mut self, path: &str, item: &PathItem) {
        let template = match Template::parse(path) {
            Ok(template) => template,
            Err(error) => {
                return self
                    .errors
                    .push(FieldError::new(pointer::of(&["paths", path]), error.to_string()));
            }
        };
        let shape = template.shape();
        let mut any = false;
        for (method, operation) in item.operations() {
            any = true;
            self.operation(path, &template, &shape, method, operation);
        }
        if !any {
            self.warn(format!("The path `{path}` has no operations."));
        }
    }

    fn operation(
        &mut self,
        path: &str,
        template: &Template,
        shape: &str,
        method: &str,
        operation: &Operation,
    ) {
        let here = pointer::of(&["paths", path, method]);
        let methods = Methods::named(&method.to_ascii_uppercase()).unwrap_or(Methods::NONE);
        if let Some(other) = self.taken.insert((shape.to_owned(), methods.bits()), here.clone()) {
            return self
                .errors
                .push(FieldError::new(here, format!("cannot be told apart from {other}")));
        }
        self.security.operation(&here, operation.security.as_ref());
        let name = operation.operation_id.clone().filter(|name| {
            let good = !name.is_empty()
                && name.chars().count() <= bounds::NAME_CHARS
                && !name.chars().any(char::is_control)
                && name.trim() == name;
            if !good {
                self.warn(format!(
                    "The operationId at {here} cannot be a route's name; the route has none."
                ));
            }
            good
        });
        self.routes.push(ImportedRoute {
            methods,
            template: template.clone(),
            name,
            pointer: here,
        });
    }

    fn warn(&mut self, warning: String) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(warning);
        }
    }

    fn finish(mut self) -> Result<Imported, ImportError> {
        if self.errors.is_empty() && self.routes.is_empty() {
            self.errors.push(FieldError::new(
                "/paths",
                "has no operations; an import would remove every route",
            ));
        }
        if self.routes.len() > bounds::IMPORT_ROUTES {
            let message = format!(
                "has {} operations; {} can be imported",
                self.routes.len(),
                bounds::IMPORT_ROUTES
            );
            self.errors.push(FieldError::new("/paths", message));
        }
        if self.errors.is_empty() {
            // Before the other warnings, which may be many.
            self.warnings.splice(0..0, self.security.warnings());
            return Ok(Imported { routes: self.routes, warnings: self.warnings });
        }
        self.errors.truncate(MAX_ERRORS);
        Err(ImportError::Invalid(self.errors))
    }
}
