//! Plans and the credentials of consumers: the contents of their records, and their uniqueness.

use policy::consumer::bucket_of;
use policy::id::{ConsumerId, KeyId, PlanId};
use policy::key::{CredentialKind, Digest, KeyRecord};
use policy::settings::{ConsumerSettings, KeySettings};
use store::consumer::{ConsumerPatch, NewConsumer};
use store::plan::{NewPlan, PlanPatch};
use store::signing_key::{Material, NewSigningKey, SigningKeyPatch};
use store::{Page, StoreError, consumer, desired, key, plan, signing_key};
use uuid::Uuid;

use crate::fixture::{Database, new_consumer, new_key, sample, site_sample, with_database};
use crate::furniture::{LIMITED_KEY_BUCKET, furnish, key_settings, subject};

/// The record with this digest, if it is in its bucket.
async fn record(database: &Database, digest: Digest) -> Option<KeyRecord> {
    let mut snapshot = database.reader().await.snapshot().await.unwrap();
    let buckets = desired::buckets(&mut snapshot, &[digest.bucket()]).await.unwrap();
    buckets[0].keys.iter().find(|record| record.digest == digest).copied()
}

fn new_signing_key() -> NewSigningKey {
    NewSigningKey {
        name: None,
        material: Material::Ed25519([1; 32]),
        settings: Default::default(),
        expires_at: None,
    }
}

#[tokio::test]
async fn records_of_all_kinds_say_the_plan_and_whether_there_is_more_to_know() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let furniture = furnish(&store, one).await;
        let mut snapshot = database.reader().await.snapshot().await.unwrap();
        let limited =
            desired::buckets(&mut snapshot, &[LIMITED_KEY_BUCKET]).await.unwrap()[0].keys[0];
        assert_eq!((limited.key, limited.kind), (furniture.limited_key, CredentialKind::ApiKey));
        let signing = record(database, Digest::of_signing_key(furniture.ed25519)).await.unwrap();
        assert_eq!((signing.key, signing.kind), (furniture.ed25519, CredentialKind::SigningKey));
        let named = record(database, furniture.subject).await.unwrap();
        assert_eq!(named.kind, CredentialKind::Subject);
        for record in [limited, signing, named] {
            assert_eq!((record.site, record.consumer), (one.site, furniture.partner));
            assert_eq!((record.plan, record.has_details, record.expires_at_ms), (1, true, None));
        }
        // This consumer has no plan and no settings.
        let plain = desired::buckets(&mut snapshot, &[1]).await.unwrap()[0].keys[0];
        assert_eq!((plain.consumer, plain.plan, plain.has_details), (one.consumer, 0, false));
    })
    .await;
}

#[tokio::test]
async fn records_follow_a_change_of_their_consumer() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let furniture = furnish(&store, one).await;
        let mut tx = one.begin(&store).await;
        let signing = signing_key::create(&mut tx, one.site, one.consumer, new_signing_key(), None)
            .await
            .unwrap()
            .id;
        let settings = ConsumerSettings { subjects: vec![subject("app")], ..Default::default() };
        let patch = ConsumerPatch { settings: Some(settings.clone()), ..Default::default() };
        consumer::update(&mut tx, one.site, one.consumer, patch, None).await.unwrap();
        tx.commit().await.unwrap();
        let named = Digest::of_subject(one.site, "https://login.test/", "app");
        let of_key: Vec<u8> = sqlx::query_scalar("SELECT digest FROM api_keys WHERE id = $1")
            .bind(one.key.0)
            .fetch_one(&database.superuser)
            .await
            .unwrap();
        let digests = [Digest(of_key.try_into().unwrap()), Digest::of_signing_key(signing), named];
        let said = async || {
            let mut said = Vec::new();
            for digest in digests {
                let record = record(database, digest).await.unwrap();
                said.push((record.plan, record.has_details));
            }
            said
        };
        assert_eq!(
            said().await,
            [(0, false), (0, true), (0, false)],
            "subjects are no settings to look up"
        );

        let settings = ConsumerSettings { scopes: vec!["a".to_owned()], ..settings };
        let patch = ConsumerPatch {
            plan_id: Some(Some(furniture.plan)),
            settings: Some(settings.clone()),
            ..Default::default()
        };
        let mut tx = one.begin(&store).await;
        let after = consumer::update(&mut tx, one.site, one.consumer, patch, None).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!((after.plan_id, &after.settings), (Some(furniture.plan), &settings));
        assert_eq!(said().await, [(1, true); 3]);

        let patch = ConsumerPatch {
            plan_id: Some(None),
            settings: Some(ConsumerSettings { scopes: Vec::new(), ..settings }),
            ..Default::default()
        };
        let mut tx = one.begin(&store).await;
        let before = record(database, named).await.unwrap().key;
        consumer::update(&mut tx, one.site, one.consumer, patch, None).await.unwrap();
        let patch = key_patch(Some(key_settings()));
        key::update(&mut tx, one.site, one.consumer, one.key, patch, None).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(
            said().await,
            [(0, true), (0, true), (0, false)],
            "a key with settings, no consumer with settings"
        );
        assert_eq!(
            record(database, named).await.unwrap().key,
            before,
            "a subject that stays keeps its id"
        );
    })
    .await;
}

