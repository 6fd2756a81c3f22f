//! The audit log: every mutation is in it, and no row can be changed unseen.

use std::num::NonZeroU32;

use sqlx::AssertSqlSafe;
use store::audit::chain::{Fault, Intact, Noted};
use store::audit::{self, AuditRow};
use store::{StoreError, TenantTx};

use crate::fixture::{Database, Sample, new_key, sample, with_database};

async fn verdict(database: &Database, sample: &Sample) -> Result<Intact, Fault> {
    let store = database.store().await;
    audit::verify(&mut sample.begin(&store).await, sample.tenant, Noted::default()).await.unwrap()
}

/// The rows of the chain of the transaction's tenant, from the first one on.
pub(crate) async fn written(tx: &mut TenantTx) -> Vec<AuditRow> {
    let tenant = tx.tenant();
    audit::following(tx, tenant, 0, i64::MAX, NonZeroU32::new(1_000).unwrap()).await.unwrap()
}

async fn rows(database: &Database, sample: &Sample) -> Vec<AuditRow> {
    let store = database.store().await;
    written(&mut sample.begin(&store).await).await
}

#[tokio::test]
async fn every_mutation_leaves_its_row() {
    with_database(async |database| {
        let store = database.store().await;
        let sample = sample(&store, "one", 1).await;
        let rows = rows(database, &sample).await;
        let actions: Vec<&str> = rows.iter().map(|row| row.action.as_str()).collect();
        assert_eq!(
            actions,
            [
                "tenant.create",
                "site.create",
                "hostname.create",
                "upstream.create",
                "api.create",
                "version.create",
                "route.create",
                "consumer.create",
                "key.create"
            ]
        );
        assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), (1..=9).collect::<Vec<_>>());
        let key = &rows[8];
        assert_eq!(key.object_id, sample.key.0);
        assert!(key.before.is_none());
        assert_eq!(key.source.as_deref(), Some("192.0.2.1"));
        assert!(
            !key.after.as_ref().unwrap().get().contains("digest"),
            "no secret, not even digested"
        );
        assert_eq!(verdict(database, &sample).await.unwrap().rows, 9);
    })
    .await;
}

