//! Another tenant's object is answered like one that does not exist, byte for byte; every operation
//! with ids is tried.

use admin::rights::permissions::Who;
use axum::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::document::operations;
use crate::harness::{Reply, id_of, with_api};
use crate::publishing::{World, new_issuer, new_signing_key};

/// A body that the operation would take.
fn body_of(operation: &str, world: &World) -> Value {
    let upstream = id_of(&world.upstream);
    match operation {
        "createSite" | "cloneSite" => json!({"name": "x", "slug": "isolation"}),
        "bulkSites" => json!({"items": [{"op": "delete", "site_id": id_of(&world.site)}]}),
        "createHostname" => json!({"name": "isolation"}),
        "createUpstream" => json!({"name": "x", "endpoints": []}),
        "createApi" => json!({"name": "x", "base_path": "/isolation"}),
        "createVersion" => json!({"name": "isolation", "upstream_id": upstream}),
        "createRoute" => json!({"path": "/isolation"}),
        "createPlan" => json!({"name": "isolation"}),
        "createIssuer" => new_issuer("https://isolation.example/"),
        "createSigningKey" => new_signing_key(),
        "createConsumer" => json!({"name": "isolation"}),
        "createServiceToken" => json!({"name": "isolation", "role": "viewer"}),
        "createInvitation" => json!({"email": "isolation@example.test", "role": "viewer"}),
        "updateTenantStatus" => json!({"status": "active"}),
        "importRoutes" => json!({"openapi": "3.1.0", "paths": {"/isolation": {"get": {}}}}),
        _ => json!({}),
    }
}

/// The parts by which a client could tell two answers apart.
pub(crate) fn visible(reply: &Reply) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let mut headers: Vec<_> = reply
        .headers
        .iter()
        .filter(|(name, _)| *name != "x-request-id")
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
        .collect();
    headers.sort();
    (reply.status, headers, reply.body.to_vec())
}

/// Each way to put a foreign id into a path: the ids up to `depth` are the caller's own, the others
/// are another tenant's.
fn mixed(template: &str, own: &World, other: &World, depth: usize) -> Option<String> {
    let mut seen = 0;
    let parts: Vec<String> = template
        .split('/')
        .map(|part| {
            if !part.starts_with('{') {
                return part.to_owned();
            }
            seen += 1;
            if seen <= depth { own.path(part) } else { other.path(part) }
        })
        .collect();
    (seen > depth).then(|| parts.join("/"))
}

#[tokio::test]
async fn foreign_is_like_absent() {
    with_api(async |api| {
        let own = World::make(api, "acme").await;
        let neighbour = World::site(api, &own.tenant, "acme-two").await;
        let other = World::make(api, "globex").await;
        let before = api.count("SELECT count(*) FROM change_log").await;
        let mut tried = 0;
        for operation in
            operations(api).await.iter().filter(|operation| operation.path.contains('{'))
        {
            if admin::rights::table::who(&operation.id) == Some(Who::Account) {
                // Nobody with a tenant's ids in the path may call it.
                continue;
            }
            let method: Method = operation.method.parse().unwrap();
            let body = body_of(&operation.id, &own);
            let send = async |path: &str| api.call(method.clone(), path).json(&body).send().await;
            let ids = operation.path.matches('{').count();
            let last = operation.path.split('/').rfind(|part| part.starts_with('{')).unwrap();
            let absent = operation.path.replace(last, &Uuid::now_v7().to_string());
            let absent = send(&own.path(&absent)).await.problem(404, "not-found");
            for depth in 1..ids {
                for foreign in [&other, &neighbour] {
                    // The neighbour is of the same tenant: its ids are foreign from the site on.
                    let Some(path) = mixed(&operation.path, &own, foreign, depth) else { continue };
                    if depth == 1 && std::ptr::eq(foreign, &neighbour) {
                        continue;
                    }
                    assert_eq!(
                        visible(&send(&path).await),
                        visible(&absent),
                        "{} {path}",
                        operation.id
                    );
                    tried += 1;
                }
            }
            let malformed = own.path(&operation.path.replace(last, "1"));
            assert_eq!(
                visible(&send(&malformed).await),
                visible(&absent),
                "{} {malformed}",
                operation.id
            );
        }
        assert!(tried > 100, "{tried}");
        assert_eq!(
            api.count("SELECT count(*) FROM change_log").await,
            before,
            "nothing was changed"
        );
    })
    .await;
}

#[tokio::test]
async fn a_foreign_upstream_cannot_be_used() {
    with_api(async |api| {
        let own = World::make(api, "acme").await;
        let other = World::make(api, "globex").await;
        let neighbour = World::site(api, &own.tenant, "acme-two").await;
        let absent = json!({"name": "v9", "upstream_id": Uuid::now_v7()});
        let absent =
            api.post(&format!("{}/versions", own.api), absent).await.problem(422, "invalid");
        for foreign in [&other.upstream, &neighbour.upstream] {
            let new = json!({"name": "v9", "upstream_id": id_of(foreign)});
            let reply = api.post(&format!("{}/versions", own.api), new).await;
            assert_eq!(visible(&reply), visible(&absent));
            api.patch(&own.version, json!({"upstream_id": id_of(foreign)}))
                .await
                .problem(422, "invalid");
            api.patch(&own.route, json!({"upstream_id": id_of(foreign)}))
                .await
                .problem(422, "invalid");
        }
    })
    .await;
}
