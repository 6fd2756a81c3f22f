//! The text that PostgreSQL gives a `jsonb` value. Each value has one text, so the hash of a row
//! can be computed from any faithful copy of it.

use std::fmt::{self, Write as _};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The deepest nesting of values: the programs write less than half of it, and a file from
/// elsewhere must not exhaust the stack.
const DEPTH: u32 = 64;

/// Writes a value; `None` if no `jsonb` value has this text: a member twice, or nested too deep.
pub(super) fn value(out: &mut String, raw: &RawValue) -> Option<()> {
    nested(out, raw, DEPTH)
}

fn nested(out: &mut String, raw: &RawValue, depth: u32) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    let text = raw.get().trim();
    match text.as_bytes().first()? {
        b'{' => {
            let Members(mut members) = serde_json::from_str(text).ok()?;
            // jsonb keeps members by the length of their names in bytes, then by their bytes.
            members.sort_by(|(a, _), (b, _)| {
                a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes()))
            });
            if members.windows(2).any(|pair| matches!(pair, [(a, _), (b, _)] if a == b)) {
                return None;
            }
            out.push('{');
            for (place, (name, member)) in members.into_iter().enumerate() {
                separate(out, place);
                string(out, &name);
                out.push_str(": ");
                nested(out, member, depth)?;
            }
            out.push('}');
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            out.push('[');
            for (place, item) in items.into_iter().enumerate() {
                separate(out, place);
                nested(out, item, depth)?;
            }
            out.push(']');
        }
        b'"' => string(out, &serde_json::from_str::<String>(text).ok()?),
        // Numbers keep the form that they have: jsonb tells 1 from 1.0.
        _ => out.push_str(text),
    }
    Some(())
}

fn separate(out: &mut String, place: usize) {
    if place > 0 {
        out.push_str(", ");
    }
}

/// Writes a string as PostgreSQL's `escape_json` does.
pub(super) fn string(out: &mut String, text: &str) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// The members of an object, in the order of the text, none of them lost.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(All)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Option<String> {
        let raw: Box<RawValue> = serde_json::from_str(text).unwrap();
        let mut out = String::new();
        value(&mut out, &raw).map(|()| out)
    }

    #[test]
    fn a_value_has_one_text_whatever_its_blanks_and_order() {
        for (text, expected) in [
            (r#" {"bb":1,"a":[ ],"c":{}}"#, r#"{"a": [], "c": {}, "bb": 1}"#),
            (
                r#"{"name":"x","after":null,"id":1.50}"#,
                r#"{"id": 1.50, "name": "x", "after": null}"#,
            ),
            (r#"[1,-0.5,true,"é\u000b\u0007\/\n"]"#, "[1, -0.5, true, \"é\\u000b\\u0007/\\n\"]"),
            (r#"{"ä":1,"zz":2,"b":3}"#, r#"{"b": 3, "zz": 2, "ä": 1}"#),
        ] {
            assert_eq!(written(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_no_jsonb_could_be_has_no_text() {
        assert_eq!(written(r#"{"a":1,"a":2}"#), None);
        assert_eq!(written(&format!("{}{}", "[".repeat(100), "]".repeat(100))), None);
        assert!(written(&format!("{}{}", "[".repeat(60), "]".repeat(60))).is_some());
    }
}
