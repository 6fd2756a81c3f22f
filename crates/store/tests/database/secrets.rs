//! Secrets: sealed in the database, and opened for xds-server alone.

use policy::consumer::bucket_of;
use policy::desired::Secret;
use policy::settings::{Algorithm, SigningAlgorithm};
use sqlx::AssertSqlSafe;
use store::desired::{self, Object, Omitted, Reason};
use store::issuer::{self, IssuerPatch, NewIssuer};
use store::seal::SecretsKey;
use store::signing_key::{self, Material, NewSigningKey};
use store::{Page, StoreError};

use crate::catalog::tenant_tables;
use crate::fixture::{Database, sample, with_database};
use crate::furniture::{HMAC_SECRET, PUBLIC_KEY, SHARED_SECRET, furnish, issuer, secrets_key};

async fn with_key(database: &Database, key: Option<SecretsKey>) -> store::SnapshotTx {
    let reader = database.reader().await;
    let reader = match key {
        Some(key) => reader.with_secrets_key(key),
        None => reader,
    };
    reader.snapshot().await.unwrap()
}

#[tokio::test]
async fn xds_server_opens_what_admin_sealed() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let furniture = furnish(&store, one).await;
        let bucket = bucket_of(furniture.partner);
        let mut snapshot = with_key(database, Some(secrets_key())).await;
        let read = desired::sites(&mut snapshot, &[one.site]).await.unwrap();
        assert_eq!(read.omitted, []);
        let found = &read.sites[0].issuers[0];
        assert_eq!(
            (found.id, &found.secret),
            (furniture.issuer, &Some(Secret(SHARED_SECRET.to_vec())))
        );
        let read = desired::consumers(&mut snapshot, &[bucket]).await.unwrap();
        assert_eq!(read.omitted, []);
        let keys: Vec<_> = read.buckets[0].consumers[0]
            .signing_keys
            .iter()
            .map(|key| (key.id, key.algorithm, key.material.0.as_slice()))
            .collect();
        assert_eq!(
            keys,
            [
                (furniture.ed25519, SigningAlgorithm::Ed25519, &PUBLIC_KEY[..]),
                (furniture.hmac, SigningAlgorithm::HmacSha256, HMAC_SECRET)
            ]
        );

        for (key, reason) in
            [(None, Reason::NoSecretsKey), (Some(SecretsKey::new([4; 32])), Reason::NotOpened)]
        {
            let mut snapshot = with_key(database, key).await;
            let read = desired::sites(&mut snapshot, &[one.site]).await.unwrap();
            assert_eq!(read.sites[0].issuers[0].secret, None);
            let object = Object::IssuerSecret(furniture.issuer);
            assert_eq!(
                read.omitted,
                [Omitted { tenant: one.tenant, object, reason: reason.clone() }]
            );
            let read = desired::consumers(&mut snapshot, &[bucket]).await.unwrap();
            let consumer = &read.buckets[0].consumers[0];
            assert_eq!(
                consumer.signing_keys.iter().map(|key| key.id).collect::<Vec<_>>(),
                [furniture.ed25519]
            );
            let object = Object::SigningKey(furniture.hmac);
            assert_eq!(read.omitted, [Omitted { tenant: one.tenant, object, reason }]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_sealed_secret_that_is_moved_does_not_open() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let two = sample(&store, "two", 2).await;
        furnish(&store, one).await;
        let furniture = furnish(&store, two).await;
        let swap = format!(
            "UPDATE issuers i SET secret_sealed = o.secret_sealed FROM issuers o \
            WHERE i.tenant_id = '{}' AND o.tenant_id = '{}'",
            two.tenant, one.tenant
        );
        sqlx::raw_sql(AssertSqlSafe(swap)).execute(&database.superuser).await.unwrap();
        let mut snapshot = with_key(database, Some(secrets_key())).await;
        let read = desired::sites(&mut snapshot, &[one.site, two.site]).await.unwrap();
        assert_eq!(read.sites[1].issuers[0].secret, None);
        let object = Object::IssuerSecret(furniture.issuer);
        assert_eq!(
            read.omitted,
            [Omitted { tenant: two.tenant, object, reason: Reason::NotOpened }]
        );
    })
    .await;
}