#[tokio::test]
async fn edits_are_detected() {
    with_database(async |database| {
        let store = database.store().await;
        for (slug, statement, broken) in [
            ("edited", r#"UPDATE audit_log SET after = '{"name": "x"}' WHERE seq = 4"#, 4),
            ("moved", "UPDATE audit_log SET at = at + interval '1 second' WHERE seq = 5", 5),
            ("by-another", "UPDATE audit_log SET actor_id = gen_random_uuid() WHERE seq = 2", 2),
            ("removed", "DELETE FROM audit_log WHERE seq = 3", 3),
            ("beheaded", "DELETE FROM audit_log WHERE seq = 1", 1),
            (
                "rehashed",
                "UPDATE audit_log a SET request_id = 'x', hash = audit_row_hash(a) WHERE seq = 6",
                6,
            ),
            ("renumbered", "UPDATE audit_log SET seq = seq + 100 WHERE seq = 7", 7),
        ] {
            let sample = sample(&store, slug, 1).await;
            let statement = format!("{statement} AND tenant_id = '{}'", sample.tenant);
            assert!(verdict(database, &sample).await.is_ok());
            sqlx::query(AssertSqlSafe(statement)).execute(&database.superuser).await.unwrap();
            assert_eq!(verdict(database, &sample).await.unwrap_err().seq(), broken, "{slug}");
        }
    })
    .await;
}

#[tokio::test]
async fn concurrent_writers_make_one_chain() {
    const WRITERS: u16 = 6;
    const KEYS_EACH: u16 = 10;
    with_database(async |database| {
        let store = database.store().await;
        let sample = sample(&store, "one", 1).await;
        let writers = (0..WRITERS).map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut tx = sample.begin(&store).await;
                let new = store::consumer::NewConsumer {
                    name: format!("writer {writer}"),
                    plan_id: None,
                    settings: Default::default(),
                };
                let consumer = store::consumer::create(&mut tx, sample.site, new).await.unwrap().id;
                tx.commit().await.unwrap();
                for turn in 0..KEYS_EACH {
                    let mut tx = sample.begin(&store).await;
                    store::key::create(&mut tx, sample.site, consumer, new_key(turn))
                        .await
                        .unwrap();
                    tx.commit().await.unwrap();
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        let rows = i64::from(9 + WRITERS * (KEYS_EACH + 1));
        assert_eq!(verdict(database, &sample).await.unwrap().rows, rows);
    })
    .await;
}

#[tokio::test]
async fn the_programs_cannot_rewrite_the_log() {
    with_database(async |database| {
        let store = database.store().await;
        let sample = sample(&store, "one", 1).await;
        let mut admin = database.admin().await;
        sqlx::query("SELECT set_config('tenantry.tenant_id', $1, false)")
            .bind(sample.tenant.to_string())
            .execute(&mut admin)
            .await
            .unwrap();
        for statement in ["UPDATE audit_log SET action = 'a.b'", "DELETE FROM audit_log"] {
            assert!(sqlx::query(statement).execute(&mut admin).await.is_err(), "{statement}");
        }
        // It cannot choose a place in the chain either: number, time and hashes are the database's.
        let forged =
            "INSERT INTO audit_log (tenant_id, seq, at, actor_kind, actor_id, request_id, \
            action, object_id, prev_hash, hash)
             SELECT tenant_id, 1, 'epoch', 'system', tenant_id, '', 'a.b', tenant_id, '', '' FROM \
             audit_log LIMIT 1";
        sqlx::query(forged).execute(&mut admin).await.unwrap();
        assert_eq!(verdict(database, &sample).await.unwrap().rows, 10);
        assert_eq!(
            database
                .count("SELECT count(*) FROM audit_log WHERE at < now() - interval '1 day'")
                .await,
            0
        );
    })
    .await;
}

#[tokio::test]
async fn a_hash_is_the_same_here_as_in_the_database_whatever_the_row_holds() {
    with_database(async |database| {
        let store = database.store().await;
        let sample = sample(&store, "one", 1).await;
        let mut admin = database.admin().await;
        for (place, (request, source, after)) in [
            (
                r#"quotes " and \ and '"#,
                "192.0.2.1",
                r#"{"b": 1, "aa": [1, 2.50, -0.0, 1e3, 12345678901234567890123], "a": {}}"#,
            ),
            (
                "controls \u{1}\u{8}\u{c}\n\r\t\u{7f}",
                "2001:db8::1",
                r#"["\u0001\u001f\b\f\n\r\t", "\ud83d\ude00/\u2028", null, true, []]"#,
            ),
            (
                "h\u{e4}tte \u{1f600}",
                "::ffff:192.0.2.1",
                r#"{"\u00e4": 1, "zz": 2, "": 3, "a\"b": "c"}"#,
            ),
            ("", "::", "\"a string\""),
            ("", "fe80::1:0:0:1", "7.00"),
        ]
        .into_iter()
        .enumerate()
        {
            let mut tx = sqlx::Connection::begin(&mut admin).await.unwrap();
            let tenant = sample.tenant.to_string();
            sqlx::query("SELECT set_config('tenantry.tenant_id', $1, true)")
                .bind(tenant)
                .execute(&mut *tx)
                .await
                .unwrap();
            sqlx::query(
                "INSERT INTO audit_log (tenant_id, seq, actor_kind, actor_id, request_id, source, \
                action, object_id, before, after, prev_hash, hash)
                 VALUES ($1, 0, 'member', $1, $2, $3::inet, 'a.b', $1, $4::jsonb, $5::jsonb, '', \
                 '')",
            )
            .bind(uuid::Uuid::from(sample.tenant))
            .bind(request)
            .bind(source)
            .bind((place % 2 == 0).then_some(after))
            .bind(after)
            .execute(&mut *tx)
            .await
            .unwrap();
            tx.commit().await.unwrap();
        }
        assert_eq!(verdict(database, &sample).await.unwrap().rows, 14);
        // An export that another program has read and written again, with other blanks, is the
        // same.
        for row in rows(database, &sample).await {
            let spaced = serde_json::to_string(&row)
                .unwrap()
                .replace("\": ", "\":")
                .replace("\",\"", "\"  , \"");
            let again: AuditRow = serde_json::from_str(&spaced).unwrap();
            assert_eq!(again.computed_hash().as_ref(), Some(&row.hash), "{spaced}");
        }
    })
    .await;
}

#[tokio::test]
async fn operators_read_the_log_of_all_tenants_and_nothing_else_of_theirs() {
    with_database(async |database| {
        let store = database.store().await;
        let (left, right) = (sample(&store, "left", 1).await, sample(&store, "right", 2).await);
        let mut tx = store.audit(&crate::fixture::actor()).await.unwrap();
        let chains = audit::chains(&mut tx).await.unwrap();
        assert!(chains.contains(&left.tenant) && chains.contains(&right.tenant), "{chains:?}");
        let all =
            audit::newest_of_all(&mut tx, &audit::Filter::default(), None, 100).await.unwrap();
        assert_eq!(all.len(), 18);
        assert!(all.is_sorted_by(|earlier, later| earlier.at >= later.at));
        let keys = audit::Filter { noun: Some("key".to_owned()), ..Default::default() };
        assert_eq!(audit::newest_of_all(&mut tx, &keys, None, 100).await.unwrap().len(), 2);
        let heads = audit::heads(&mut tx, chrono::DateTime::UNIX_EPOCH).await.unwrap();
        assert_eq!(heads.iter().map(|head| head.seq).collect::<Vec<_>>(), [9, 9]);
        drop(tx);
        let mut admin = database.admin().await;
        for (table, _) in crate::catalog::tenant_tables(database).await {
            let mut tx = sqlx::Connection::begin(&mut admin).await.unwrap();
            sqlx::query("SELECT set_config('tenantry.scope', 'audit', true)")
                .execute(&mut *tx)
                .await
                .unwrap();
            let seen = sqlx::query(AssertSqlSafe(format!("SELECT FROM {table}")))
                .fetch_all(&mut *tx)
                .await;
            let seen = seen.map_or(0, |rows| rows.len());
            assert_eq!(seen > 0, table == "audit_log", "{table}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_tenants_transaction_reads_no_other_tenants_chain() {
    with_database(async |database| {
        let store = database.store().await;
        let (left, right) = (sample(&store, "left", 1).await, sample(&store, "right", 2).await);
        let mut tx = left.begin(&store).await;
        assert_eq!(
            audit::newest(&mut tx, right.tenant, &audit::Filter::default(), None, 10)
                .await
                .unwrap()
                .len(),
            0
        );
        assert_eq!(audit::head(&mut tx, right.tenant).await.unwrap(), None);
        let by_actor =
            audit::Filter { actor: Some(uuid::Uuid::from_u128(7)), ..Default::default() };
        assert_eq!(
            audit::newest(&mut tx, left.tenant, &by_actor, None, 10).await.unwrap().len(),
            9
        );
        let missing = store::tenant::require(
            &mut store
                .tenant(policy::id::TenantId(uuid::Uuid::now_v7()), &crate::fixture::actor())
                .await
                .unwrap(),
        )
        .await;
        assert!(matches!(missing, Err(StoreError::NotFound { .. })));
    })
    .await;
}