fn key_patch(settings: Option<KeySettings>) -> key::KeyPatch {
    key::KeyPatch { settings, ..Default::default() }
}

/// PostgreSQL and `policy` compute it separately, and have to agree.
#[tokio::test]
async fn computed_columns_are_what_policy_computes() {
    with_database(async |database| {
        for _ in 0..20 {
            let id = Uuid::now_v7();
            let (bucket, digest): (i32, Vec<u8>) =
                sqlx::query_as("SELECT consumer_bucket($1), signing_key_digest($1)")
                    .bind(id)
                    .fetch_one(&database.superuser)
                    .await
                    .unwrap();
            assert_eq!(bucket, i32::from(bucket_of(ConsumerId(id))));
            assert_eq!(digest, Digest::of_signing_key(KeyId(id)).0);
        }
    })
    .await;
}

#[tokio::test]
async fn a_subject_is_one_consumers_of_its_site() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let furniture = furnish(&store, one).await;
        let of = |values: &[&str]| ConsumerSettings {
            subjects: values.iter().map(|value| subject(value)).collect(),
            ..Default::default()
        };
        let mut tx = one.begin(&store).await;
        let patch =
            ConsumerPatch { settings: Some(of(&["free", "partner"])), ..Default::default() };
        let taken = consumer::update(&mut tx, one.site, one.consumer, patch, None).await;
        assert!(
            matches!(&taken,
                Err(StoreError::SubjectTaken { subject }) if subject == "partner"),
            "{taken:?}"
        );
        drop(tx);
        let mut tx = one.begin(&store).await;
        let new = NewConsumer { settings: of(&["partner"]), ..new_consumer("thief") };
        let taken = consumer::create(&mut tx, one.site, new).await;
        assert!(matches!(taken, Err(StoreError::SubjectTaken { .. })), "{taken:?}");
        drop(tx);

        // Another site, and another tenant, have names of their own. A list is stored in order,
        // with each name once.
        let mut tx = one.begin(&store).await;
        let sibling = site_sample(&mut tx, "sibling", 3).await;
        let patch = ConsumerPatch {
            settings: Some(of(&["partner", "b", "partner"])),
            ..Default::default()
        };
        let after =
            consumer::update(&mut tx, sibling.site, sibling.consumer, patch, None).await.unwrap();
        assert_eq!(after.settings, of(&["b", "partner"]));
        tx.commit().await.unwrap();
        let two = sample(&store, "two", 2).await;
        furnish(&store, two).await;

        // A name that one consumer gives up is free for another.
        let mut tx = one.begin(&store).await;
        let patch = ConsumerPatch { settings: Some(of(&[])), ..Default::default() };
        consumer::update(&mut tx, one.site, furniture.partner, patch, None).await.unwrap();
        let patch = ConsumerPatch { settings: Some(of(&["partner"])), ..Default::default() };
        consumer::update(&mut tx, one.site, one.consumer, patch, None).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(record(database, furniture.subject).await.unwrap().consumer, one.consumer);
    })
    .await;
}

#[tokio::test]
async fn one_of_two_gets_the_subject_that_both_want() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let mut tx = one.begin(&store).await;
        let other = consumer::create(&mut tx, one.site, new_consumer("other")).await.unwrap().id;
        tx.commit().await.unwrap();
        let settings = ConsumerSettings { subjects: vec![subject("both")], ..Default::default() };
        let attempts = [one.consumer, other].map(|consumer| {
            let (store, settings) = (store.clone(), settings.clone());
            tokio::spawn(async move {
                let mut tx = one.begin(&store).await;
                let patch = ConsumerPatch { settings: Some(settings), ..Default::default() };
                match consumer::update(&mut tx, one.site, consumer, patch, None).await {
                    Ok(_) => tx.commit().await.map(|()| 1),
                    Err(StoreError::SubjectTaken { .. }) => Ok(0),
                    Err(error) => Err(error),
                }
            })
        });
        let mut won = 0;
        for attempt in attempts {
            won += attempt.await.unwrap().unwrap();
        }
        assert_eq!(won, 1);
    })
    .await;
}

