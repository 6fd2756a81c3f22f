//! From a message as Rust's derived `Debug` shows it to a tree: names, values, lists. For eyes
//! alone, as that form is nobody's promise; what does not look like it is shown as it is.

use serde_json::{Map, Value};

/// Reads the text of a value. `None` if it is of another form.
pub(super) fn parse(text: &str) -> Option<Value> {
    let mut reader = Reader { rest: text };
    let value = reader.value(0)?;
    reader.rest.trim().is_empty().then_some(value)
}

/// Deeper than any message that is sent; it bounds the recursion.
const MAX_DEPTH: usize = 64;

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.skip_space();
        match self.rest.chars().next()? {
            '"' => self.text().map(Value::String),
            '[' => {
                self.take('[');
                Some(of_list(self.items(']', depth)?))
            }
            '{' => self.entries(depth),
            _ => self.named(depth),
        }
    }

    /// A number, a word, or a structure with a name: `None`, `Some(x)`,
    /// `Name { field: value, .. }`.
    fn named(&mut self, depth: usize) -> Option<Value> {
        let word = self.word()?;
        self.skip_space();
        if self.take('(') {
            let mut items = self.items(')', depth)?;
            return if items.len() == 1 { items.pop() } else { Some(Value::Array(items)) };
        }
        if self.rest.starts_with('{') {
            return self.entries(depth);
        }
        Some(match word {
            "None" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            word => word
                .parse::<serde_json::Number>()
                .map_or_else(|_| Value::String(word.to_owned()), Value::Number),
        })
    }

    /// Fields of a structure, or entries of a map. What is not set is left out.
    fn entries(&mut self, depth: usize) -> Option<Value> {
        self.take('{');
        let mut fields = Map::new();
        loop {
            self.skip_space();
            if self.take('}') {
                return Some(Value::Object(fields));
            }
            // So does a structure end that does not show everything.
            if let Some(rest) = self.rest.strip_prefix("..") {
                self.rest = rest;
                continue;
            }
            let name =
                if self.rest.starts_with('"') { self.text()? } else { self.word()?.to_owned() };
            self.skip_space();
            if !self.take(':') {
                return None;
            }
            let value = self.value(depth + 1)?;
            if !is_unset(&value) {
                fields.insert(name, value);
            }
            self.skip_space();
            self.take(',');
        }
    }

    fn items(&mut self, end: char, depth: usize) -> Option<Vec<Value>> {
        let mut items = Vec::new();
        loop {
            self.skip_space();
            if self.take(end) {
                return Some(items);
            }
            items.push(self.value(depth + 1)?);
            self.skip_space();
            self.take(',');
        }
    }

    /// A string literal. Rust's escapes are those of JSON but for `\'`, `\0` and `\u{..}`.
    fn text(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut chars = self.rest.strip_prefix('"')?.char_indices();
        loop {
            let (at, char) = chars.next()?;
            match char {
                '"' => {
                    self.rest = self.rest.get(at + 2..)?;
                    return Some(text);
                }
                '\\' => match chars.next()?.1 {
                    'n' => text.push('\n'),
                    'r' => text.push('\r'),
                    't' => text.push('\t'),
                    '0' => text.push('\0'),
                    'u' => {
                        let digits: String = chars
                            .by_ref()
                            .map(|(_, char)| char)
                            .skip(1)
                            .take_while(|char| *char != '}')
                            .collect();
                        text.push(char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?);
                    }
                    other => text.push(other),
                },
                other => text.push(other),
            }
        }
    }

    fn word(&mut self) -> Option<&'a str> {
        let is_part =
            |char: char| char.is_alphanumeric() || matches!(char, '_' | '-' | '+' | '.' | '#');
        let end = self.rest.find(|char| !is_part(char)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn take(&mut self, char: char) -> bool {
        let taken = self.rest.strip_prefix(char);
        self.rest = taken.unwrap_or(self.rest);
        taken.is_some()
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }
}

/// A list of small numbers is bytes: text, the id of something, or what else it may be.
fn of_list(items: Vec<Value>) -> Value {
    let bytes: Option<Vec<u8>> =
        items.iter().map(|item| u8::try_from(item.as_u64()?).ok()).collect();
    let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else { return Value::Array(items) };
    if let Ok(id) = <[u8; 16]>::try_from(bytes.as_slice()) {
        return Value::String(policy::id::Uuid::from_bytes(id).to_string());
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) if !text.contains(char::is_control) => Value::String(text.to_owned()),
        _ => Value::String(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
    }
}

fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::parse;

    #[derive(Debug)]
    #[expect(dead_code, reason = "read by way of Debug")]
    struct Outer {
        id: Vec<u8>,
        text: &'static str,
        unset: Option<u32>,
        set: Option<Inner>,
        list: Vec<Inner>,
        map: BTreeMap<&'static str, f64>,
    }

    #[derive(Debug)]
    #[expect(dead_code, reason = "read by way of Debug")]
    enum Inner {
        Unit,
        Tuple(i32, bool),
    }

    struct Secretive;

    impl std::fmt::Debug for Secretive {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Secretive").field("name", &"n").finish_non_exhaustive()
        }
    }

    #[test]
    fn what_rust_shows_becomes_a_tree() {
        let outer = Outer {
            id: (1..=16).collect(),
            text: "a \"quoted\" \u{7f}\\ line\n",
            unset: None,
            set: Some(Inner::Tuple(-7, true)),
            list: vec![Inner::Unit],
            map: BTreeMap::from([("x y", 1.5)]),
        };
        let expected = json!({
            "id": "01020304-0506-0708-090a-0b0c0d0e0f10", "text": "a \"quoted\" \u{7f}\\ line\n",
            "set": [-7, true], "list": ["Unit"], "map": { "x y": 1.5 },
        });
        assert_eq!(parse(&format!("{outer:?}")), Some(expected.clone()));
        assert_eq!(parse(&format!("{outer:#?}")), Some(expected));
        assert_eq!(parse(&format!("{Secretive:?}")), Some(json!({ "name": "n" })));
    }

    #[test]
    fn what_is_of_another_form_is_refused() {
        for text in ["", "{", "Name { a }", "[1", "\"open", "a b", &"[".repeat(100)] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
