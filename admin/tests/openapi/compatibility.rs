//! Compares two OpenAPI documents as a client of the older one would: its requests have to be
//! accepted, and its answers have to be complete.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The writer of a value: the values that clients send must not become narrower, the values that
/// they get must not become wider or fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    ByClients,
    ByUs,
}

/// The changes that would break a client of the old document, in words.
pub(crate) fn broken(old: &Value, new: &Value) -> Vec<String> {
    let mut compared = Compared { old, new, broken: Vec::new(), seen: BTreeSet::new() };
    for (path, item) in object(&old["paths"]) {
        for (method, operation) in object(item) {
            let place = format!("{} {path}", method.to_uppercase());
            match new["paths"].get(path).and_then(|item| item.get(method)) {
                Some(now) => compared.operation(&place, operation, now),
                None => compared.broken.push(format!("{place}: the operation is gone")),
            }
        }
    }
    compared.broken
}

struct Compared<'a> {
    old: &'a Value,
    new: &'a Value,
    broken: Vec<String>,
    /// The pairs of named schemas that were compared already: schemas may contain themselves.
    seen: BTreeSet<(String, bool)>,
}

impl Compared<'_> {
    fn say(&mut self, place: &str, what: impl std::fmt::Display) {
        self.broken.push(format!("{place}: {what}"));
    }

    fn operation(&mut self, place: &str, old: &Value, new: &Value) {
        if old["operationId"] != new["operationId"] {
            self.say(place, format!("operationId was {}", old["operationId"]));
        }
        self.parameters(place, old, new);
        let (before, now) = (&old["requestBody"], &new["requestBody"]);
        if now["required"] == true && before["required"] != true {
            self.say(place, "a body is required now");
        }
        self.content(&format!("{place} body"), before, now, Written::ByClients);
        for (status, before) in
            object(&old["responses"]).iter().filter(|(status, _)| status.starts_with('2'))
        {
            let place = format!("{place} {status}");
            match new["responses"].get(status) {
                Some(now) => {
                    let (before, now) = (resolve(self.old, before), resolve(self.new, now));
                    self.content(&place, before, now, Written::ByUs);
                    for header in object(&before["headers"])
                        .keys()
                        .filter(|name| now["headers"].get(name).is_none())
                    {
                        self.say(&place, format!("the header {header} is gone"));
                    }
                }
                None => self.say(&place, "the answer is gone"),
            }
        }
    }

    fn parameters(&mut self, place: &str, old: &Value, new: &Value) {
        let key = |parameter: &Value| (parameter["in"].clone(), parameter["name"].clone());
        let (before, now) = (array(&old["parameters"]), array(&new["parameters"]));
        for parameter in before {
            let place = format!("{place} {}", parameter["name"]);
            match now.iter().find(|other| key(other) == key(parameter)) {
                Some(other) => {
                    if other["required"] == true && parameter["required"] != true {
                        self.say(&place, "is required now");
                    }
                    self.schema(&place, &parameter["schema"], &other["schema"], Written::ByClients);
                }
                None => self.say(&place, "the parameter is gone"),
            }
        }
        for parameter in now.iter().filter(|parameter| parameter["required"] == true) {
            if !before.iter().any(|other| key(other) == key(parameter)) {
                self.say(
                    place,
                    format!("there is a new parameter that is required: {}", parameter["name"]),
                );
            }
        }
    }

    fn content(&mut self, place: &str, old: &Value, new: &Value, written: Written) {
        for (media_type, before) in object(&old["content"]) {
            match new["content"].get(media_type) {
                Some(now) => self.schema(place, &before["schema"], &now["schema"], written),
                None => self.say(place, format!("{media_type} is gone")),
            }
        }
    }

    fn schema(&mut self, place: &str, old: &Value, new: &Value, written: Written) {
        if let (Some(before), Some(now)) = (old["$ref"].as_str(), new["$ref"].as_str())
            && !self.seen.insert((format!("{before} {now}"), written == Written::ByUs))
        {
            return;
        }
        let (old, new) = (resolve(self.old, old), resolve(self.new, new));
        if old.is_null() || new.is_null() {
            return;
        }
        self.types(place, old, new, written);
        self.values(place, old, new, written);
        self.properties(place, old, new, written);
        for part in ["items", "additionalProperties"] {
            if old[part].is_object() && new[part].is_object() {
                self.schema(&format!("{place} {part}"), &old[part], &new[part], written);
            }
        }
        for kind in ["oneOf", "anyOf", "allOf"] {
            let now = array(&new[kind]);
            for variant in array(&old[kind]) {
                let fits = now.iter().any(|candidate| {
                    let mut alone = Compared {
                        old: self.old,
                        new: self.new,
                        broken: Vec::new(),
                        seen: self.seen.clone(),
                    };
                    alone.schema(place, variant, candidate, written);
                    alone.broken.is_empty()
                });
                if !fits {
                    self.say(place, format!("one of {kind} is gone or is another"));
                }
            }
        }
    }

    fn types(&mut self, place: &str, old: &Value, new: &Value, written: Written) {
        let (before, now) = (types(old), types(new));
        let (narrow, wide) =
            if written == Written::ByClients { (&before, &now) } else { (&now, &before) };
        if !wide.is_empty() && (narrow.is_empty() || !narrow.is_subset(wide)) {
            self.say(place, format!("the type was {}, and is {}", old["type"], new["type"]));
        }
    }

    fn values(&mut self, place: &str, old: &Value, new: &Value, written: Written) {
        let (before, now) = (array(&old["enum"]), array(&new["enum"]));
        for value in before.iter().filter(|value| !now.is_empty() && !now.contains(value)) {
            self.say(place, format!("the value {value} is gone"));
        }
        if written == Written::ByUs {
            return;
        }
        if before.is_empty() && !now.is_empty() {
            self.say(place, "only some values are taken now");
        }
        for (bound, is_lower) in [
            ("minimum", true),
            ("minLength", true),
            ("minItems", true),
            ("maximum", false),
            ("maxLength", false),
            ("maxItems", false),
        ] {
            let Some(now) = new[bound].as_f64() else { continue };
            let narrower = old[bound]
                .as_f64()
                .is_none_or(|before| if is_lower { now > before } else { now < before });
            if narrower {
                self.say(place, format!("{bound} was {}, and is {now}", old[bound]));
            }
        }
        for form in ["pattern", "format"] {
            if !new[form].is_null() && new[form] != old[form] {
                self.say(place, format!("{form} was {}, and is {}", old[form], new[form]));
            }
        }
    }

    fn properties(&mut self, place: &str, old: &Value, new: &Value, written: Written) {
        for (name, before) in object(&old["properties"]) {
            let place = format!("{place}.{name}");
            match new["properties"].get(name) {
                Some(now) => self.schema(&place, before, now, written),
                None => self.say(&place, "the field is gone"),
            }
        }
        let (before, now) = (array(&old["required"]), array(&new["required"]));
        if written == Written::ByClients {
            for name in now.iter().filter(|name| !before.contains(name)) {
                self.say(place, format!("the field {name} is required now"));
            }
        } else {
            for name in before.iter().filter(|name| !now.contains(name)) {
                self.say(place, format!("the field {name} may be absent now"));
            }
        }
    }
}

