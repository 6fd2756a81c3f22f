//! The members of a tenant, the people it has invited, and its programs.

use std::collections::BTreeMap;

use chrono::{TimeDelta, Utc};
use policy::id::TenantId;
use store::account::{self, AccountId, NewAccount};
use store::invitation::{self, NewInvitation};
use store::member::{self, Member};
use store::service_token::{self, NewServiceToken};
use store::{Role, Standing, Store, StoreError};
use uuid::Uuid;

use crate::fixture::{actor, sample, with_database};

/// Makes an account that is a member of no tenant.
pub(crate) async fn person(store: &Store, name: &str) -> AccountId {
    let mut tx = store.platform(&actor()).await.unwrap();
    let email = format!("{name}-{}@example.test", Uuid::now_v7().simple());
    let new =
        NewAccount { email, name: name.to_owned(), password: None, verified_at: Some(Utc::now()) };
    let made = account::create(&mut tx, new, Utc::now()).await.unwrap();
    tx.commit().await.unwrap();
    made.id
}

/// Makes a new member.
pub(crate) async fn join(store: &Store, tenant: TenantId, name: &str, role: Role) -> AccountId {
    let account = person(store, name).await;
    let mut tx = store.platform(&actor()).await.unwrap();
    member::create(&mut tx, tenant, account, &Standing::everywhere(role)).await.unwrap();
    tx.commit().await.unwrap();
    account
}

fn invitation_for(email: &str, digest: u8) -> NewInvitation {
    NewInvitation {
        email: email.to_owned(),
        standing: Standing::everywhere(Role::Developer),
        digest: [digest; 32],
        expires_at: Utc::now() + TimeDelta::days(1),
    }
}

fn token(digest: u8) -> NewServiceToken {
    NewServiceToken {
        name: "CI".to_owned(),
        hint: "tns_abcd...wxyz".to_owned(),
        digest: [digest; 32],
        standing: Standing::everywhere(Role::Developer),
        scopes: vec!["routes:write".to_owned()],
        expires_at: None,
    }
}

/// Makes one of each in a tenant.
pub(crate) async fn populate(store: &Store, tenant: TenantId) {
    join(store, tenant, "ada", Role::Admin).await;
    let random = *Uuid::now_v7().as_bytes().last().unwrap();
    let mut tx = store.platform(&actor()).await.unwrap();
    invitation::create(&mut tx, tenant, invitation_for("grace@example.test", random))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.tenant(tenant, &actor()).await.unwrap();
    service_token::create(&mut tx, token(random)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn remove(store: &Store, tenant: TenantId, account: AccountId) -> Result<(), StoreError> {
    let mut tx = store.platform(&actor()).await?;
    let before = member::lock(&mut tx, tenant, account, None).await?;
    member::delete(&mut tx, tenant, &before).await?;
    tx.commit().await
}

async fn demote(store: &Store, tenant: TenantId, account: AccountId) -> Result<Member, StoreError> {
    let mut tx = store.platform(&actor()).await?;
    let before = member::lock(&mut tx, tenant, account, None).await?;
    let after =
        member::update(&mut tx, tenant, &before, Standing::everywhere(Role::Viewer)).await?;
    tx.commit().await?;
    Ok(after)
}

#[tokio::test]
async fn the_last_admin_stays_also_when_all_go_at_once() {
    with_database(async |database| {
        let store = database.store().await;
        let tenant = sample(&store, "acme", 1).await.tenant;
        let mut admins = Vec::new();
        for number in 0..6 {
            admins.push(join(&store, tenant, &format!("admin{number}"), Role::Admin).await);
        }
        let attempts = admins.iter().enumerate().map(|(index, account)| {
            let store = &store;
            async move {
                if index % 2 == 0 {
                    remove(store, tenant, *account).await
                } else {
                    demote(store, tenant, *account).await.map(drop)
                }
            }
        });
        let outcomes = futures::future::join_all(attempts).await;
        let refused =
            outcomes.iter().filter(|outcome| matches!(outcome, Err(StoreError::LastAdmin))).count();
        assert_eq!(
            (refused, outcomes.iter().filter(|outcome| outcome.is_ok()).count()),
            (1, 5),
            "{outcomes:?}"
        );
        let query =
            format!("SELECT count(*) FROM members WHERE tenant_id = '{tenant}' AND role = 'admin'");
        assert_eq!(database.count(&query).await, 1);
    })
    .await;
}

#[tokio::test]
async fn an_invitation_is_accepted_once_by_whom_it_is_for() {
    with_database(async |database| {
        let store = database.store().await;
        let tenant = sample(&store, "acme", 1).await.tenant;
        let (ada, eve) = (person(&store, "ada").await, person(&store, "eve").await);
        let mut tx = store.platform(&actor()).await.unwrap();
        let email = account::get(&mut tx, ada).await.unwrap().email;
        invitation::create(&mut tx, tenant, invitation_for(&email, 7)).await.unwrap();
        tx.commit().await.unwrap();
        let accept = async |digest: u8, account| {
            let mut tx = store.platform(&actor()).await?;
            let joined = invitation::accept(&mut tx, &[digest; 32], account).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(joined)
        };
        for (digest, account) in [(7, eve), (8, ada)] {
            assert!(matches!(accept(digest, account).await, Err(StoreError::NotFound { .. })));
        }
        let (first, second) = tokio::join!(accept(7, ada), accept(7, ada));
        assert_eq!(
            usize::from(first.is_ok()) + usize::from(second.is_ok()),
            1,
            "{first:?} {second:?}"
        );
        assert!(matches!(accept(7, ada).await, Err(StoreError::NotFound { .. })));
        let mut tx = store.platform(&actor()).await.unwrap();
        let member = member::get(&mut tx, tenant, ada).await.unwrap();
        assert_eq!(member.standing, Standing::everywhere(Role::Developer));
    })
    .await;
}

#[tokio::test]
async fn a_site_of_another_tenant_cannot_be_given() {
    with_database(async |database| {
        let store = database.store().await;
        let (left, right) = (sample(&store, "left", 1).await, sample(&store, "right", 2).await);
        for site in [Uuid::from(right.site), Uuid::now_v7()] {
            let standing = Standing { role: None, sites: BTreeMap::from([(site, Role::Viewer)]) };
            let mut tx = store.tenant(left.tenant, &actor()).await.unwrap();
            let refused =
                service_token::create(&mut tx, NewServiceToken { standing, ..token(3) }).await;
            let Err(StoreError::Invalid { field, reason }) = refused else { panic!("{refused:?}") };
            assert_eq!((field, reason.as_str()), ("sites", "the tenant has no such site"));
        }
    })
    .await;
}
