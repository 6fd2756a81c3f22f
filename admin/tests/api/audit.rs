//! The audit log by the API: read, filtered, exported, and verified without the database.

use std::io::Cursor;

use admin::audit::verify_lines;
use serde_json::{Value, json};
use store::audit::chain::{Fault, Noted};

use crate::harness::{Api, Reply, id_of, with_api};
use crate::publishing::World;

/// All entries, page by page.
async fn all(api: &Api, path: &str, limit: usize) -> Vec<Value> {
    let (mut entries, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("{path}limit={limit}{cursor}")).await.expect(200).json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        entries.extend(items.iter().cloned());
        let Some(next) = page["next_cursor"].as_str() else { return entries };
        cursor = format!("&cursor={next}");
    }
}

fn actions(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_tenant_reads_its_log_newest_first() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        World::make(api, "globex").await;
        let path = format!("{}/audit?", world.tenant);
        let entries = all(api, &path, 5).await;
        assert_eq!(entries.len(), 12);
        assert_eq!(actions(&entries)[11], "tenant.create");
        let seqs: Vec<_> = entries.iter().map(|entry| entry["seq"].as_i64().unwrap()).collect();
        assert_eq!(seqs, (1..=12).rev().collect::<Vec<_>>());
        assert!(entries.iter().all(|entry| entry["tenant_id"] == id_of(&world.tenant)));
        let key = &entries.iter().find(|entry| entry["action"] == "key.create").unwrap();
        assert_eq!((&key["object_id"], &key["before"]), (&json!(id_of(&world.key)), &Value::Null));
        assert_eq!(key["after"]["name"], "ci");
    })
    .await;
}

#[tokio::test]
async fn the_log_is_filtered() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let patch = api.call(axum::http::Method::PATCH, &world.plan).header("x-request-id", "the-change");
        let changed = patch.json(&json!({"name": "Silver"})).send().await.expect(200);
        assert_eq!(changed.header("x-request-id"), "the-change");
        let get = async |query: &str| all(api, &format!("{}/audit?{query}&", world.tenant), 50).await;
        let plan = get(&format!("object={}", id_of(&world.plan))).await;
        assert_eq!(actions(&plan), ["plan.update", "plan.create"]);
        assert_eq!((&plan[0]["before"]["name"], &plan[0]["after"]["name"]), (&json!("Gold"), &json!("Silver")));
        assert_eq!(actions(&get("action=plan.update").await), ["plan.update"]);
        assert_eq!(actions(&get("action=plan.*").await), ["plan.update", "plan.create"]);
        assert_eq!(actions(&get("request_id=the-change").await), ["plan.update"]);
        let actor = plan[0]["actor_id"].as_str().unwrap();
        assert_eq!(get(&format!("actor={actor}")).await.len(), 13);
        assert_eq!(get(&format!("actor={}", uuid::Uuid::now_v7())).await.len(), 0);
        let at = plan[0]["at"].as_str().unwrap();
        assert_eq!(actions(&get(&format!("from={at}")).await), ["plan.update"]);
        assert_eq!(get(&format!("to={at}")).await.len(), 12);
        for (query, field) in [
            ("actor=x", "actor"),
            ("object=1", "object"),
            ("action=plan", "action"),
            ("from=yesterday", "from"),
            ("to=2026-01-01", "to"),
            ("limit=0", "limit"),
            ("cursor=AAAA", "cursor"),
            ("tenant_id=1", "tenant_id"),
        ] {
            api.get(&format!("{}/audit?{query}", world.tenant)).await.problem(422, "invalid").fields(&[field]);
        }
    })
    .await;
}

#[tokio::test]
async fn operators_read_the_log_of_all() {
    with_api(async |api| {
        let (acme, globex) = (World::make(api, "acme").await, World::make(api, "globex").await);
        api.make("/v1/cells", json!({"name": "eu-1"})).await;
        api.delete(&globex.tenant).await.expect(204);
        let entries = all(api, "/v1/operator/audit?", 7).await;
        let of = |tenant: &str| entries.iter().filter(|entry| entry["tenant_id"] == tenant).count();
        assert_eq!((of(id_of(&acme.tenant)), of(id_of(&globex.tenant))), (12, 13));
        let nil = uuid::Uuid::nil().to_string();
        assert_eq!(of(&nil), entries.len() - 25);
        assert!(entries.is_sorted_by(|earlier, later| earlier["at"].as_str() >= later["at"].as_str()));
        let platform = all(api, &format!("/v1/operator/audit?tenant_id={nil}&action=cell.create&"), 7).await;
        assert_eq!(actions(&platform), ["cell.create"]);
        let removed = all(api, &format!("/v1/operator/audit?tenant_id={}&", id_of(&globex.tenant)), 7).await;
        assert_eq!(actions(&removed)[0], "tenant.delete");
        api.get(&format!("{}/audit", globex.tenant)).await.problem(404, "not-found");
    })
    .await;
}

