//! The admin API keeps to its OpenAPI document, for every caller and every request.

use serde_json::{Value, json};
use stack::Stack;
use stack::testing::person;
use tenantry_tests::{contract::Asker, finish, start};

/// The ids of a tenant's objects.
struct Owned {
    parameters: Vec<(&'static str, String)>,
}

/// The least number of requests of each role.
const CASES: u64 = 5_000;

/// Examples for each operation, beside those that try each constraint of its parameters.
const EXAMPLES: u32 = 5;

/// Operations that would remove the objects of the others, and those that answer 503 where no
/// letters can be sent.
const WITHOUT: [&str; 11] = [
    "requestPasswordReset",
    "deleteTenant",
    "deleteSite",
    "deleteApi",
    "deleteVersion",
    "deleteUpstream",
    "deleteConsumer",
    "deletePlan",
    "deleteIssuer",
    "revokeKey",
    "deleteRoute",
];

impl Owned {
    /// Makes one of everything.
    async fn make(stack: &Stack) -> Self {
        let post = async |path: &str, body: Value| -> String {
            let made = stack.api.post(path, body).await.unwrap_or_else(|error| panic!("{error}"));
            made["id"].as_str().unwrap_or_else(|| panic!("no id in {made}")).to_owned()
        };
        let tenant = post("/v1/tenants", json!({ "name": "Acme", "slug": "acme" })).await;
        let base = format!("/v1/tenants/{tenant}/sites");
        let site =
            post(&base, json!({ "name": "Acme", "slug": "acme", "environment": "live" })).await;
        let base = format!("{base}/{site}");
        let endpoints = json!([{ "address": "127.0.0.1", "port": 9 }]);
        let upstream =
            post(&format!("{base}/upstreams"), json!({ "name": "shop", "endpoints": endpoints }))
                .await;
        let api =
            post(&format!("{base}/apis"), json!({ "name": "shop", "base_path": "/shop" })).await;
        let versions = format!("{base}/apis/{api}/versions");
        let version = post(&versions, json!({ "name": "v1", "upstream_id": upstream })).await;
        let routes = format!("{versions}/{version}/routes");
        let route = post(&routes, json!({ "methods": ["GET"], "path": "/things/{id}" })).await;
        let plan = post(&format!("{base}/plans"), json!({ "name": "free" })).await;
        let consumer =
            post(&format!("{base}/consumers"), json!({ "name": "app", "plan_id": plan })).await;
        let key = post(&format!("{base}/consumers/{consumer}/keys"), json!({})).await;
        let parameters = vec![
            ("tenant_id", tenant),
            ("site_id", site),
            ("upstream_id", upstream),
            ("api_id", api),
            ("version_id", version),
            ("route_id", route),
            ("plan_id", plan),
            ("consumer_id", consumer),
            ("key_id", key),
        ];
        Self { parameters }
    }

    fn tenant(&self) -> &str {
        self.parameters.iter().find(|(name, _)| *name == "tenant_id").map_or("", |(_, id)| id)
    }

    /// Makes a service token of the tenant.
    async fn service_token(&self, stack: &Stack, role: &str) -> String {
        let path = format!("/v1/tenants/{}/service-tokens", self.tenant());
        let made = stack.api.post(&path, json!({ "name": role, "role": role })).await;
        let made = made.unwrap_or_else(|error| panic!("{error}"));
        made["token"].as_str().unwrap_or_else(|| panic!("no token in an answer")).to_owned()
    }
}

/// Asks as an operator, or with a service token of this role.
async fn ask(role: Option<&str>) {
    let name = role.unwrap_or("operator");
    let stack = start(Stack::builder(&format!("contract-{name}")).envoys(0).without_xds()).await;
    let owned = Owned::make(&stack).await;
    let parameters: Vec<_> =
        owned.parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let token = match role {
        None => stack.api.token().to_owned(),
        Some(role) => owned.service_token(&stack, role).await,
    };
    let (base, parameters, without) = (stack.api.base(), &parameters[..], &WITHOUT[..]);
    let asked = Asker { base, token: &token, parameters, without, only: None, examples: EXAMPLES }
        .ask()
        .await;
    println!("{name}: {} requests", asked.cases);
    assert!(asked.cases >= CASES, "{name}: {asked:?}");
    finish(stack).await;
}

#[tokio::test]
async fn an_operator_gets_what_the_document_says() {
    ask(None).await;
}

#[tokio::test]
async fn an_admin_gets_what_the_document_says() {
    ask(Some("admin")).await;
}

#[tokio::test]
async fn a_developer_gets_what_the_document_says() {
    ask(Some("developer")).await;
}

#[tokio::test]
async fn a_viewer_gets_what_the_document_says() {
    ask(Some("viewer")).await;
}

/// Paths for people who have logged in: their own account, and those who come into the tenant.
const IN_PERSON: &str = "^/v1/me|/invitations|/members";
/// The least number of requests of them.
const IN_PERSON_CASES: u64 = 1_000;

#[tokio::test]
async fn somebody_who_has_logged_in_gets_what_the_document_says() {
    let stack = start(Stack::builder("contract-person").envoys(0).without_xds()).await;
    let owned = Owned::make(&stack).await;
    let log_in = async |email: &str| stack.admin_in_person(owned.tenant(), email).await;
    let token = log_in("ada@example.test").await.unwrap_or_else(|error| panic!("{error:?}"));
    // The session that is ended is not the one of the token.
    let mine = stack
        .api
        .with_token(&token)
        .get("/v1/me/sessions")
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(mine["items"].as_array().map(Vec::len), Some(1), "{mine}");
    person::log_in(&stack.api, "ada@example.test")
        .await
        .unwrap_or_else(|error| panic!("{error:?}"));
    let both = stack
        .api
        .with_token(&token)
        .get("/v1/me/sessions")
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let other = both["items"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|session| session["id"] != mine["items"][0]["id"]);
    let other = other
        .and_then(|session| session["id"].as_str())
        .unwrap_or_else(|| panic!("no other session in {both}"));
    let mut parameters: Vec<_> =
        owned.parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
    parameters.push(("session_id", other));
    let (base, parameters, without) = (stack.api.base(), &parameters[..], &WITHOUT[..]);
    let asked =
        Asker { base, token: &token, parameters, without, only: Some(IN_PERSON), examples: 20 }
            .ask()
            .await;
    println!("in person: {} requests", asked.cases);
    assert!(asked.cases >= IN_PERSON_CASES, "{asked:?}");
    finish(stack).await;
}
