//! From the paths of a document to routes.

use std::collections::HashMap;

use policy::method::Methods;
use policy::path::Template;

use super::document::{Document, Entries, Operation, PathItem, Server};
use super::security::{Loose, Security};
use super::stop::Stop;
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
pub(super) fn collect(document: Document, stop: &Stop) -> Result<Imported, ImportError> {
    let mut collector = Collector::default();
    collector.version(&document);
    collector.servers(&document.servers);
    collector.security.document(document.security.as_ref());
    let paths = document.paths.map(|entries| entries.0).unwrap_or_default();
    let items = document.components.and_then(|components| components.path_items);
    let items = Items::of(items.as_ref());
    let resolved: Vec<_> = paths.iter().map(|(path, item)| items.resolve(path, item)).collect();
    // Before any work on them: what a document refers to can be many times its size.
    collector.sizes(resolved.iter().flatten().copied());
    if !collector.errors.is_empty() {
        return collector.finish();
    }
    for ((path, _), item) in paths.iter().zip(resolved) {
        if collector.errors.len() >= MAX_ERRORS {
            break;
        }
        if stop.is_set() {
            return Err(ImportError::Stopped);
        }
        match item {
            Ok(item) => collector.path(path, item),
            Err(error) => collector.errors.push(error),
        }
    }
    collector.finish()
}

/// The path items of the components, by their names.
struct Items<'a>(HashMap<&'a str, &'a PathItem>);

impl<'a> Items<'a> {
    fn of(entries: Option<&'a Entries<PathItem>>) -> Self {
        let entries = entries.map(|entries| entries.0.as_slice()).unwrap_or_default();
        // Of two with one name the first counts.
        Self(entries.iter().rev().map(|(name, item)| (name.as_str(), item)).collect())
    }

    /// The path item itself, or the one that it refers to.
    fn resolve(&self, path: &str, item: &'a PathItem) -> Result<&'a PathItem, FieldError> {
        let Some(reference) = &item.reference else { return Ok(item) };
        let here = pointer::of(&["paths", path, "$ref"]);
        let Some(name) = reference.strip_prefix(PATH_ITEMS) else {
            let message = format!(
                "`{reference}` is not followed: only {PATH_ITEMS} of the same document is; bundle \
                 the description into one document"
            );
            return Err(FieldError::new(here, message));
        };
        let name = name.replace("~1", "/").replace("~0", "~");
        match self.0.get(name.as_str()) {
            Some(found) if found.reference.is_none() => Ok(found),
            Some(_) => Err(FieldError::new(
                here,
                format!("`{reference}` is itself a reference; refer to the last one"),
            )),
            None => Err(FieldError::new(here, format!("`{reference}` is not in the document"))),
        }
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

    /// Refuses more operations than can be imported, and more parts of security requirements than
    /// any description has.
    fn sizes<'a>(&mut self, items: impl Iterator<Item = &'a PathItem>) {
        // A path item that many paths refer to is measured once.
        let mut measured: HashMap<*const PathItem, (usize, usize)> = HashMap::new();
        let (mut operations, mut parts) = (0_usize, 0_usize);
        for item in items {
            let (its_operations, its_parts) =
                *measured.entry(std::ptr::from_ref(item)).or_insert_with(|| measure(item));
            operations = operations.saturating_add(its_operations);
            parts = parts.saturating_add(its_parts);
        }
        let mut refuse = |message| self.errors.push(FieldError::new("/paths", message));
        if operations > bounds::IMPORT_ROUTES {
            let most = bounds::IMPORT_ROUTES;
            refuse(format!("has {operations} operations; {most} can be imported"));
        }
        if parts > bounds::IMPORT_SECURITY_PARTS {
            let most = bounds::IMPORT_SECURITY_PARTS;
            refuse(format!(
                "has {parts} parts in the security requirements of its operations; {most} can be \
                 read"
            ));
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
        if self.errors.is_empty() {
            // Before the other warnings, which may be many.
            self.warnings.splice(0..0, self.security.warnings());
            return Ok(Imported { routes: self.routes, warnings: self.warnings });
        }
        self.errors.truncate(MAX_ERRORS);
        Err(ImportError::Invalid(self.errors))
    }
}

/// The number of operations of a path item, and of the parts of their security requirements.
fn measure(item: &PathItem) -> (usize, usize) {
    item.operations().fold((0, 0), |(operations, parts), (_, operation)| {
        (operations + 1, parts + operation.security.as_ref().map_or(0, Loose::parts))
    })
}
