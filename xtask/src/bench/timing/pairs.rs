//! The pairs of requests that are compared.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use stack::Stack;

use super::sample::{Expected, Make, Pair, Side};
use super::world::{SCALE, Twins, World};
use crate::bench::seed::{SITE, TENANT, hostname, id};

/// Numbers of requests of each kind. A password is hashed for these, which is slow; the database is
/// asked for the next; Envoy answers the last.
const HASHED: usize = 1_500;
const ASKED: usize = 6_000;
const IN_ENVOY: usize = 20_000;
/// As many as accounts may be written to.
const LETTERS: usize = 3_000;

/// The targets of requests, and the ever new addresses that they come from: limits of logins count
/// by address.
#[derive(Clone)]
struct To {
    client: Client,
    base: String,
    next: Arc<AtomicU32>,
}

impl To {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let address = std::net::Ipv4Addr::from_bits(0xc612_0000 + number % 0x1_ffff);
        self.client
            .request(method, format!("{}{path}", self.base))
            .header("x-forwarded-for", address.to_string())
    }

    /// A POST whose body is made of an address of the list, in turn.
    fn post(
        &self,
        path: &'static str,
        emails: fn(usize) -> String,
        body: fn(String) -> Value,
    ) -> Make {
        let to = self.clone();
        Box::new(move |number| {
            to.request(Method::POST, path).json(&body(emails(number % SCALE.sites)))
        })
    }

    /// A GET with these tokens, in turn.
    fn with_tokens(&self, path: &str, tokens: &[String]) -> Make {
        let (to, path, tokens) = (self.clone(), path.to_owned(), tokens.to_vec());
        Box::new(move |number| {
            to.request(Method::GET, &path).bearer_auth(&tokens[number % tokens.len()])
        })
    }

    /// A GET of these objects, in turn.
    fn of_objects(&self, place: &str, ids: &[String], token: &str) -> Make {
        let (to, place, ids, token) =
            (self.clone(), place.to_owned(), ids.to_vec(), token.to_owned());
        Box::new(move |number| {
            to.request(Method::GET, &format!("{place}/{}", ids[number % ids.len()]))
                .bearer_auth(&token)
        })
    }
}

fn known(number: usize) -> String {
    format!("admin-{number}@bench.test")
}

fn unknown(number: usize) -> String {
    format!("other-{number}@bench.test")
}

fn side(name: &'static str, status: StatusCode, make: Make) -> Side {
    Side { name, make, status }
}

fn alike(title: &'static str, count: usize, first: Side, second: Side) -> Pair {
    Pair { title, first, second, count, expected: Expected::Alike }
}

/// All of them.
pub(super) fn all(stack: &Stack, client: &Client, world: &World) -> Vec<Pair> {
    let to = To { client: client.clone(), base: stack.api.base().to_owned(), next: Arc::default() };
    let mut pairs = controls(&to, world);
    pairs.extend(people(&to));
    pairs.extend(tokens(&to, world));
    pairs.extend(objects(&to, world));
    pairs.extend(keys(stack, client, world));
    pairs
}

/// That nothing is found where nothing is, and something where something is.
fn controls(to: &To, world: &World) -> Vec<Pair> {
    let denied = StatusCode::UNAUTHORIZED;
    let wrong = |email: String| json!({"email": email, "password": "not-the-password-of-anybody"});
    let place = format!("/v1/tenants/{}/sites", id(TENANT, 0));
    let own = [id(SITE, 0)];
    let get = || side("own site", StatusCode::OK, to.of_objects(&place, &own, &world.own));
    let login = side("a password is hashed", denied, to.post("/v1/auth/login", known, wrong));
    let body = |_| json!({"refresh_token": "tnr_unknown"});
    let refresh = side("none is", denied, to.post("/v1/auth/refresh", known, body));
    vec![
        alike("control: the same request twice", ASKED, get(), get()),
        Pair {
            expected: Expected::Different,
            ..alike("control: with and without a hash", HASHED / 10, login, refresh)
        },
    ]
}

fn people(to: &To) -> Vec<Pair> {
    let wrong = |email: String| json!({"email": email, "password": "not-the-password-of-anybody"});
    let address = |email: String| json!({"email": email});
    let login = |name, emails| {
        side(name, StatusCode::UNAUTHORIZED, to.post("/v1/auth/login", emails, wrong))
    };
    let reset = |name, emails| {
        side(name, StatusCode::ACCEPTED, to.post("/v1/auth/password-reset", emails, address))
    };
    vec![
        alike("login", HASHED, login("wrong password", known), login("unknown account", unknown)),
        alike(
            "password reset",
            LETTERS,
            reset("known address", known),
            reset("unknown address", unknown),
        ),
    ]
}

fn tokens(to: &To, world: &World) -> Vec<Pair> {
    let path = format!("/v1/tenants/{}/sites", id(TENANT, 0));
    let pair = |title, twins: &Twins| {
        let side = |name, tokens: &[String]| {
            side(name, StatusCode::UNAUTHORIZED, to.with_tokens(&path, tokens))
        };
        alike(title, ASKED, side("revoked", &twins.real), side("unknown", &twins.invented))
    };
    vec![
        pair("operator token", &world.operator_tokens),
        pair("service token", &world.service_tokens),
        pair("access token", &world.access_tokens),
    ]
}

fn objects(to: &To, world: &World) -> Vec<Pair> {
    let sites = format!("/v1/tenants/{}/sites", id(TENANT, 0));
    let pair = |title, place: &str, twins: &Twins| {
        let side = |name, ids: &[String]| {
            side(name, StatusCode::NOT_FOUND, to.of_objects(place, ids, &world.own))
        };
        alike(title, ASKED, side("another's", &twins.real), side("absent", &twins.invented))
    };
    vec![pair("tenant", "/v1/tenants", &world.tenants), pair("site", &sites, &world.sites)]
}

/// Through Envoy, with the module as it is built.
fn keys(stack: &Stack, client: &Client, world: &World) -> Vec<Pair> {
    let gateway = stack
        .envoys
        .first()
        .map_or_else(|| stack::ports::loopback(0), |envoy| envoy.settings.gateway);
    let with = |name, keys: &[String]| {
        let (client, keys) = (client.clone(), keys.to_vec());
        let make = move |number: usize| {
            let request = client
                .get(format!("http://{gateway}/shop/v1/products/42"))
                .header("host", hostname(0));
            request.header("x-api-key", &keys[number % keys.len()])
        };
        side(name, StatusCode::FORBIDDEN, Box::new(make))
    };
    let unknown = || with("unknown", &world.keys.invented);
    vec![
        alike("key", IN_ENVOY, with("revoked", &world.keys.real), unknown()),
        alike("key of another tenant", IN_ENVOY, with("another's", &world.foreign_keys), unknown()),
    ]
}
