//! Members, invitations, and the effect of changes on sessions.

use axum::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{id_of, with_api};
use crate::people::Person;
use crate::publishing::World;

#[tokio::test]
async fn whoever_is_invited_becomes_a_member_by_accepting() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let admin = api.colleague(id_of(&world.tenant), json!({"role": "admin"})).await;
        let (grace, eve) = (api.person().await, api.person().await);
        let invite =
            api.call_as(&admin.token, Method::POST, &format!("{}/invitations", world.tenant));
        let body = json!({"email": grace.email.to_uppercase(), "role": "developer", "days": 3});
        let invited = invite.json(&body).send().await.expect(201);
        assert_eq!(invited.header("cache-control"), "no-store");
        let token = invited.json()["token"].as_str().unwrap().to_owned();
        assert!(!api.get(&invited.location()).await.expect(200).text().contains(&token));
        let accept = async |person: &Person, token: &str| {
            api.call_as(&person.token, Method::POST, "/v1/me/invitations")
                .json(&json!({"token": token}))
                .send()
                .await
        };
        let get = async |person: &Person| {
            api.call_as(&person.token, Method::GET, &world.tenant).send().await
        };
        get(&grace).await.problem(404, "not-found");
        accept(&eve, &token).await.problem(404, "not-found");
        accept(&grace, "tni_x").await.problem(404, "not-found");
        let joined = accept(&grace, &token).await.expect(201).json();
        assert_eq!(
            (&joined["tenant_id"], &joined["role"]),
            (&json!(id_of(&world.tenant)), &json!("developer"))
        );
        accept(&grace, &token).await.problem(404, "not-found");
        get(&grace).await.expect(200);
        let mine = api
            .call_as(&grace.token, Method::GET, "/v1/me/tenants")
            .send()
            .await
            .expect(200)
            .json();
        assert_eq!(mine["items"].as_array().unwrap().len(), 1);
        assert_eq!(mine["items"][0]["tenant_id"], json!(id_of(&world.tenant)));

        let again =
            api.call_as(&admin.token, Method::POST, &format!("{}/invitations", world.tenant));
        let again = again
            .json(&json!({"email": grace.email, "role": "admin"}))
            .send()
            .await
            .expect(201)
            .json();
        accept(&grace, again["token"].as_str().unwrap()).await.problem(409, "already-member");
    })
    .await;
}

#[tokio::test]
async fn an_invitation_that_is_void_or_taken_back_cannot_be_accepted() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let grace = api.person().await;
        let path = format!("{}/invitations", world.tenant);
        let invite = async || {
            api.post(&path, json!({"email": grace.email, "role": "viewer"})).await.expect(201)
        };
        let accept = async |token: &Value| {
            api.call_as(&grace.token, Method::POST, "/v1/me/invitations")
                .json(&json!({"token": token}))
                .send()
                .await
        };
        let taken_back = invite().await;
        api.delete(&taken_back.location()).await.expect(204);
        accept(&taken_back.json()["token"]).await.problem(404, "not-found");
        let void = invite().await;
        sqlx::query("UPDATE invitations SET expires_at = now()")
            .execute(&api.superuser)
            .await
            .unwrap();
        accept(&void.json()["token"]).await.problem(404, "not-found");
    })
    .await;
}

#[tokio::test]
async fn a_role_that_is_taken_away_is_gone_with_the_next_request() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let admin = api.colleague(id_of(&world.tenant), json!({"role": "admin"})).await;
        let dev = api.colleague(id_of(&world.tenant), json!({"role": "developer"})).await;
        let place = format!("{}/members/{}", world.tenant, dev.account);
        let plan = async |name: &str| {
            api.call_as(&dev.token, Method::POST, &format!("{}/plans", world.site))
                .json(&json!({"name": name}))
                .send()
                .await
        };
        plan("a").await.expect(201);
        let change = async |body: Value| {
            api.call_as(&admin.token, Method::PATCH, &place).json(&body).send().await
        };
        change(json!({"role": "viewer"})).await.expect(200);
        plan("b").await.problem(403, "forbidden");
        let sites = json!([{"site_id": id_of(&world.site), "role": "developer"}]);
        change(json!({"sites": sites})).await.expect(200);
        plan("c").await.expect(201);
        change(json!({"role": null, "sites": []})).await.problem(422, "invalid").fields(&["role"]);
        api.call_as(&admin.token, Method::DELETE, &place).send().await.expect(204);
        plan("d").await.problem(404, "not-found");
        let session = api.call_as(&admin.token, Method::GET, &world.tenant);
        sqlx::query("UPDATE sessions SET revoked_at = now() WHERE id = $1")
            .bind(admin.session)
            .execute(&api.superuser)
            .await
            .unwrap();
        session.send().await.problem(401, "invalid-token");
    })
    .await;
}

