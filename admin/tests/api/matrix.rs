//! Every operation of the document x every kind of caller x {own, foreign, absent} object. The
//! expected answers are computed from the permission table alone; an operation without a fixture
//! fails here by its name.
//!
//! A foreign object, of another tenant, has to be answered like one that does not exist, byte for
//! byte. No attempt may change anything of the other tenant, whose rows, audit log included, are
//! hashed by the database.

mod callers;
mod expected;
mod smuggled;

use std::collections::BTreeMap;

use admin::rights::permissions::Who;
use admin::rights::table;
use axum::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use self::callers::{Caller, Someone, everybody};
use self::expected::{Expected, Object, compare, expected};
use crate::document::{Operation, operations};
use crate::harness::{Api, Reply, id_of, stop_clock, with_api};
use crate::isolation::visible;
use crate::publishing::{World, new_issuer, new_signing_key};
use crate::state::state;

/// The request of an operation, and the statuses of its answer to a permitted caller.
pub(crate) struct Fixture {
    pub(crate) body: Value,
    /// The statuses for the caller's own object.
    pub(crate) statuses: &'static [u16],
    pub(crate) query: &'static str,
}

/// The fixture of an operation. `number` makes names unique.
pub(crate) fn fixture(operation: &Operation, world: &World, number: usize) -> Option<Fixture> {
    let new = |body: Value| Some(Fixture { body, statuses: &[201], query: "" });
    let read = Some(Fixture { body: Value::Null, statuses: &[200], query: "" });
    let kept = Some(Fixture { body: json!({}), statuses: &[412], query: "" });
    let name = format!("matrix-{number}");
    match operation.id.as_str() {
        "createCell" => new(json!({"name": name})),
        "createPlatformPlan" => new(json!({"name": name})),
        "createTenant" => new(json!({"name": name})),
        "createSite" => new(json!({"name": name, "slug": name})),
        "cloneSite" => new(json!({"name": name, "slug": name})),
        // The site does not have this revision; each item decides if the caller may do it.
        "bulkSites" => Some(Fixture {
            body: json!({"items": [{"op": "delete", "site_id": id_of(&world.site),
                "if_match": "\"999999999\""}]}),
            statuses: &[200],
            query: "",
        }),
        "createHostname" => new(json!({"name": name})),
        "createUpstream" => new(json!({"name": name, "endpoints": []})),
        "createApi" => new(json!({"name": name, "base_path": format!("/{name}")})),
        "createVersion" => new(json!({"name": name, "upstream_id": id_of(&world.upstream)})),
        "createRoute" => new(json!({"path": format!("/{name}")})),
        "createPlan" => new(json!({"name": name})),
        "createIssuer" => new(new_issuer(&format!("https://{name}.example/"))),
        "createConsumer" => new(json!({"name": name})),
        "createKey" => new(json!({"name": name})),
        "createSigningKey" => new(new_signing_key()),
        "createServiceToken" => new(json!({"name": name, "role": "viewer"})),
        "createInvitation" => {
            new(json!({"email": format!("{name}@example.test"), "role": "viewer"}))
        }
        "importRoutes" => Some(Fixture {
            body: json!({"openapi": "3.1.0", "paths": {"/matrix": {"get": {}}}}),
            statuses: &[200],
            query: "?dry_run=true",
        }),
        // A key is rotated once; after that there is none to rotate.
        "rotateKey" => Some(Fixture { body: json!({}), statuses: &[201, 409], query: "" }),
        "closeTenant" => Some(Fixture { body: json!({}), statuses: &[200], query: "" }),
        "updateTenantStatus" => {
            Some(Fixture { body: json!({"status": "active"}), statuses: &[412], query: "" })
        }
        // No sign-up has this id, so none is decided.
        "approveSignUp" => Some(Fixture { body: json!({}), statuses: &[404], query: "" }),
        "rejectSignUp" => Some(Fixture { body: Value::Null, statuses: &[404], query: "" }),
        "acceptInvitation" => {
            Some(Fixture { body: json!({"token": "x"}), statuses: &[404], query: "" })
        }
        // The object does not have this revision: a permitted caller gets so far, and the object
        // stays.
        _ if matches!(operation.method.as_str(), "PATCH" | "DELETE") => kept,
        _ if operation.method == "GET" => read,
        _ => None,
    }
}

/// The path of an operation with ids of these worlds: up to `from` of the first, then of the other,
/// or random if there is no other.
pub(crate) fn path(template: &str, own: &World, other: Option<&World>, from: usize) -> String {
    let mut seen = 0;
    let parts: Vec<String> = template
        .split('/')
        .map(|part| {
            if !part.starts_with('{') {
                return part.to_owned();
            }
            seen += 1;
            match other {
                _ if seen <= from => own.path(part),
                Some(other) => other.path(part),
                None => Uuid::now_v7().to_string(),
            }
        })
        .collect();
    parts.join("/")
}

