//! Requests that are in order except in one place.

use std::cell::Cell;
use std::fmt;
use std::fmt::Write as _;

use admin::rights::permissions::Who;
use admin::rights::table;
use axum::http::{HeaderValue, Method};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::is_operators;
use super::payloads::Payload;
use super::places::{OTHERS, Place, Schemas, Step};
use crate::accounts::{EMAIL, PASSWORD};
use crate::document::Operation;
use crate::harness::{Api, Call, id_of};
use crate::matrix::fixture;
use crate::publishing::{PUBLIC_KEY, World};

/// The placeholder in a body for the payload.
const HERE: &str = "@@here@@";
/// The proxy that the service believes about the client's address.
const PROXY: &str = "192.0.2.1";

pub(crate) struct Sender<'a> {
    schemas: &'a Schemas<'a>,
    own: &'a World,
    /// The version whose routes are imported, and the site that may be taken away.
    spare: (&'a str, &'a str),
    operator: &'a str,
    admin: &'a str,
    /// Makes names unique.
    number: Cell<usize>,
}

/// A request, before it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    method: Method,
    pub(crate) path: String,
    query: String,
    headers: Vec<(String, HeaderValue)>,
    body: Vec<u8>,
    pub(crate) by_operator: bool,
}

impl Sent {
    /// Everything that was sent, as text.
    pub(crate) fn shown(&self) -> String {
        let headers: String = self
            .headers
            .iter()
            .map(|(_, value)| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        format!("{}{}{headers}{}", self.path, self.query, String::from_utf8_lossy(&self.body))
    }

    /// Puts a payload into a header, percent-encoded if no header can have it. Returns nothing if
    /// it is not text.
    fn set(&mut self, name: &str, payload: &Payload) -> Option<()> {
        if payload.json.is_empty() || (payload.bytes.is_empty() && payload.json != b"\"\"") {
            return None;
        }
        let value = HeaderValue::from_bytes(&payload.bytes);
        let value =
            value.or_else(|_| HeaderValue::from_str(&percent_encoded(&payload.bytes))).ok()?;
        self.headers.retain(|(given, _)| !given.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value));
        Some(())
    }

    pub(crate) async fn send(&self, api: &Api) -> crate::harness::Reply {
        let mut call =
            api.anonymous(self.method.clone(), &format!("{}{}", self.path, self.query)).from(PROXY);
        for (name, value) in &self.headers {
            call = call.header_bytes(name, value.clone());
        }
        call.bytes(self.body.clone()).send().await
    }
}

impl<'a> Sender<'a> {
    pub(crate) fn new(
        schemas: &'a Schemas<'a>,
        own: &'a World,
        spare: (&'a str, &'a str),
        operator: &'a str,
        admin: &'a str,
    ) -> Self {
        Self { schemas, own, spare, operator, admin, number: Cell::new(0) }
    }

    /// A request with the caller's token and nothing else.
    pub(crate) fn call(&self, api: &Api, by_operator: bool, method: Method, path: &str) -> Call {
        api.call_as(if by_operator { self.operator } else { self.admin }, method, path)
    }

    /// The fields whose values only the world knows.
    fn known(&self, operation: &Operation) -> Map<String, Value> {
        let number = self.number.get();
        self.number.set(number + 1);
        let own = self.own;
        let site = if operation.id == "bulkSites" { self.spare.1 } else { &own.site };
        let name = format!("injection-{number}");
        let known = json!({
            "name": name, "slug": name, "site_slug": name, "organisation": name,
            "description": name,
            "email": format!("{name}@example.test"), "password": PASSWORD, "new_password": PASSWORD,
            "template": "empty",
            "site_id": id_of(site), "upstream_id": id_of(&own.upstream),
            "plan_id": id_of(&own.plan),
            "base_path": format!("/{name}"), "path": format!("/{name}"),
            "issuer": format!("https://{name}.example/"),
            "address": "10.9.0.1", "port": 8080, "public_key": PUBLIC_KEY,
            "jwks_uri": "https://login.example/jwks",
        });
        known.as_object().cloned().unwrap_or_default()
    }

    /// A body that the document does not describe.
    pub(crate) fn example(&self, operation: &Operation) -> Option<Value> {
        (operation.id == "importRoutes").then(|| {
            json!({
                "openapi": "3.1.0",
                "info": {"title": "a", "version": "1"},
                "servers": [{"url": "https://a.example"}],
                "paths": {"/a/{id}": {
                    "parameters": [{"name": "id", "in": "path", "required": true,
                        "schema": {"type": "string"}}],
                    "get": {"operationId": "a", "summary": "a", "tags": ["a"], "responses": {}},
                }},
            })
        })
    }

    /// A body that the operation takes.
    fn body(&self, operation: &Operation, known: &Map<String, Value>) -> Value {
        if let Some(example) = self.example(operation) {
            return example;
        }
        let Some(schema) = self.schemas.body(operation) else { return Value::Null };
        match operation.id.as_str() {
            "login" => json!({"email": EMAIL, "password": PASSWORD}),
            "createUpstream" | "createIssuer" | "createSigningKey" | "createServiceToken"
            | "createInvitation" => fixture(operation, self.own, self.number.get())
                .map_or(Value::Null, |fixture| fixture.body),
            _ => self.schemas.sample("", &schema, known),
        }
    }