#[tokio::test]
async fn nothing_of_a_secret_is_anywhere_in_the_database() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let furniture = furnish(&store, one).await;
        let mut tx = one.begin(&store).await;
        signing_key::revoke(&mut tx, one.site, furniture.partner, furniture.hmac, None)
            .await
            .unwrap();
        issuer::delete(&mut tx, one.site, furniture.issuer, None).await.unwrap();
        tx.commit().await.unwrap();
        let mut searched = 0;
        for (table, _) in tenant_tables(database).await {
            for secret in [SHARED_SECRET, HMAC_SECRET] {
                let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
                let text = String::from_utf8(secret.to_vec()).unwrap();
                let query = format!(
                    "SELECT count(*) FROM {table} t WHERE \
                        t::text LIKE '%{hex}%' OR t::text LIKE '%{text}%'"
                );
                assert_eq!(database.count(&query).await, 0, "{table}");
                searched += 1;
            }
        }
        assert!(searched > 20);
        let forms: Vec<String> = sqlx::query_scalar(
            "SELECT concat(before, after) FROM audit_log WHERE action LIKE 'issuer.%' \
            OR action LIKE 'signing_key.%'",
        )
        .fetch_all(&database.superuser)
        .await
        .unwrap();
        assert_eq!(forms.len(), 5);
        for form in forms {
            assert!(
                !form.contains("sealed") && !form.contains("digest") && !form.contains("material"),
                "{form}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn without_a_secrets_key_no_secret_is_stored() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let secret = Secret(SHARED_SECRET.to_vec());
        let symmetric = NewIssuer {
            settings: issuer("https://a.test/", Algorithm::HS256),
            shared_secret: Some(secret.clone()),
        };
        let mut tx = one.begin(&store).await;
        let refused = issuer::create(&mut tx, one.site, symmetric, None).await;
        assert!(matches!(refused, Err(StoreError::NoSecretsKey)), "{refused:?}");
        let new = NewSigningKey {
            name: None,
            material: Material::HmacSha256(secret),
            settings: Default::default(),
            expires_at: None,
        };
        let refused = signing_key::create(&mut tx, one.site, one.consumer, new, None).await;
        assert!(matches!(refused, Err(StoreError::NoSecretsKey)), "{refused:?}");
        let asymmetric = NewIssuer {
            settings: issuer("https://a.test/", Algorithm::RS256),
            shared_secret: None,
        };
        assert!(!issuer::create(&mut tx, one.site, asymmetric, None).await.unwrap().has_secret);
    })
    .await;
}

#[tokio::test]
async fn issuers_are_listed_changed_and_removed() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let two = sample(&store, "two", 2).await;
        furnish(&store, two).await;
        let furniture = furnish(&store, one).await;
        let key = secrets_key();
        let mut tx = one.begin(&store).await;
        let second = NewIssuer {
            settings: issuer("https://b.test/", Algorithm::RS256),
            shared_secret: None,
        };
        let second = issuer::create(&mut tx, one.site, second, None).await.unwrap();
        let listed = issuer::list(&mut tx, one.site, Page::first(10)).await.unwrap();
        assert_eq!(
            listed.iter().map(|issuer| issuer.id).collect::<Vec<_>>(),
            [furniture.issuer, second.id]
        );

        // Settings change without the secret, and the secret without the settings.
        let renamed = issuer("https://c.test/", Algorithm::HS512);
        let patch = IssuerPatch { settings: Some(renamed.clone()), ..Default::default() };
        let after = issuer::update(&mut tx, one.site, furniture.issuer, patch, Some(1), None)
            .await
            .unwrap();
        assert_eq!((&after.settings, after.has_secret, after.revision), (&renamed, true, 2));
        let patch =
            IssuerPatch { shared_secret: Some(Some(Secret(vec![5; 32]))), ..Default::default() };
        issuer::update(&mut tx, one.site, furniture.issuer, patch, Some(2), Some(&key))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let mut snapshot = with_key(database, Some(key)).await;
        let read = desired::sites(&mut snapshot, &[one.site]).await.unwrap();
        let found = &read.sites[0].issuers[0];
        assert_eq!((&found.settings, &found.secret), (&renamed, &Some(Secret(vec![5; 32]))));

        let mut tx = one.begin(&store).await;
        let patch = IssuerPatch { shared_secret: Some(None), ..Default::default() };
        assert!(
            !issuer::update(&mut tx, one.site, furniture.issuer, patch, None, None)
                .await
                .unwrap()
                .has_secret
        );
        issuer::delete(&mut tx, one.site, furniture.issuer, Some(4)).await.unwrap();
        let gone = issuer::get(&mut tx, one.site, furniture.issuer).await;
        assert!(matches!(gone, Err(StoreError::NotFound { what: "issuer" })), "{gone:?}");
        let patch = IssuerPatch {
            settings: Some(issuer("https://b.test/", Algorithm::ES256)),
            ..Default::default()
        };
        issuer::update(&mut tx, one.site, second.id, patch, None, None).await.unwrap();
        let new = NewIssuer {
            settings: issuer("https://b.test/", Algorithm::RS256),
            shared_secret: None,
        };
        let taken = issuer::create(&mut tx, one.site, new, None).await;
        assert!(
            matches!(&taken,
                Err(StoreError::Conflict { field: "issuer", value }) if value == "https://b.test/"),
            "{taken:?}"
        );
    })
    .await;
}