async fn send(
    api: &Api,
    someone: &Someone,
    operation: &Operation,
    path: &str,
    fixture: &Fixture,
) -> Reply {
    let method: Method = operation.method.parse().unwrap();
    let target = format!("{path}{}", fixture.query);
    let call = match &someone.token {
        Some(token) => api.call_as(token, method, &target),
        None => api.anonymous(method, &target),
    };
    let call =
        if fixture.statuses == [412] { call.header("if-match", "\"999999999\"") } else { call };
    if fixture.body.is_null() { call.send().await } else { call.json(&fixture.body).send().await }
}

#[tokio::test]
async fn every_caller_gets_what_the_table_says_and_nothing_of_others() {
    with_api(async |api| {
        // Access tokens are valid for ten minutes; the test may take longer.
        stop_clock();
        let own = World::make(api, "acme").await;
        let victim = World::make(api, "globex").await;
        let all = everybody(api, &own).await;
        let untouched = state(api, id_of(&victim.tenant)).await;
        let mut asked = 0;
        let mut answers: BTreeMap<&str, usize> = BTreeMap::new();
        let mut missing = Vec::new();
        let list = operations(api).await;
        for operation in &list {
            let who = table::who(&operation.id).unwrap();
            // A person's own things name no object of anybody else; another test covers them.
            if who == Who::Anyone || format!("{}/", operation.path).starts_with("/v1/me/") {
                continue;
            }
            let levels = operation.path.matches('{').count();
            for someone in &all {
                let number = asked;
                let Some(fixture) = fixture(operation, &own, number) else {
                    missing.push(operation.id.clone());
                    break;
                };
                let context = format!("{} by {}", operation.id, someone.name);
                let home = expected(who, someone.caller, Object::Own, &operation.path);
                let at_home = path(&operation.path, &own, None, levels);
                let reply = send(api, someone, operation, &at_home, &fixture).await;
                compare(&reply, home, fixture.statuses, &context);
                asked += 1;
                *answers.entry("own").or_default() += 1;
                // Operators may use every tenant, and cells are theirs.
                let first = usize::from(someone.caller == Caller::Operator);
                for from in first..levels {
                    let elsewhere =
                        expected(who, someone.caller, Object::Elsewhere { from }, &operation.path);
                    let absent = path(&operation.path, &own, None, from);
                    let absent = send(api, someone, operation, &absent, &fixture).await;
                    compare(&absent, elsewhere, &[], &format!("{context}, absent from {from}"));
                    asked += 1;
                    *answers.entry("absent").or_default() += 1;
                    if !operation.path.contains("{tenant_id}") {
                        continue;
                    }
                    let foreign = path(&operation.path, &own, Some(&victim), from);
                    let foreign = send(api, someone, operation, &foreign, &fixture).await;
                    assert_eq!(
                        visible(&foreign),
                        visible(&absent),
                        "{context}, foreign from {from}"
                    );
                    asked += 1;
                    *answers.entry("foreign").or_default() += 1;
                }
            }
            assert_eq!(
                state(api, id_of(&victim.tenant)).await,
                untouched,
                "{} changed the other tenant",
                operation.id
            );
        }
        assert_eq!(missing, Vec::<String>::new(), "give these operations a fixture");
        println!(
            "{} operations x {} callers: {asked} requests, {answers:?}",
            list.len(),
            all.len()
        );
        assert!(asked > 3_000, "{asked}");
    })
    .await;
}

#[tokio::test]
async fn what_is_a_persons_own_is_for_nobody_else() {
    with_api(async |api| {
        let own = World::make(api, "acme").await;
        let all = everybody(api, &own).await;
        for operation in operations(api).await {
            if table::who(&operation.id) != Some(Who::Account) {
                continue;
            }
            assert!(
                operation.path.starts_with("/v1/me"),
                "{} is at {}",
                operation.id,
                operation.path
            );
            for someone in &all {
                let expected = expected(Who::Account, someone.caller, Object::Own, &operation.path);
                if expected == Expected::Through {
                    continue;
                }
                let fixture = Fixture { body: json!({}), statuses: &[], query: "" };
                let path = path(&operation.path, &own, None, 0);
                let reply = send(api, someone, &operation, &path, &fixture).await;
                compare(&reply, expected, &[], &format!("{} by {}", operation.id, someone.name));
            }
        }
    })
    .await;
}
