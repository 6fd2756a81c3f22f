//! The values of components (RFC 9421 sections 2.1 and 2.2), taken from the header map of a
//! request.

use std::borrow::Cow;

use sfv::ListSerializer;

use super::component::{Component, Field};
use super::structured::{kind_of, member, strict};

/// A header map: names in lower case, pseudo-headers included, in the order of the wire.
pub type Headers<'h> = &'h [(&'h str, &'h [u8])];

/// Appends the value of a component. `None` if the request does not have the component, or if its
/// value has no place in a signature base: that is ASCII text without line breaks, so that no value
/// can feign another component.
pub(super) fn push_value(
    headers: Headers<'_>,
    component: &Component,
    out: &mut String,
) -> Option<()> {
    match component {
        Component::Method => push_ascii(out, only(headers, ":method")?),
        Component::Scheme => push_scheme(headers, out),
        Component::Authority => push_authority(headers, out),
        Component::RequestTarget => push_ascii(out, only(headers, ":path")?),
        Component::TargetUri => {
            push_scheme(headers, out)?;
            out.push_str("://");
            push_authority(headers, out)?;
            push_ascii(out, target(headers)?.whole)
        }
        Component::Path => push_ascii(out, target(headers)?.path),
        Component::Query => {
            // An absent query and an empty one are the same (section 2.2.7).
            out.push('?');
            push_ascii(out, target(headers)?.query)
        }
        Component::QueryParam(name) => {
            out.push_str(&query_param(target(headers)?.query, name)?);
            Some(())
        }
        Component::Field(field) => push_field(headers, field, out),
    }
}

fn push_ascii(out: &mut String, value: &[u8]) -> Option<()> {
    let plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t');
    if !value.iter().all(plain) {
        return None;
    }
    out.push_str(std::str::from_utf8(value).ok()?);
    Some(())
}

/// The one value of a pseudo-header.
fn only<'h>(headers: Headers<'h>, name: &str) -> Option<&'h [u8]> {
    let mut values = lines(headers, name);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

fn lines<'h>(headers: Headers<'h>, name: &str) -> impl Iterator<Item = &'h [u8]> {
    headers.iter().filter(move |(known, _)| *known == name).map(|(_, value)| *value)
}

struct Target<'h> {
    whole: &'h [u8],
    path: &'h [u8],
    query: &'h [u8],
}

/// `:path` in origin form; the asterisk and the authority form have neither path nor query.
fn target<'h>(headers: Headers<'h>) -> Option<Target<'h>> {
    let whole = only(headers, ":path")?;
    let mark = whole.iter().position(|byte| *byte == b'?').unwrap_or(whole.len());
    let (path, query) = whole.split_at_checked(mark)?;
    let query = query.strip_prefix(b"?").unwrap_or(query);
    path.starts_with(b"/").then_some(Target { whole, path, query })
}

fn push_scheme(headers: Headers<'_>, out: &mut String) -> Option<()> {
    push_ascii(out, &only(headers, ":scheme")?.to_ascii_lowercase())
}

/// The authority in lower case and without the default port (section 2.2.3).
fn push_authority(headers: Headers<'_>, out: &mut String) -> Option<()> {
    let authority = only(headers, ":authority")?.to_ascii_lowercase();
    let scheme = only(headers, ":scheme")?;
    let port: &[u8] = if scheme.eq_ignore_ascii_case(b"https") { b":443" } else { b":80" };
    push_ascii(out, authority.strip_suffix(port).unwrap_or(&authority))
}

fn push_field(headers: Headers<'_>, field: &Field, out: &mut String) -> Option<()> {
    // Envoy keeps the `Host` of a request as its `:authority` alone.
    let no_host = field.name == "host" && lines(headers, "host").next().is_none();
    let name = if no_host { ":authority" } else { &field.name };
    if field.bs {
        let mut list = ListSerializer::new();
        for line in lines(headers, name) {
            list.bare_item(&*unfolded(line));
        }
        out.push_str(&list.finish()?);
        return Some(());
    }
    let value = combined(headers, name)?;
    if let Some(key) = &field.key {
        out.push_str(&member(&value, key)?);
        return Some(());
    }
    if field.sf {
        out.push_str(&strict(kind_of(&field.name)?, &value)?);
        return Some(());
    }
    push_ascii(out, &value)
}

/// The lines of a field as one value (section 2.1); `None` if there is no line.
pub(super) fn combined<'h>(headers: Headers<'h>, name: &str) -> Option<Cow<'h, [u8]>> {
    let mut lines = lines(headers, name);
    let mut value = unfolded(lines.next()?);
    for line in lines {
        let whole = value.to_mut();
        whole.extend_from_slice(b", ");
        whole.extend_from_slice(&unfolded(line));
    }
    Some(value)
}

/// A line without white space around it, and with one space for each obsolete fold (RFC 9112
/// section 5.2). Line breaks that are no folds stay, and are refused later.
fn unfolded(line: &[u8]) -> Cow<'_, [u8]> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let line = trim(line);
    if !line.contains(&b'\r') {
        return Cow::Borrowed(line);
    }
    let mut whole: Vec<u8> = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) =
        rest.windows(3).position(|window| matches!(window, [b'\r', b'\n', next] if blank(next)))
    {
        let (before, fold) = rest.split_at(at);
        whole.extend_from_slice(trim(before));
        whole.push(b' ');
        rest = trim(fold.strip_prefix(b"\r\n").unwrap_or(fold));
    }
    whole.extend_from_slice(rest);
    Cow::Owned(whole)
}

/// Without spaces and tabs around it.
fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// The value of the one query parameter with this name, encoded again (section 2.2.8). `None` if
/// there is no such parameter, if there are several, or if the value is not UTF-8: the form's rules
/// would take many such values for the same.
fn query_param(query: &[u8], name: &str) -> Option<String> {
    let pairs = query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    let mut found = None;
    for pair in pairs {
        let equals = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let (known, value) = pair.split_at_checked(equals)?;
        if encoded(known).as_deref() == Some(name) && found.replace(value).is_some() {
            return None;
        }
    }
    encoded(found?.strip_prefix(b"=").unwrap_or_default())
}

/// Decodes a name or value of a form, and encodes it in the one way of
/// `application/x-www-form-urlencoded`, but for spaces, which become `%20`.
fn encoded(text: &[u8]) -> Option<String> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let decoded = decoded(text);
    std::str::from_utf8(&decoded).ok()?;
    let mut encoded = String::with_capacity(decoded.len());
    for byte in decoded {
        if byte.is_ascii_alphanumeric() || b"*-._".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let digit = |half: u8| HEX.get(usize::from(half)).copied().map(char::from);
            encoded.extend(['%', digit(byte >> 4)?, digit(byte & 15)?]);
        }
    }
    Some(encoded)
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let hex = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = after;
        match (byte, after) {
            (b'+', _) => decoded.push(b' '),
            (b'%', [high, low, behind @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    decoded.push(high << 4 | low);
                    rest = behind;
                }
                _ => decoded.push(b'%'),
            },
            _ => decoded.push(*byte),
        }
    }
    decoded
}