#[tokio::test]
async fn the_last_admin_stays() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let admin = api.colleague(id_of(&world.tenant), json!({"role": "admin"})).await;
        let place = format!("{}/members/{}", world.tenant, admin.account);
        for body in [
            json!({"role": "viewer"}),
            json!({"role": null, "sites": [{"site_id": id_of(&world.site), "role": "admin"}]}),
        ] {
            api.patch(&place, body).await.problem(409, "last-admin");
        }
        api.delete(&place).await.problem(409, "last-admin");
        api.member(id_of(&world.tenant), json!({"role": "admin"})).await;
        api.delete(&place).await.expect(204);
    })
    .await;
}

#[tokio::test]
async fn one_person_is_in_several_tenants_with_a_role_in_each() {
    with_api(async |api| {
        let (acme, globex) = (World::make(api, "acme").await, World::make(api, "globex").await);
        let ada = api.colleague(id_of(&acme.tenant), json!({"role": "admin"})).await;
        api.join(id_of(&globex.tenant), &ada, &json!({"role": "viewer"})).await;
        let rename = async |world: &World| {
            let call = api.call_as(&ada.token, Method::PATCH, &format!("{}/profile", world.tenant));
            call.json(&json!({"name": "Renamed"})).send().await
        };
        rename(&acme).await.expect(200);
        rename(&globex).await.problem(403, "forbidden");
        let page = async |query: &str| {
            let path = format!("/v1/me/tenants?limit=1{query}");
            api.call_as(&ada.token, Method::GET, &path).send().await.expect(200).json()
        };
        let first = page("").await;
        let second = page(&format!("&cursor={}", first["next_cursor"].as_str().unwrap())).await;
        let of = |page: &Value| {
            (page["items"][0]["tenant_id"].clone(), page["items"][0]["role"].clone())
        };
        assert_eq!(of(&first), (json!(id_of(&acme.tenant)), json!("admin")));
        assert_eq!(of(&second), (json!(id_of(&globex.tenant)), json!("viewer")));
        assert!(second["next_cursor"].is_null());
    })
    .await;
}

#[tokio::test]
async fn a_tenant_can_ask_for_a_second_factor() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let admin = api.colleague(id_of(&world.tenant), json!({"role": "admin"})).await;
        let profile = format!("{}/profile", world.tenant);
        let call = api.call_as(&admin.token, Method::PATCH, &profile);
        assert_eq!(
            call.json(&json!({"require_mfa": true})).send().await.expect(200).json()["require_mfa"],
            true
        );
        let get = async |path: &str| api.call_as(&admin.token, Method::GET, path).send().await;
        let refused = get(&world.site).await.problem(403, "mfa-needed");
        assert!(refused.text().contains("second factor"), "{}", refused.text());
        get("/v1/me/tenants").await.expect(200);
        get(&format!("/v1/tenants/{}", Uuid::now_v7())).await.problem(404, "not-found");
        sqlx::query("UPDATE sessions SET mfa_at = now() WHERE id = $1")
            .bind(admin.session)
            .execute(&api.superuser)
            .await
            .unwrap();
        get(&world.site).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn an_admin_changes_what_the_tenant_says_of_itself_and_not_its_bounds() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let admin = api.colleague(id_of(&world.tenant), json!({"role": "admin"})).await;
        let patch = async |path: &str, body: Value| {
            api.call_as(&admin.token, Method::PATCH, path).json(&body).send().await
        };
        let profile = format!("{}/profile", world.tenant);
        let contacts = json!([{"about": "billing", "name": "Ada", "email": "ada@example.test"}]);
        let body = json!({"time_zone": "Europe/Berlin", "contacts": contacts});
        let changed = patch(&profile, body).await.expect(200).json();
        assert_eq!(
            (&changed["settings"]["time_zone"], &changed["contacts"]),
            (&json!("Europe/Berlin"), &contacts)
        );
        patch(&world.tenant, json!({"settings": {"weight": 1000}})).await.problem(403, "forbidden");
        patch(&profile, json!({"settings": {"weight": 1000}}))
            .await
            .problem(422, "invalid")
            .fields(&["settings"]);
        let wrong =
            json!({"time_zone": "x", "contacts": [{"about": "billing", "name": "", "email": "x"}]});
        let fields = ["time_zone", "contacts[0].name", "contacts[0].email"];
        patch(&profile, wrong).await.problem(422, "invalid").fields(&fields);
    })
    .await;
}