#[tokio::test]
async fn a_plan_in_use_stays_and_a_number_is_free_again_after_it() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let furniture = furnish(&store, one).await;
        let mut tx = one.begin(&store).await;
        let used = plan::delete(&mut tx, one.site, furniture.plan, None).await;
        assert!(
            matches!(used, Err(StoreError::InUse { what: "plan", by: "consumer" })),
            "{used:?}"
        );

        let mut tx = one.begin(&store).await;
        let new = |name: &str| NewPlan { name: name.to_owned(), settings: Default::default() };
        let silver = plan::create(&mut tx, one.site, new("silver")).await.unwrap();
        let bronze = plan::create(&mut tx, one.site, new("bronze")).await.unwrap();
        assert_eq!((silver.number, bronze.number), (2, 3));
        let patch = PlanPatch { name: Some("platinum".to_owned()), ..Default::default() };
        let renamed = plan::update(&mut tx, one.site, silver.id, patch, Some(1)).await.unwrap();
        assert_eq!((renamed.number, renamed.revision, renamed.name.as_str()), (2, 2, "platinum"));
        plan::delete(&mut tx, one.site, silver.id, Some(2)).await.unwrap();
        assert_eq!(plan::create(&mut tx, one.site, new("iron")).await.unwrap().number, 2);
        let names: Vec<_> = plan::list(&mut tx, one.site, Page::first(10))
            .await
            .unwrap()
            .into_iter()
            .map(|plan| plan.name)
            .collect();
        assert_eq!(names, ["gold", "bronze", "iron"]);
        let taken = plan::create(&mut tx, one.site, new("gold")).await;
        assert!(matches!(taken, Err(StoreError::Conflict { field: "name", .. })), "{taken:?}");
    })
    .await;
}

#[tokio::test]
async fn a_consumer_cannot_have_another_sites_plan() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let two = sample(&store, "two", 2).await;
        let foreign = furnish(&store, two).await.plan;
        let mut tx = one.begin(&store).await;
        let sibling = site_sample(&mut tx, "sibling", 3).await;
        tx.commit().await.unwrap();
        let of_sibling = furnish(&store, sibling).await.plan;
        for absent in [foreign, of_sibling, PlanId(Uuid::now_v7())] {
            let mut tx = one.begin(&store).await;
            let patch = ConsumerPatch { plan_id: Some(Some(absent)), ..Default::default() };
            let refused = consumer::update(&mut tx, one.site, one.consumer, patch, None).await;
            assert!(
                matches!(refused, Err(StoreError::Invalid { field: "plan_id", .. })),
                "{refused:?}"
            );
            let mut tx = one.begin(&store).await;
            let new = NewConsumer { plan_id: Some(absent), ..new_consumer("x") };
            let refused = consumer::create(&mut tx, one.site, new).await;
            assert!(
                matches!(refused, Err(StoreError::Invalid { field: "plan_id", .. })),
                "{refused:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn signing_keys_are_listed_changed_and_revoked() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let furniture = furnish(&store, one).await;
        let mut tx = one.begin(&store).await;
        let keys =
            signing_key::list(&mut tx, one.site, furniture.partner, Page::first(10)).await.unwrap();
        assert_eq!(
            keys.iter().map(|key| key.id).collect::<Vec<_>>(),
            [furniture.ed25519, furniture.hmac]
        );
        let patch =
            SigningKeyPatch { name: Some(Some("ci".to_owned())), settings: Some(key_settings()) };
        let after = signing_key::update(
            &mut tx,
            one.site,
            furniture.partner,
            furniture.hmac,
            patch,
            Some(1),
        )
        .await
        .unwrap();
        assert_eq!(
            (after.name.as_deref(), &after.settings, after.revision),
            (Some("ci"), &key_settings(), 2)
        );
        let ended =
            signing_key::revoke(&mut tx, one.site, furniture.partner, furniture.hmac, Some(2))
                .await
                .unwrap();
        assert!(ended.revoked_at.is_some());
        let again = signing_key::revoke(&mut tx, one.site, furniture.partner, furniture.hmac, None)
            .await
            .unwrap();
        assert_eq!(again, ended);
        tx.commit().await.unwrap();
        assert_eq!(record(database, Digest::of_signing_key(furniture.hmac)).await, None);
        assert!(record(database, Digest::of_signing_key(furniture.ed25519)).await.is_some());

        // The key of one consumer is not found through another.
        let mut tx = one.begin(&store).await;
        let other = signing_key::get(&mut tx, one.site, one.consumer, furniture.ed25519).await;
        assert!(matches!(other, Err(StoreError::NotFound { what: "signing key" })), "{other:?}");
    })
    .await;
}

