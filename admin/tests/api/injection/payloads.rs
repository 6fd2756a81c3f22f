//! The values that are put into every parameter.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::harness::id_of;
use crate::publishing::World;

/// The time for which a payload that reaches the database as SQL holds its session: longer than the
/// watch needs to see it.
const SLEEP_S: u32 = 20;

/// One value to try.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    /// The form in paths and queries, where it is percent-encoded, and in headers as far as they
    /// can have it.
    pub(crate) bytes: Vec<u8>,
    /// The form in a JSON document; empty if it has none.
    pub(crate) json: Vec<u8>,
    pub(crate) scope: Scope,
    /// True if an id of the neighbour's is in it.
    pub(crate) is_foreign: bool,
}

/// The places in which a payload is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everywhere.
    Everywhere,
    /// All places that take texts.
    Core,
    /// One place of each kind.
    Kinds,
    /// One place of each kind that takes texts.
    Texts,
}

impl Payload {
    fn text(text: &str) -> Self {
        let (bytes, json) = (text.as_bytes().to_vec(), serde_json::to_vec(text).unwrap());
        Self { bytes, json, scope: Scope::Texts, is_foreign: false }
    }

    fn core(text: &str) -> Self {
        Self { scope: Scope::Core, ..Self::text(text) }
    }

    fn foreign(self) -> Self {
        Self { is_foreign: true, ..self }
    }

    /// Bytes that are not text, or not JSON.
    fn raw(json: impl Into<Vec<u8>>) -> Self {
        Self { bytes: Vec::new(), json: json.into(), scope: Scope::Kinds, is_foreign: false }
    }

    /// The text that a client means by it, if it is text.
    pub(crate) fn meant(&self) -> Option<&str> {
        if self.bytes.is_empty() { None } else { std::str::from_utf8(&self.bytes).ok() }
    }
}

/// Texts that try to become a part of a statement. The objects that a stacked statement would make
/// are looked for in the catalog.
const SQL: [&str; 19] = [
    "' OR '1'='1",
    "\" OR \"\"=\"",
    "1) OR (1=1",
    "' OR 1=1 --",
    "x' AND 1=CAST((SELECT version()) AS int) --",
    "' UNION ALL SELECT NULL,NULL,rolname::text FROM pg_roles --",
    "'; CREATE TABLE injected (n int); --",
    "$$; CREATE TABLE injected (n int); $$",
    "$tag$'; DROP TABLE tenants CASCADE; --$tag$",
    "'; COPY (SELECT 1) TO PROGRAM 'true'; --",
    "\\'; CREATE TABLE injected (n int); --",
    "/**/'/**/OR/**/1=1#",
    "E'\\x27 OR 1=1'",
    "00000000-0000-0000-0000-000000000000'::uuid OR true --",
    "%' OR name LIKE '%",
    "%_%\\",
    "{\"$gt\":\"\"}",
    "$.tenant_id ? (@ == 1) || '{}'::jsonb #>> '{a}'",
    "U&'\\0027' UESCAPE '\\'; SELECT 1",
];

/// Texts with a meaning elsewhere: in a header of an answer, a log, a page, a template, a shell, a
/// directory of files or of people, a spreadsheet.
const ELSEWHERE: [&str; 19] = [
    "a\r\nX-Injected: yes\r\n\r\n<html>",
    "a\n{\"level\":\"INFO\",\"message\":\"forged\"}",
    "%0d%0aX-Injected:%20yes",
    "../../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "..\\..\\windows\\win.ini",
    "{{7*7}}${7*7}<%= 7*7 %>#{7*7}",
    "%s%s%n%p{}{0}",
    "${jndi:ldap://127.0.0.1/a}",
    "<script>alert(1)</script>",
    "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>",
    "`id`; $(id) | id && id",
    "*)(uid=*))(|(uid=*",
    "=HYPERLINK(\"http://127.0.0.1/\",\"a\")",
    "+1-1@SUM(1)",
    "http://169.254.169.254/latest/meta-data/",
    "file:///etc/passwd",
    "(a+)+$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
    "{a:((.*)*)*}/**/{b}",
];

/// Characters that readers treat differently: control characters, twins under normalisation,
/// directions, widths.
const CHARACTERS: [&str; 13] = [
    "a\0b",
    "\u{1}\u{8}\u{1b}[31m\u{7f}",
    "\u{85}\u{2028}\u{2029}",
    "\u{feff}a",
    "a\u{200b}b\u{200d}c",
    "\u{202e}nimda",
    "é",
    "e\u{301}",
    "\u{ff07} OR 1=1 --",
    "\u{2bc}; DROP TABLE tenants; --",
    "ﬁİıſK",
    "\u{10ffff}\u{1f4a9}",
    "\u{fffd}\u{fffe}",
];