fn verdict(export: &str, noted: Noted) -> Result<i64, Fault> {
    verify_lines(Cursor::new(export), noted).unwrap().map(|intact| intact.rows)
}

fn noted(export: &Reply) -> Noted {
    Noted { head: Some(export.header("audit-head").to_owned()), rows: export.header("audit-rows").parse().ok() }
}

#[tokio::test]
async fn an_export_is_verified_without_the_database() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        // More rows than are read at a time.
        for turn in 0..70 {
            api.patch(&world.consumer, json!({"name": format!("app {turn}")})).await.expect(200);
        }
        let export = api.get(&format!("{}/audit/export", world.tenant)).await.expect(200);
        assert_eq!(export.header("content-type"), "application/jsonl");
        assert_eq!(export.header("audit-rows"), "82");
        let text = export.text();
        assert_eq!(verdict(&text, noted(&export)), Ok(82));
        let lines: Vec<&str> = text.lines().collect();
        let with = |change: &dyn Fn(&mut Vec<String>)| {
            let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            change(&mut lines);
            verdict(&lines.join("\n"), noted(&export))
        };
        assert_eq!(with(&|lines| lines[19] = lines[19].replace("app 7", "app 8")), Err(Fault::Edited { seq: 20 }));
        assert_eq!(with(&|lines| drop(lines.remove(9))), Err(Fault::Missing { seq: 10, found: 11 }));
        assert_eq!(with(&|lines| lines.swap(9, 40)), Err(Fault::Reordered { seq: 10, found: 41 }));
        assert_eq!(with(&|lines| lines.insert(9, lines[8].clone())), Err(Fault::Inserted { seq: 9 }));
        assert_eq!(with(&|lines| lines.truncate(80)), Err(Fault::Truncated { seq: 81, noted: 82 }));
        let cut = with(&|lines| lines[81].truncate(60)).unwrap_err();
        assert!(matches!(cut, Fault::Unreadable { seq: 82, .. }), "{cut}");
        // What the export of then had noted holds for the chain as it has grown since.
        api.patch(&world.consumer, json!({"name": "later"})).await.expect(200);
        let later = api.get(&format!("{}/audit/export?format=jsonl", world.tenant)).await.text();
        assert_eq!(verdict(&later, noted(&export)), Ok(83));
        for tenant in [id_of(&world.tenant), &uuid::Uuid::nil().to_string()] {
            let export = api.get(&format!("/v1/operator/audit/export?tenant_id={tenant}")).await.expect(200);
            assert!(verdict(&export.text(), noted(&export)).is_ok());
        }
    })
    .await;
}

#[tokio::test]
async fn csv_has_all_fields_and_no_formulas() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let rename = api.call(axum::http::Method::PATCH, &world.consumer).header("x-request-id", "-2+3");
        rename.json(&json!({"name": "=cmd|' /C calc'!A0"})).send().await.expect(200);
        let export = api.get(&format!("{}/audit/export?format=csv", world.tenant)).await.expect(200);
        assert_eq!(export.header("content-type"), "text/csv; charset=utf-8; header=present");
        assert!(export.header("content-disposition").ends_with(".csv\""));
        let text = export.text();
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert!(lines[0].starts_with("tenant_id,seq,at,") && lines[0].ends_with(",prev_hash,hash"));
        assert_eq!(lines.len(), 1 + 13 + 1);
        assert!(lines[13].contains(r#""'-2+3""#) && lines[13].contains(r#"""=cmd|"#), "{}", lines[13]);
        assert!(!text.contains(",=") && !text.contains(",-") && !text.contains("\n="));
        api.get(&format!("{}/audit/export?format=xml", world.tenant)).await.problem(422, "invalid").fields(&["format"]);
    })
    .await;
}