#[tokio::test]
async fn a_consumer_has_so_many_signing_keys_and_keys_with_settings() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let fill = "
            INSERT INTO signing_keys (tenant_id, site_id, consumer_id, id, plan,
                                      consumer_has_settings, algorithm, public_key)
            SELECT tenant_id, site_id, id, gen_random_uuid(), 0, false, 'ed25519', sha256('')
            FROM consumers, generate_series(1, $1);";
        sqlx::query(fill)
            .bind(i64::from(signing_key::MAX_WORKING_PER_CONSUMER) - 1)
            .execute(&database.superuser)
            .await
            .unwrap();
        let mut tx = one.begin(&store).await;
        let last = signing_key::create(&mut tx, one.site, one.consumer, new_signing_key(), None)
            .await
            .unwrap();
        let full =
            signing_key::create(&mut tx, one.site, one.consumer, new_signing_key(), None).await;
        let limit = signing_key::MAX_WORKING_PER_CONSUMER;
        assert!(
            matches!(full, Err(StoreError::LimitReached { limit: l, .. }) if l == limit),
            "{full:?}"
        );
        signing_key::revoke(&mut tx, one.site, one.consumer, last.id, None).await.unwrap();
        signing_key::create(&mut tx, one.site, one.consumer, new_signing_key(), None)
            .await
            .unwrap();
        tx.commit().await.unwrap();

        let fill = r#"
            INSERT INTO api_keys (tenant_id, site_id, consumer_id, id, digest, hint, settings)
            SELECT tenant_id, site_id, id, gen_random_uuid(), sha256(n::text::bytea), 'x',
                   '{"scopes": ["a"]}'
            FROM consumers, generate_series(1, $1) n"#;
        sqlx::query(fill)
            .bind(i64::from(key::MAX_WITH_SETTINGS_PER_CONSUMER))
            .execute(&database.superuser)
            .await
            .unwrap();
        let mut tx = one.begin(&store).await;
        let limited = store::key::NewKey { settings: key_settings(), ..new_key(2) };
        let full = key::create(&mut tx, one.site, one.consumer, limited).await;
        let limit = key::MAX_WITH_SETTINGS_PER_CONSUMER;
        assert!(
            matches!(full, Err(StoreError::LimitReached { limit: l, .. }) if l == limit),
            "{full:?}"
        );
        let full = key::update(
            &mut tx,
            one.site,
            one.consumer,
            one.key,
            key_patch(Some(key_settings())),
            None,
        )
        .await;
        assert!(
            matches!(full, Err(StoreError::LimitReached { limit: l, .. }) if l == limit),
            "{full:?}"
        );
        key::create(&mut tx, one.site, one.consumer, new_key(2)).await.unwrap();
    })
    .await;
}

/// The first transaction wins, and no two wait for each other.
#[tokio::test]
async fn a_plan_is_given_or_removed_but_not_both() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        for _ in 0..10 {
            let mut tx = one.begin(&store).await;
            let new = NewPlan { name: Uuid::now_v7().to_string(), settings: Default::default() };
            let id = plan::create(&mut tx, one.site, new).await.unwrap().id;
            tx.commit().await.unwrap();
            let giving = async {
                let mut tx = one.begin(&store).await;
                let patch = ConsumerPatch { plan_id: Some(Some(id)), ..Default::default() };
                consumer::update(&mut tx, one.site, one.consumer, patch, None).await?;
                tx.commit().await
            };
            let removing = async {
                let mut tx = one.begin(&store).await;
                plan::delete(&mut tx, one.site, id, None).await?;
                tx.commit().await
            };
            match futures::join!(giving, removing) {
                (Ok(()), Err(StoreError::InUse { what: "plan", .. }))
                | (Err(StoreError::Invalid { field: "plan_id", .. }), Ok(())) => {}
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
}
