//! People who have logged in: their accounts and sessions, made without a login.

use std::collections::BTreeMap;
use std::sync::Arc;

use admin::identity::access_token::AccessTokens;
use chrono::Utc;
use policy::id::TenantId;
use serde_json::Value;
use store::account::{self, AccountId, NewAccount};
use store::seal::SecretsKey;
use store::{Actor, Role, Standing, member};
use uuid::Uuid;

use crate::harness::{Api, clock};

#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) account: Uuid,
    pub(crate) session: Uuid,
    pub(crate) email: String,
    pub(crate) token: String,
}

/// A role, and roles in sites, from the API's form.
fn standing(given: &Value) -> Standing {
    let role = |value: &Value| value.as_str().map(|text| text.parse::<Role>().unwrap());
    let sites = given["sites"].as_array().into_iter().flatten();
    let sites: BTreeMap<Uuid, Role> = sites
        .map(|site| {
            (site["site_id"].as_str().unwrap().parse().unwrap(), role(&site["role"]).unwrap())
        })
        .collect();
    Standing { role: role(&given["role"]), sites }
}

impl Api {
    /// Makes an account with a session, in no tenant.
    pub(crate) async fn person(&self) -> Person {
        let actor = Actor::system("test");
        let email = format!("{}@example.test", Uuid::now_v7().simple());
        let mut tx = self.store.platform(&actor).await.unwrap();
        let new = NewAccount {
            email: email.clone(),
            name: "Ada".into(),
            password: None,
            verified_at: Some(Utc::now()),
        };
        let account = account::create(&mut tx, new, Utc::now()).await.unwrap().id;
        tx.commit().await.unwrap();
        let session = Uuid::now_v7();
        sqlx::query(
            "INSERT INTO sessions (id, account_id, created_at, last_used_at, expires_at)
             VALUES ($1, $2, now(), now(), now() + interval '1 hour')",
        )
        .bind(session)
        .bind(account.0)
        .execute(&self.superuser)
        .await
        .unwrap();
        let tokens =
            AccessTokens::new(self.store.clone(), Some(Arc::new(SecretsKey::new([7; 32]))));
        let token = tokens.sign(account.0, session, clock()).await.unwrap();
        Person { account: account.0, session, email, token }
    }

    /// Makes a person a member of a tenant.
    pub(crate) async fn join(&self, tenant: &str, person: &Person, given: &Value) {
        let tenant = TenantId(tenant.parse().unwrap());
        let mut tx = self.store.platform(&Actor::system("test")).await.unwrap();
        member::create(&mut tx, tenant, AccountId(person.account), &standing(given)).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Makes a new member, and returns the id of the account.
    pub(crate) async fn member(&self, tenant: &str, given: Value) -> Uuid {
        let person = self.person().await;
        self.join(tenant, &person, &given).await;
        person.account
    }

    /// Makes a new member who has logged in.
    pub(crate) async fn colleague(&self, tenant: &str, given: Value) -> Person {
        let person = self.person().await;
        self.join(tenant, &person, &given).await;
        person
    }
}
