//! Every place of an operation where a client can put something, according to the document.

use serde_json::{Map, Value, json};

use crate::document::Operation;

/// Headers that decide whether an operation is reached; the document does not list them for the
/// operation.
const DECIDING: [&str; 2] = ["Authorization", "Content-Type"];
/// Headers that all operations, or parts before or behind them, may read. None of them leads to a
/// refusal, so they are sent together.
pub(crate) const OTHERS: [&str; 7] = [
    "X-Request-Id",
    "X-Forwarded-For",
    "Traceparent",
    "Cookie",
    "User-Agent",
    "Accept",
    "X-Tenantry-Tenant",
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The field of an object.
    Field(String),
    /// The first item of a list.
    Item,
    /// The place of a field's name.
    Name,
}

/// A place for a value.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// The part of the path with this name.
    Path(String),
    /// A parameter of the query.
    Query(String),
    /// A header.
    Header(String),
    /// All of [`OTHERS`].
    Headers,
    /// A place in the body. Each step has the schema of the value that it leads through.
    Body(Vec<(Step, Value)>),
}

/// A place, with its kind.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) place: Place,
    /// Two places of one kind are checked by the same code.
    pub(crate) kind: String,
    /// True if it takes texts; elsewhere there is no need to try all of them.
    pub(crate) is_text: bool,
}

impl Target {
    fn text(place: Place, kind: impl Into<String>) -> Self {
        Self { place, kind: kind.into(), is_text: true }
    }
}

/// The document, to look up references in.
pub(crate) struct Schemas<'a>(pub(crate) &'a Value);

