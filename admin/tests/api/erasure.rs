//! People who erase their accounts.

use axum::http::Method;
use serde_json::{Value, json};

use crate::accounts::{EMAIL, PASSWORD, audited, log_in, person};
use crate::harness::{Api, Reply, id_of, with_api};
use crate::people::Person;
use crate::sessions::as_person;

async fn erase(api: &Api, tokens: &Value, password: &str) -> Reply {
    as_person(api, tokens, Method::POST, "/v1/me/erasure")
        .json(&json!({"password": password}))
        .send()
        .await
}

#[tokio::test]
async fn an_account_erases_itself_with_its_password_and_nothing_of_it_is_left() {
    with_api(async |api| {
        let account = person(api, EMAIL).await;
        let tokens = log_in(api, EMAIL, PASSWORD).await.expect(200).json();
        let tenant = api.make("/v1/tenants", json!({"name": "Acme"})).await;
        let admin = api.colleague(id_of(&tenant), json!({"role": "admin"})).await;
        let me = Person { account: account.0, ..admin.clone() };
        api.join(id_of(&tenant), &me, &json!({"role": "developer"})).await;

        erase(api, &tokens, "something else entirely")
            .await
            .problem(422, "invalid")
            .fields(&["password"]);
        erase(api, &tokens, PASSWORD).await.expect(200);
        as_person(api, &tokens, Method::GET, "/v1/me").send().await.problem(401, "invalid-token");
        log_in(api, EMAIL, PASSWORD).await.problem(401, "invalid-credentials");
        for table in [
            "members",
            "sessions",
            "refresh_tokens",
            "totp_factors",
            "recovery_codes",
            "email_tokens",
            "login_sources",
        ] {
            let rows = format!(
                "SELECT count(*) FROM {table} t WHERE to_jsonb(t) ->> 'account_id' = '{account}'"
            );
            assert_eq!(api.count(&rows).await, 0, "{table}");
        }
        assert_eq!(
            api.count(&format!("SELECT count(*) FROM accounts WHERE email = '{EMAIL}'")).await,
            0
        );
        assert_eq!(audited(api, "account.erase").await, 1);
        let log = api.get(&format!("{tenant}/audit")).await.expect(200).text();
        assert!(log.contains("account.erase") && log.contains("member.delete"), "{log}");
        // The address is free for anybody who proves that it is theirs.
        person(api, EMAIL).await;
    })
    .await;
}

#[tokio::test]
async fn the_last_admin_of_a_tenant_stays_until_there_is_another_or_it_is_gone() {
    with_api(async |api| {
        let account = person(api, EMAIL).await;
        let tokens = log_in(api, EMAIL, PASSWORD).await.expect(200).json();
        let mut tenants = Vec::new();
        for name in ["Acme", "Globex"] {
            let tenant = api.make("/v1/tenants", json!({"name": name})).await;
            let other = api.colleague(id_of(&tenant), json!({"role": "viewer"})).await;
            let me = Person { account: account.0, ..other.clone() };
            api.join(id_of(&tenant), &me, &json!({"role": "admin"})).await;
            tenants.push((tenant, other));
        }
        let refused = erase(api, &tokens, PASSWORD).await.problem(409, "last-admin").json();
        let detail = refused["detail"].as_str().unwrap();
        assert!(
            detail.contains("Acme") && detail.contains("Globex") && detail.contains("close"),
            "{detail}"
        );
        let (acme, colleague) = &tenants[0];
        api.patch(&format!("{acme}/members/{}", colleague.account), json!({"role": "admin"}))
            .await
            .expect(200);
        let refused = erase(api, &tokens, PASSWORD).await.problem(409, "last-admin");
        assert!(!refused.text().contains("Acme"), "{}", refused.text());
        // It is in both tenants as before.
        let mine =
            as_person(api, &tokens, Method::GET, "/v1/me/tenants").send().await.expect(200).json();
        assert_eq!(mine["items"].as_array().unwrap().len(), 2);
        api.delete(&tenants[1].0).await.expect(204);
        erase(api, &tokens, PASSWORD).await.expect(200);
        assert_eq!(
            api.count(&format!("SELECT count(*) FROM members WHERE tenant_id = '{}'", id_of(acme)))
                .await,
            1
        );
    })
    .await;
}
