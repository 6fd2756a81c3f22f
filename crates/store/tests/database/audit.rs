//! The audit log: every mutation is in it, and what was written cannot be changed unseen.

use sqlx::AssertSqlSafe;
use store::audit::{self, Verdict};

use crate::fixture::{Database, Sample, new_key, sample, with_database};

async fn verdict(database: &Database, sample: &Sample) -> Verdict {
    let store = database.store().await;
    audit::verify(&mut sample.begin(&store).await).await.unwrap()
}

#[tokio::test]
async fn every_mutation_leaves_its_row() {
    with_database(async |database| {
        let store = database.store().await;
        let sample = sample(&store, "one", 1).await;
        let mut tx = sample.begin(&store).await;
        let rows = audit::list(&mut tx, 0, 100).await.unwrap();
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
        assert_eq!(key.before, None);
        assert_eq!(key.source, "192.0.2.1".parse().ok());
        assert!(!key.after.as_ref().unwrap().to_string().contains("digest"), "no secret, not even digested");
        assert_eq!(audit::verify(&mut tx).await.unwrap(), Verdict::Intact { rows: 9 });
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
            ("removed", "DELETE FROM audit_log WHERE seq = 3", 4),
            ("beheaded", "DELETE FROM audit_log WHERE seq = 1", 2),
            ("rehashed", "UPDATE audit_log a SET request_id = 'x', hash = audit_row_hash(a) WHERE seq = 6", 6),
        ] {
            let sample = sample(&store, slug, 1).await;
            let statement = format!("{statement} AND tenant_id = '{}'", sample.tenant);
            assert!(matches!(verdict(database, &sample).await, Verdict::Intact { .. }));
            sqlx::query(AssertSqlSafe(statement)).execute(&database.superuser).await.unwrap();
            assert_eq!(verdict(database, &sample).await, Verdict::Broken { seq: broken }, "{slug}");
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
                    store::key::create(&mut tx, sample.site, consumer, new_key(turn)).await.unwrap();
                    tx.commit().await.unwrap();
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        let rows = i64::from(9 + WRITERS * (KEYS_EACH + 1));
        assert_eq!(verdict(database, &sample).await, Verdict::Intact { rows });
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
        // Nor choose a place in the chain: number, time and hashes are the database's.
        let forged = "INSERT INTO audit_log (tenant_id, seq, at, actor_kind, actor_id, request_id, action, object_id, prev_hash, hash)
             SELECT tenant_id, 1, 'epoch', 'system', tenant_id, '', 'a.b', tenant_id, '', '' FROM audit_log LIMIT 1";
        sqlx::query(forged).execute(&mut admin).await.unwrap();
        assert_eq!(verdict(database, &sample).await, Verdict::Intact { rows: 10 });
        assert_eq!(database.count("SELECT count(*) FROM audit_log WHERE at < now() - interval '1 day'").await, 0);
    })
    .await;
}