    /// The path of an operation, with ids of the caller's own.
    fn path(&self, operation: &Operation) -> String {
        let template = match operation.id.as_str() {
            "importRoutes" => operation.path.replace("{version_id}", id_of(self.spare.0)),
            _ => operation.path.clone(),
        };
        let nobodys = Uuid::now_v7().to_string();
        self.own.path(&template.replace("{session_id}", &nobodys).replace("{signup_id}", &nobodys))
    }

    /// A request that is in order.
    fn base(&self, operation: &Operation) -> Sent {
        let by_operator = is_operators(operation);
        let mut headers = Vec::new();
        let mut add = |name: &str, value: &str| {
            headers.push((name.to_owned(), HeaderValue::from_str(value).unwrap()))
        };
        if table::who(&operation.id) != Some(Who::Anyone) {
            add(
                "authorization",
                &format!("Bearer {}", if by_operator { self.operator } else { self.admin }),
            );
        }
        if operation.method == "DELETE" {
            // This revision does not exist, so the object stays.
            add("if-match", "\"999999999\"");
        }
        // Each comes from another address, so that none is refused for those before it.
        let number = self.number.get();
        add(
            "x-forwarded-for",
            &format!("198.{}.{}.{}", 18 + number / 65_536, number / 256 % 256, number % 256),
        );
        let body = match self.body(operation, &self.known(operation)) {
            Value::Null => Vec::new(),
            body => body.to_string().into_bytes(),
        };
        if !body.is_empty() {
            add("content-type", "application/json");
        }
        let method = operation.method.parse().unwrap();
        Sent {
            method,
            path: self.path(operation),
            query: String::new(),
            headers,
            body,
            by_operator,
        }
    }

    /// The request of an operation with a payload in a place; nothing if the place cannot have it.
    pub(crate) fn request(
        &self,
        operation: &Operation,
        place: &Place,
        payload: &Payload,
    ) -> Option<Sent> {
        let mut sent = self.base(operation);
        if sent.by_operator && payload.is_foreign {
            // An operator may use every tenant.
            return None;
        }
        match place {
            Place::Path(name) => {
                if payload.bytes.is_empty() || payload.bytes.len() > 1_000 {
                    return None;
                }
                let mixed = operation.path.replace(&format!("{{{name}}}"), HERE);
                let whole = Operation { path: mixed, ..operation.clone() };
                sent.path = self.path(&whole).replace(HERE, &percent_encoded(&payload.bytes));
            }
            Place::Query(_) if payload.bytes.is_empty() && payload.json != b"\"\"" => return None,
            Place::Query(name) => {
                sent.query = format!(
                    "?{}={}",
                    percent_encoded(name.as_bytes()),
                    percent_encoded(&payload.bytes)
                );
            }
            Place::Header(name) => sent.set(name, payload)?,
            Place::Headers => OTHERS.iter().try_for_each(|name| sent.set(name, payload))?,
            Place::Body(steps) => {
                let known = self.known(operation);
                let mut body = self.body(operation, &known);
                self.schemas.put(&mut body, steps, HERE, &known);
                sent.body = replaced(body.to_string().as_bytes(), &payload.json);
            }
        }
        Some(sent)
    }

    /// The fault in a request that should be in order, if there is one.
    pub(crate) async fn uncovered(&self, api: &Api, operation: &Operation) -> Option<String> {
        let sent = self.base(operation);
        if sent.path.contains('{') {
            return Some(format!("{}: no id is known for {}", operation.id, sent.path));
        }
        if operation.id == "closeTenant" {
            // It would end all later requests; it takes an empty object.
            return None;
        }
        let reply = sent.send(api).await;
        if operation.method == "POST"
            && let Some(place) = reply.headers.get("location")
        {
            self.call(api, sent.by_operator, Method::DELETE, place.to_str().unwrap()).send().await;
        }
        let expected: &[u16] = match operation.id.as_str() {
            // The objects that they name were never made: a session, a sign-up, a token.
            "endSession" | "rejectSignUp" | "approveSignUp" | "acceptInvitation" => &[404],
            "confirmPasswordReset" | "verifySignUp" => &[422],
            "refreshSession" => &[401],
            // The Admin has no password and no second factor.
            "changePassword" | "enrolTotp" | "confirmTotp" | "disableTotp" | "eraseMe" => {
                &[401, 404, 409, 422]
            }
            _ if operation.method == "DELETE" => &[412],
            _ => &[200, 201, 202, 204],
        };
        (!expected.contains(&reply.status))
            .then(|| format!("{}: {} {}", operation.id, reply.status, reply.text()))
    }
}

fn percent_encoded(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        match byte {
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) => {
                text.push(char::from(*byte))
            }
            byte => write!(text, "%{byte:02X}").unwrap(),
        }
        text
    })
}

/// A document in which a value replaces its placeholder.
fn replaced(document: &[u8], json: &[u8]) -> Vec<u8> {
    let here = format!("\"{HERE}\"").into_bytes();
    let at =
        document.windows(here.len()).position(|window| window == here).expect("it was put there");
    [&document[..at], json, &document[at + here.len()..]].concat()
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(name) => write!(f, "path {name}"),
            Self::Query(name) => write!(f, "query {name}"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Headers => f.write_str("headers"),
            Self::Body(steps) => {
                f.write_str("body")?;
                steps.iter().try_for_each(|(step, _)| match step {
                    Step::Field(name) => write!(f, ".{name}"),
                    Step::Item => f.write_str("[0]"),
                    Step::Name => f.write_str(".<name>"),
                })
            }
        }
    }
}