impl Schemas<'_> {
    /// The schema to which a reference leads.
    pub(crate) fn resolve(&self, schema: &Value) -> Value {
        let Some(reference) = schema["$ref"].as_str() else { return schema.clone() };
        let found = self.0.pointer(reference.trim_start_matches('#'));
        self.resolve(found.unwrap_or_else(|| panic!("{reference} leads nowhere")))
    }

    /// All places of an operation.
    pub(crate) fn targets(&self, operation: &Operation) -> Vec<Target> {
        let mut all = Vec::new();
        for parameter in operation.value["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap().to_owned();
            let schema = bare(&parameter["schema"]);
            all.push(match parameter["in"].as_str().unwrap() {
                // All ids are read alike.
                "path" => Target::text(Place::Path(name), format!("path {schema}")),
                "query" => {
                    Target::text(Place::Query(name.clone()), format!("query {name} {schema}"))
                }
                "header" => Target::text(Place::Header(name.clone()), format!("header {name}")),
                other => {
                    panic!("{}: no way is known to put something into a {other}", operation.id)
                }
            });
        }
        all.push(Target::text(Place::Query("unknown'".to_owned()), "query"));
        all.extend(
            DECIDING
                .map(|name| Target::text(Place::Header(name.to_owned()), format!("header {name}"))),
        );
        all.push(Target::text(Place::Headers, "headers"));
        if let Some(schema) = self.body(operation) {
            self.fields(&schema, &mut Vec::new(), &mut all);
        }
        all
    }

    /// The places of a body that the document does not describe, found by an example of it.
    pub(crate) fn leaves(example: &Value, steps: &mut Vec<(Step, Value)>, all: &mut Vec<Target>) {
        let Some(fields) = example.as_object() else { return };
        for (name, inner) in fields {
            steps.push((Step::Field(name.clone()), Value::Null));
            all.push(Target::text(Place::Body(steps.clone()), format!("example {steps:?}")));
            Self::leaves(inner, steps, all);
            steps.pop();
        }
        steps.push((Step::Name, Value::Null));
        all.push(Target::text(Place::Body(steps.clone()), format!("example {steps:?}")));
        steps.pop();
    }

    /// The schema of the JSON body of an operation, if it takes one.
    pub(crate) fn body(&self, operation: &Operation) -> Option<Value> {
        let content = &operation.value["requestBody"]["content"]["application/json"];
        content.get("schema").map(|schema| self.resolve(schema))
    }

    fn fields(&self, schema: &Value, steps: &mut Vec<(Step, Value)>, all: &mut Vec<Target>) {
        let schema = self.resolve(schema);
        for variant in variants(&schema) {
            self.fields(variant, steps, all);
        }
        let owner = match steps.last() {
            Some((Step::Field(name), _)) => name.clone(),
            _ => String::new(),
        };
        let mut into = |step: Step, name: &str, inner: &Value| {
            let inner_schema = self.resolve(inner);
            let is_text = step == Step::Name
                || inner.is_null()
                || type_of(&inner_schema) == Some("string") && inner_schema.get("enum").is_none();
            let kind = format!("body {name} {}", bare(&inner_schema));
            steps.push((step, schema.clone()));
            all.push(Target { place: Place::Body(steps.clone()), kind, is_text });
            self.fields(inner, steps, all);
            steps.pop();
        };
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            into(Step::Field(name.clone()), name, inner);
        }
        if schema["items"].is_object() {
            into(Step::Item, "item", &schema["items"]);
        }
        if is_object(&schema) {
            let is_map = schema.get("properties").is_none();
            if is_map {
                into(
                    Step::Field("x-any".to_owned()),
                    &format!("{owner}.*"),
                    &schema["additionalProperties"],
                );
            }
            into(Step::Name, if is_map { &owner } else { "name" }, &Value::Null);
        }
    }

    /// The smallest value that a schema takes. `known` has the values that only the world knows, by
    /// the name of the field.
    pub(crate) fn sample(&self, name: &str, schema: &Value, known: &Map<String, Value>) -> Value {
        if let Some(value) = known.get(name) {
            return value.clone();
        }
        let schema = self.resolve(schema);
        if let Some(value) = schema["enum"].as_array().and_then(|all| all.first()) {
            return value.clone();
        }
        if let Some(variant) = variants(&schema).find(|variant| variant["type"] != "null") {
            return self.sample(name, variant, known);
        }
        let text =
            |minimum: &Value| "a".repeat(minimum.as_u64().unwrap_or(1).max(1).try_into().unwrap());
        match type_of(&schema) {
            Some("object") => {
                let required =
                    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
                required
                    .map(|field| {
                        (field.to_owned(), self.sample(field, &schema["properties"][field], known))
                    })
                    .collect()
            }
            Some("array") if schema["minItems"].as_u64().is_some_and(|least| least > 0) => {
                json!([self.sample("", &schema["items"], known)])
            }
            Some("array") => json!([]),
            Some("boolean") => json!(false),
            Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
            _ if schema["format"] == "date-time" => json!("2099-01-01T00:00:00Z"),
            _ if schema["pattern"].as_str().is_some_and(|pattern| pattern.starts_with("^/")) => {
                json!("/a")
            }
            _ => json!(text(&schema["minLength"])),
        }
    }

    /// Puts a value where the steps lead, and makes everything that is missing on the way.
    pub(crate) fn put(
        &self,
        body: &mut Value,
        steps: &[(Step, Value)],
        value: &str,
        known: &Map<String, Value>,
    ) {
        let mut at = body;
        for (step, schema) in steps {
            let required =
                schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            // Another variant of the value that is there has other fields.
            let is_other =
                !at.is_object() || required.into_iter().any(|field| at.get(field).is_none());
            if (is_object(schema) && is_other) || (schema["items"].is_object() && !at.is_array()) {
                *at = self.sample("", schema, known);
            }
            at = match step {
                Step::Field(name) => &mut at[name.as_str()],
                Step::Name => &mut at[value],
                Step::Item => {
                    let items = at.as_array_mut().unwrap();
                    if items.is_empty() {
                        items.push(Value::Null);
                    }
                    &mut items[0]
                }
            };
        }
        *at = if steps.last().is_some_and(|(step, _)| *step == Step::Name) {
            json!(1)
        } else {
            json!(value)
        };
    }
}

fn variants(schema: &Value) -> impl Iterator<Item = &Value> {
    ["oneOf", "anyOf", "allOf"].into_iter().filter_map(|word| schema[word].as_array()).flatten()
}

fn is_object(schema: &Value) -> bool {
    type_of(schema) == Some("object")
}

/// The type without null.
fn type_of(schema: &Value) -> Option<&str> {
    let types =
        schema["type"].as_array().map_or(std::slice::from_ref(&schema["type"]), Vec::as_slice);
    types.iter().filter_map(Value::as_str).find(|name| *name != "null")
}

/// A schema without its descriptions for people.
fn bare(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(fields) = schema.as_object_mut() {
        for word in ["description", "example", "examples", "default", "title", "properties"] {
            fields.remove(word);
        }
    }
    schema
}