/// Bytes that are not text, and bytes that only look like JSON.
fn malformed() -> Vec<Payload> {
    let bytes: [&[u8]; 6] = [
        b"\xff\xfe",
        b"\xc0\xa7 OR 1=1",
        b"\xe0\x80\xa7",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"a\xc3",
    ];
    let no_text = bytes.into_iter().map(|bytes| {
        let json = [b"\"".as_slice(), bytes, b"\""].concat();
        Payload { bytes: bytes.to_vec(), json, scope: Scope::Texts, is_foreign: false }
    });
    let no_json = [
        r#""\ud800""#,
        r#""\udc00\ud800""#,
        "1e400",
        "-0",
        "NaN",
        "18446744073709551616",
        "1e308",
        "0.1",
        "'a'",
        "\"a",
    ];
    no_text.chain(no_json.map(Payload::raw)).collect()
}

/// Values of every type, and of every size.
fn values() -> Vec<Payload> {
    let deep = |open: &str, close: &str, times: usize| {
        Payload::raw(open.repeat(times) + "1" + &close.repeat(times))
    };
    let mut all: Vec<_> = [
        "null",
        "-1",
        "9223372036854775807",
        "[]",
        "{}",
        "[[\"'\"]]",
        r#"{"'; --": {"__proto__": 1}}"#,
    ]
    .map(Payload::raw)
    .into();
    all.extend([deep("[", "]", 100), deep("{\"a\":", "}", 100), deep("[", "]", 5_000)]);
    all.extend(
        ["", " ", "0", "-1", "99999999999999999999", "1e99", "9223372036854775808", "true", "null"]
            .map(Payload::text),
    );
    all.extend(
        ["a".repeat(201), "é".repeat(130), "'".repeat(3_000)]
            .iter()
            .map(|text| Payload::text(text)),
    );
    all
}

/// The ids of a neighbour in all forms that an id can have, and cursors of its lists.
fn smuggled(victim: &World) -> Vec<Payload> {
    let tenant = id_of(&victim.tenant);
    let mut cursor = vec![1];
    cursor.extend_from_slice(tenant.parse::<Uuid>().unwrap().as_bytes());
    let place = [3, 0, 0, 0, 0, 0, 0, 0, 9];
    vec![
        Payload::core(tenant),
        Payload::text(id_of(&victim.site)),
        Payload::text(id_of(&victim.upstream)),
        Payload::text(id_of(&victim.plan)),
        Payload::text(id_of(&victim.consumer)),
        Payload::text(id_of(&victim.member)),
        Payload::text(&tenant.to_uppercase()),
        Payload::text(&tenant.replace('-', "")),
        Payload::text(&format!("{{{tenant}}}")),
        Payload::text(&format!("urn:uuid:{tenant}")),
        Payload::text(&format!("'; SET tenantry.tenant_id = '{tenant}'; --")),
        Payload::text(&format!("' || set_config('tenantry.tenant_id', '{tenant}', true) || '")),
        Payload::text(&format!("x' UNION SELECT name FROM tenants WHERE id = '{tenant}' --")),
        Payload::text(&URL_SAFE_NO_PAD.encode(&cursor)),
        Payload::text(&URL_SAFE_NO_PAD.encode(place)),
        Payload::text(&URL_SAFE_NO_PAD.encode("' OR 1=1 --")),
    ]
}

/// All payloads, with this neighbour.
pub(crate) fn corpus(victim: &World) -> Vec<Payload> {
    let mut all = vec![
        Payload {
            scope: Scope::Everywhere,
            ..Payload::core(&format!("1'||(SELECT 1 FROM pg_sleep({SLEEP_S}))||'\"`)]}}\\"))
        },
        Payload::text(&format!("1'||(SELECT 1 FROM pg_sleep({SLEEP_S}))||'")),
        Payload::text(&format!("1; SELECT pg_sleep({SLEEP_S})")),
        Payload::text(&format!("(SELECT pg_sleep({SLEEP_S}))")),
        Payload::core("a\0\r\nX-Injected: é"),
    ];
    all.extend(smuggled(victim).into_iter().map(Payload::foreign));
    all.extend(SQL.iter().chain(&ELSEWHERE).chain(&CHARACTERS).map(|text| Payload::text(text)));
    all.extend(malformed());
    all.extend(values());
    all
}
