//! Every operation of the document x every kind of caller x {own, foreign, absent} object. What is to be answered is computed from the
//! permission table alone; an operation that has no fixture fails here by its name.
//!
//! A foreign object, of another tenant, has to be answered like one that does not exist, byte for byte; and nothing that anybody tries may
//! change anything of the other tenant, whose rows, audit log included, are hashed by the database.

use std::collections::BTreeMap;

use admin::permissions::{self, Who};
use axum::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::document::{Operation, operations};
use crate::harness::{Api, Reply, id_of, with_api};
use crate::isolation::visible;
use crate::publishing::{World, new_issuer, new_signing_key};

/// What a caller is in the tenant whose objects are its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    None,
    Viewer,
    Developer,
    Admin,
}

/// A kind of caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Nobody,
    Operator,
    /// Somebody who has logged in, with this role in the tenant.
    Account(Rank),
    /// Somebody who has logged in, a developer of the one site and nothing else.
    SiteDeveloper,
    /// A service token with this role.
    Service(Rank),
}

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Object {
    /// All of it is of the caller's tenant, if it has one.
    Own,
    /// The parts from this one on are another's, or do not exist.
    Elsewhere { from: usize },
}

/// What has to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Unauthorized,
    Forbidden,
    NotFound,
    /// It is let through; what then happens is the fixture's to say.
    Through,
}

/// What is expected by the table alone. `site_level`: the path names a site.
fn expected(who: Who, caller: Caller, object: Object, path: &str) -> Expected {
    let in_tenant = path.contains("{tenant_id}");
    let site_level = path.contains("{site_id}");
    if who == Who::Anyone {
        return Expected::Through;
    }
    let found = if object == Object::Own { Expected::Through } else { Expected::NotFound };
    let (rank, in_person) = match caller {
        Caller::Nobody => return Expected::Unauthorized,
        Caller::Operator if who == Who::Account => return Expected::Forbidden,
        Caller::Operator => return found,
        Caller::Account(_) | Caller::SiteDeveloper if who == Who::Account => return found,
        Caller::Service(_) if who == Who::Account => return Expected::Forbidden,
        Caller::Account(rank) => (rank, true),
        Caller::Service(rank) => (rank, false),
        Caller::SiteDeveloper if site_level && matches!(object, Object::Own | Object::Elsewhere { from: 2.. }) => {
            (Rank::Developer, true)
        }
        // Of the other sites, nothing is there.
        Caller::SiteDeveloper if site_level => return Expected::NotFound,
        Caller::SiteDeveloper => (Rank::None, true),
    };
    if !in_tenant {
        return Expected::Forbidden;
    }
    let is_member = caller == Caller::SiteDeveloper || rank > Rank::None;
    if !is_member || object == (Object::Elsewhere { from: 0 }) {
        return Expected::NotFound;
    }
    let allowed = match who {
        Who::Member => true,
        Who::Viewer => rank >= Rank::Viewer,
        Who::Developer => rank >= Rank::Developer,
        Who::TenantDeveloper => rank >= Rank::Developer && caller != Caller::SiteDeveloper,
        Who::Admin => rank >= Rank::Admin,
        Who::AdminInPerson => rank >= Rank::Admin && in_person,
        Who::Operator | Who::Account | Who::Anyone => false,
    };
    if allowed { found } else { Expected::Forbidden }
}

/// What an operation is sent, and what it answers who is let through to what is theirs.
struct Fixture {
    body: Value,
    /// The statuses of the own object.
    statuses: &'static [u16],
    query: &'static str,
}