fn object(value: &Value) -> &Map<String, Value> {
    static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    value.as_object().unwrap_or(&EMPTY)
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let Some(reference) = value["$ref"].as_str() else { return value };
    reference
        .strip_prefix('#')
        .and_then(|pointer| document.pointer(pointer))
        .unwrap_or(&Value::Null)
}

/// The types of a schema; none for one that takes all.
fn types(schema: &Value) -> BTreeSet<&str> {
    let mut types: BTreeSet<&str> =
        array(&schema["type"]).iter().filter_map(Value::as_str).collect();
    types.extend(schema["type"].as_str());
    // Every integer is a number.
    if types.contains("number") {
        types.insert("integer");
    }
    types
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(body: Value, answer: Value) -> Value {
        json!({
            "paths": {"/v1/things": {"post": {
                "operationId": "createThing",
                "parameters": [{"in": "query", "name": "wait",
                    "schema": {"type": "integer", "maximum": 30}}],
                "requestBody": {"content": {"application/json": {"schema": body}}},
                "responses": {"201": {"content": {"application/json": {
                    "schema": {"$ref": "#/components/schemas/Thing"}}}}},
            }}},
            "components": {"schemas": {"Thing": answer}},
        })
    }

    fn sample() -> Value {
        document(
            json!({"type": "object", "required": ["name"], "properties": {
                "name": {"type": "string", "maxLength": 200},
                "kind": {"type": "string", "enum": ["a", "b"]}}}),
            json!({"type": "object", "required": ["id"], "properties": {
                "id": {"type": "string"}, "note": {"type": ["string", "null"]},
                "parent": {"$ref": "#/components/schemas/Thing"}}}),
        )
    }

    /// Changes a part of the sample, or removes it.
    fn changed(pointer: &str, value: Value) -> Vec<String> {
        let mut new = sample();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let name = name.replace("~1", "/");
        let parent = new.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        if value.is_null() {
            drop(parent.remove(&name))
        } else {
            drop(parent.insert(name, value))
        }
        broken(&sample(), &new)
    }

    const OPERATION: &str = "/paths/~1v1~1things/post";

    #[test]
    fn what_takes_away_or_narrows_is_found() {
        let body = format!("{OPERATION}/requestBody/content/application~1json/schema");
        for (pointer, value) in [
            ("/paths/~1v1~1things".to_owned(), Value::Null),
            (OPERATION.to_owned(), Value::Null),
            (format!("{OPERATION}/operationId"), json!("makeThing")),
            (format!("{OPERATION}/parameters"), json!([])),
            (
                format!("{OPERATION}/parameters"),
                json!([{"in": "query", "name": "wait",
                    "schema": {"type": "integer", "maximum": 20}}]),
            ),
            (format!("{OPERATION}/responses"), json!({"200": {}})),
            (format!("{body}/required"), json!(["name", "kind"])),
            (format!("{body}/properties/kind"), Value::Null),
            (format!("{body}/properties/kind/enum"), json!(["a"])),
            (format!("{body}/properties/name/maxLength"), json!(100)),
            (format!("{body}/properties/name/minLength"), json!(1)),
            (format!("{body}/properties/name/pattern"), json!("^a")),
            (format!("{body}/properties/name/type"), json!("integer")),
            ("/components/schemas/Thing/properties/note".to_owned(), Value::Null),
            ("/components/schemas/Thing/properties/id/type".to_owned(), json!(["string", "null"])),
            ("/components/schemas/Thing/required".to_owned(), json!([])),
        ] {
            let found = changed(&pointer, value.clone());
            assert_eq!(found.len(), 1, "{pointer} {value}: {found:?}");
        }
    }

    #[test]
    fn what_adds_or_widens_is_let_pass() {
        let body = format!("{OPERATION}/requestBody/content/application~1json/schema");
        for (pointer, value) in [
            ("/paths/~1v1~1more".to_owned(), json!({"get": {"operationId": "more"}})),
            (format!("{OPERATION}/responses/202"), json!({})),
            (format!("{body}/properties/more"), json!({"type": "string"})),
            (format!("{body}/properties/kind/enum"), json!(["a", "b", "c"])),
            (format!("{body}/properties/name/maxLength"), json!(300)),
            (format!("{body}/properties/name/type"), json!(["string", "null"])),
            (format!("{body}/required"), json!([])),
            ("/components/schemas/Thing/properties/more".to_owned(), json!({"type": "string"})),
            ("/components/schemas/Thing/properties/note/type".to_owned(), json!("string")),
            ("/components/schemas/Thing/required".to_owned(), json!(["id", "note"])),
        ] {
            assert_eq!(changed(&pointer, value.clone()), Vec::<String>::new(), "{pointer} {value}");
        }
    }
}
