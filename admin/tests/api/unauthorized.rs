//! No request passes without an operator token: every operation of the document is tried.

use admin::secret::OperatorToken;
use axum::http::Method;

use crate::document::operations;
use crate::harness::with_api;
use crate::publishing::World;

/// Operations that are open to all. This list may only get shorter.
const OPEN: [&str; 4] = ["live", "ready", "metrics", "openapi"];
/// Operations that lead to a token. They are open to all, and no others are.
const BEFORE_LOGIN: [&str; 8] = [
    "login",
    "refreshSession",
    "logout",
    "getAccessTokenKeys",
    "requestPasswordReset",
    "confirmPasswordReset",
    "signUp",
    "verifySignUp",
];

#[tokio::test]
async fn every_operation_asks_for_a_token() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let unknown = format!("Bearer {}", OperatorToken::generate().unwrap().reveal());
        let basic = format!("Basic {}", api.token.reveal());
        let mut tried = 0;
        for operation in operations(api).await {
            if OPEN.contains(&operation.id.as_str())
                || BEFORE_LOGIN.contains(&operation.id.as_str())
            {
                continue;
            }
            let method: Method = operation.method.parse().unwrap();
            let call = || api.anonymous(method.clone(), &world.path(&operation.path));
            let reply = call().send().await.problem(401, "missing-token");
            assert_eq!(
                reply.header("www-authenticate"),
                "Bearer realm=\"tenantry\"",
                "{}",
                operation.id
            );
            call().header("authorization", &basic).send().await.problem(401, "missing-token");
            for wrong in [unknown.as_str(), "Bearer", "Bearer ", "Bearer x", "Bearer tno_"] {
                let reply = call().header("authorization", wrong).send().await.expect(401);
                assert!(
                    reply.header("www-authenticate").starts_with("Bearer realm="),
                    "{}",
                    operation.id
                );
            }
            let reply =
                call().header("authorization", &unknown).send().await.problem(401, "invalid-token");
            assert_eq!(
                reply.header("www-authenticate"),
                "Bearer realm=\"tenantry\", error=\"invalid_token\""
            );
            tried += 1;
        }
        assert_eq!(tried + OPEN.len() + BEFORE_LOGIN.len(), admin::rights::table::all().count());
        for (place, status) in [(&world.tenant, 200), (&world.key, 200)] {
            api.get(place).await.expect(status);
        }
    })
    .await;
}

#[tokio::test]
async fn two_tokens_are_none() {
    with_api(async |api| {
        let twice = api.call(Method::GET, "/v1/tenants").header("authorization", "Bearer x");
        twice.send().await.problem(401, "invalid-token");
    })
    .await;
}

#[tokio::test]
async fn a_revoked_token_is_refused() {
    with_api(async |api| {
        api.get("/v1/tenants").await.expect(200);
        sqlx::query("UPDATE operator_tokens SET revoked_at = now()")
            .execute(&api.superuser)
            .await
            .unwrap();
        api.get("/v1/tenants").await.problem(401, "invalid-token");
    })
    .await;
}