/// The fixture of an operation. `number` makes names new.
fn fixture(operation: &Operation, world: &World, number: usize) -> Option<Fixture> {
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
        // For a revision that the site does not have; whether the caller may do that is the item's to say.
        "bulkSites" => Some(Fixture {
            body: json!({"items": [{"op": "delete", "site_id": id_of(&world.site), "if_match": "\"999999999\""}]}),
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
        "createInvitation" => new(json!({"email": format!("{name}@example.test"), "role": "viewer"})),
        "importRoutes" => Some(Fixture {
            body: json!({"openapi": "3.1.0", "paths": {"/matrix": {"get": {}}}}),
            statuses: &[200],
            query: "?dry_run=true",
        }),
        // A key is rotated once; after it there is none any more to rotate.
        "rotateKey" => Some(Fixture { body: json!({}), statuses: &[201, 409], query: "" }),
        "closeTenant" => Some(Fixture { body: json!({}), statuses: &[200], query: "" }),
        "updateTenantStatus" => Some(Fixture { body: json!({"status": "active"}), statuses: &[412], query: "" }),
        // None waits: an id of no sign-up.
        "approveSignUp" => Some(Fixture { body: json!({}), statuses: &[404], query: "" }),
        "rejectSignUp" => Some(Fixture { body: Value::Null, statuses: &[404], query: "" }),
        "acceptInvitation" => Some(Fixture { body: json!({"token": "x"}), statuses: &[404], query: "" }),
        // Each is sent for a revision that the object does not have: who gets so far may do it, and it stays.
        _ if matches!(operation.method.as_str(), "PATCH" | "DELETE") => kept,
        _ if operation.method == "GET" => read,
        _ => None,
    }
}

/// The path of an operation with ids of these worlds: up to `from` of the first, then of the other; random where there is none.
fn path(template: &str, own: &World, other: Option<&World>, from: usize) -> String {
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

/// All rows of a tenant, in one number. When a service token was last used is no state of the tenant's.
async fn state(api: &Api, tenant: &str) -> String {
    let tables: Vec<(String, String)> = sqlx::query_as(
        "SELECT c.relname::text, a.attname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
           AND (a.attname = 'tenant_id' OR (c.relname = 'tenants' AND a.attname = 'id'))
         ORDER BY 1",
    )
    .fetch_all(&api.superuser)
    .await
    .unwrap();
    assert!(tables.len() > 20, "{tables:?}");
    let rows: Vec<String> = tables
        .iter()
        .map(|(table, column)| {
            format!("SELECT '{table}' || (to_jsonb(t) - 'last_used_at')::text AS row FROM {table} t WHERE {column} = '{tenant}'")
        })
        .collect();
    let query = format!("SELECT md5(string_agg(row, '' ORDER BY row)) FROM ({}) AS rows", rows.join(" UNION ALL "));
    sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(&api.superuser).await.unwrap()
}

/// A caller with its token, if it has one.
struct Someone {
    name: String,
    caller: Caller,
    token: Option<String>,
}

/// One of each kind. `own` is the tenant whose objects are theirs; one is of a third tenant, and one of none.
async fn everybody(api: &Api, own: &World) -> Vec<Someone> {
    let tenant = id_of(&own.tenant);
    let mut all = vec![
        Someone { name: "nobody".into(), caller: Caller::Nobody, token: None },
        Someone { name: "operator".into(), caller: Caller::Operator, token: Some(api.token.reveal().to_owned()) },
    ];
    for (role, rank) in [("viewer", Rank::Viewer), ("developer", Rank::Developer), ("admin", Rank::Admin)] {
        let person = api.colleague(tenant, json!({"role": role})).await;
        all.push(Someone { name: role.into(), caller: Caller::Account(rank), token: Some(person.token) });
        let made = api.post(&format!("{}/service-tokens", own.tenant), json!({"name": role, "role": role})).await;
        let token = made.expect(201).json()["token"].as_str().map(str::to_owned);
        all.push(Someone { name: format!("{role} token"), caller: Caller::Service(rank), token });
    }
    let sites = json!([{"site_id": id_of(&own.site), "role": "developer"}]);
    let person = api.colleague(tenant, json!({"role": null, "sites": sites})).await;
    all.push(Someone { name: "site developer".into(), caller: Caller::SiteDeveloper, token: Some(person.token) });
    let third = api.make("/v1/tenants", json!({"name": "Third"})).await;
    let stranger = api.colleague(id_of(&third), json!({"role": "admin"})).await;
    all.push(Someone { name: "stranger".into(), caller: Caller::Account(Rank::None), token: Some(stranger.token) });
    let made = api.post(&format!("{third}/service-tokens"), json!({"name": "x", "role": "admin"})).await.expect(201);
    let token = made.json()["token"].as_str().map(str::to_owned);
    all.push(Someone { name: "stranger's token".into(), caller: Caller::Service(Rank::None), token });
    let person = api.person().await;
    all.push(Someone { name: "in no tenant".into(), caller: Caller::Account(Rank::None), token: Some(person.token) });
    all
}

async fn send(api: &Api, someone: &Someone, operation: &Operation, path: &str, fixture: &Fixture) -> Reply {
    let method: Method = operation.method.parse().unwrap();
    let target = format!("{path}{}", fixture.query);
    let call = match &someone.token {
        Some(token) => api.call_as(token, method, &target),
        None => api.anonymous(method, &target),
    };
    let call = if fixture.statuses == [412] { call.header("if-match", "\"999999999\"") } else { call };
    if fixture.body.is_null() { call.send().await } else { call.json(&fixture.body).send().await }
}

/// Compares an answer with what was expected.
#[track_caller]
fn compare(reply: &Reply, expected: Expected, through: &[u16], context: &str) {
    let (status, text) = (reply.status, reply.text());
    match expected {
        Expected::Unauthorized => assert_eq!(status, 401, "{context}: {text}"),
        Expected::Forbidden => {
            assert_eq!(status, 403, "{context}: {text}");
            assert_eq!(reply.json()["type"], "urn:tenantry:problem:forbidden", "{context}");
        }
        Expected::NotFound => {
            assert_eq!(status, 404, "{context}: {text}");
            assert_eq!(reply.json()["type"], "urn:tenantry:problem:not-found", "{context}");
        }
        Expected::Through => assert!(through.contains(&status), "{context}: {status} {text}"),
    }
}

#[tokio::test]
async fn every_caller_gets_what_the_table_says_and_nothing_of_others() {
    with_api(async |api| {
        let own = World::make(api, "acme").await;
        let victim = World::make(api, "globex").await;
        let all = everybody(api, &own).await;
        let untouched = state(api, id_of(&victim.tenant)).await;
        let mut asked = 0;
        let mut answers: BTreeMap<&str, usize> = BTreeMap::new();
        let mut missing = Vec::new();
        let list = operations(api).await;
        for operation in &list {
            let who = permissions::of(&operation.id).unwrap();
            if who == Who::Anyone || operation.path == "/v1/me" || operation.path.starts_with("/v1/me/") {
                // What is a person's own names no object of anybody else's: it is asked below.
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
                let reply = send(api, someone, operation, &path(&operation.path, &own, None, levels), &fixture).await;
                compare(&reply, home, fixture.statuses, &context);
                asked += 1;
                *answers.entry("own").or_default() += 1;
                // Operators are at home in every tenant, and cells are theirs.
                let first = usize::from(someone.caller == Caller::Operator);
                for from in first..levels {
                    let elsewhere = expected(who, someone.caller, Object::Elsewhere { from }, &operation.path);
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
                    assert_eq!(visible(&foreign), visible(&absent), "{context}, foreign from {from}");
                    asked += 1;
                    *answers.entry("foreign").or_default() += 1;
                }
            }
            assert_eq!(state(api, id_of(&victim.tenant)).await, untouched, "{} changed the other tenant", operation.id);
        }
        assert_eq!(missing, Vec::<String>::new(), "give these operations a fixture");
        println!("{} operations x {} callers: {asked} requests, {answers:?}", list.len(), all.len());
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
            if permissions::of(&operation.id) != Some(Who::Account) {
                continue;
            }
            assert!(operation.path.starts_with("/v1/me"), "{} is at {}", operation.id, operation.path);
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

/// A body with an id of another object in it: that of a neighbour, and one that does not exist.
fn bodies(neighbour: &World, absent: &str) -> Vec<(&'static str, &'static str, Value, Value)> {
    let site = |id: &str| json!([{"site_id": id, "role": "viewer"}]);
    let pair = |of: &dyn Fn(&str) -> Value, foreign: &str| (of(id_of(foreign)), of(absent));
    let mut all = Vec::new();
    let mut add = |id, method, pair: (Value, Value)| all.push((id, method, pair.0, pair.1));
    let (upstream, plan) = (&neighbour.upstream, &neighbour.plan);
    add("{site}/apis/{api}/versions", "POST", pair(&|id| json!({"name": "v7", "upstream_id": id}), upstream));
    add("{version}", "PATCH", pair(&|id| json!({"upstream_id": id}), upstream));
    add("{version}/routes", "POST", pair(&|id| json!({"path": "/x", "upstream_id": id}), upstream));
    add("{route}", "PATCH", pair(&|id| json!({"upstream_id": id}), upstream));
    add("{site}/consumers", "POST", pair(&|id| json!({"name": "x", "plan_id": id}), plan));
    add("{consumer}", "PATCH", pair(&|id| json!({"plan_id": id}), plan));
    add("{tenant}/service-tokens", "POST", pair(&|id| json!({"name": "x", "sites": site(id)}), &neighbour.site));
    add("{tenant}/invitations", "POST", pair(&|id| json!({"email": "a@b.test", "sites": site(id)}), &neighbour.site));
    add("{member}", "PATCH", pair(&|id| json!({"sites": site(id)}), &neighbour.site));
    all
}

#[tokio::test]
async fn ids_of_others_in_bodies_queries_and_headers_are_like_absent_ones() {
    with_api(async |api| {
        let own = World::make(api, "acme").await;
        let victim = World::make(api, "globex").await;
        let admin = api.colleague(id_of(&own.tenant), json!({"role": "admin"})).await;
        let untouched = state(api, id_of(&victim.tenant)).await;
        let absent = Uuid::now_v7().to_string();
        for (place, method, foreign, absent) in bodies(&victim, &absent) {
            let path = place
                .replace("{site}/apis/{api}", &own.api)
                .replace("{site}", &own.site)
                .replace("{tenant}", &own.tenant)
                .replace("{version}", &own.version)
                .replace("{route}", &own.route)
                .replace("{consumer}", &own.consumer)
                .replace("{member}", &own.member);
            for token in [api.token.reveal(), &admin.token] {
                let send =
                    async |body: &Value| api.call_as(token, method.parse().unwrap(), &path).json(body).send().await;
                let absent = send(&absent).await.problem(422, "invalid");
                assert_eq!(visible(&send(&foreign).await), visible(&absent), "{method} {place}");
            }
        }
        // A cursor is a place in one's own list, whoever's the id in it is.
        let page = |tenant: &str| format!("{tenant}/sites?limit=1");
        World::site(api, &victim.tenant, "globex-two").await;
        let untouched_after = state(api, id_of(&victim.tenant)).await;
        let cursor = api.get(&page(&victim.tenant)).await.json()["next_cursor"].as_str().unwrap().to_owned();
        let listed = api.call_as(&admin.token, Method::GET, &format!("{}&cursor={cursor}", page(&own.tenant)));
        assert!(!listed.send().await.expect(200).text().contains(id_of(&victim.site)));
        // A key that somebody else has used is new.
        let theirs = api.colleague(id_of(&victim.tenant), json!({"role": "admin"})).await;
        let mut texts = Vec::new();
        for (token, world) in [(&theirs.token, &victim), (&admin.token, &own)] {
            let call = api.call_as(token, Method::POST, &format!("{}/service-tokens", world.tenant));
            let call = call.header("idempotency-key", "shared").json(&json!({"name": "x", "role": "viewer"}));
            let reply = call.send().await.expect(201);
            assert!(!reply.headers.contains_key("idempotency-replayed"));
            texts.push(reply.text());
        }
        assert_ne!(texts[0], texts[1]);
        assert_ne!(untouched, untouched_after, "the hash sees what was made");
    })
    .await;
}
