//! The audit log by the API: read, filtered, exported, and verified without the database.

use std::io::Cursor;

use admin::commands::audit::verify_lines;
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

/// The number of rows in the chain of a world's tenant.
async fn rows(api: &Api, world: &World) -> usize {
    let rows = api
        .count(&format!(
            "SELECT count(*) FROM audit_log WHERE tenant_id = '{}'",
            id_of(&world.tenant)
        ))
        .await;
    usize::try_from(rows).unwrap()
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
        let rows = rows(api, &world).await;
        assert!(rows > 10);
        assert_eq!(entries.len(), rows);
        assert_eq!(actions(&entries).last(), Some(&"tenant.create"));
        let seqs: Vec<_> = entries.iter().map(|entry| entry["seq"].as_i64().unwrap()).collect();
        assert_eq!(seqs, (1..=rows as i64).rev().collect::<Vec<_>>());
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
        let patch =
            api.call(axum::http::Method::PATCH, &world.plan).header("x-request-id", "the-change");
        let changed = patch.json(&json!({"name": "Silver"})).send().await.expect(200);
        assert_eq!(changed.header("x-request-id"), "the-change");
        let get =
            async |query: &str| all(api, &format!("{}/audit?{query}&", world.tenant), 50).await;
        let plan = get(&format!("object={}", id_of(&world.plan))).await;
        assert_eq!(actions(&plan), ["plan.update", "plan.create"]);
        assert_eq!(
            (&plan[0]["before"]["name"], &plan[0]["after"]["name"]),
            (&json!("Gold"), &json!("Silver"))
        );
        assert_eq!(actions(&get("action=plan.update").await), ["plan.update"]);
        assert_eq!(actions(&get("action=plan.*").await), ["plan.update", "plan.create"]);
        assert_eq!(actions(&get("request_id=the-change").await), ["plan.update"]);
        let actor = plan[0]["actor_id"].as_str().unwrap();
        let by_operator = get(&format!("actor={actor}")).await;
        assert!(
            by_operator.len() > 10 && by_operator.iter().all(|entry| entry["actor_id"] == actor)
        );
        assert_eq!(get(&format!("actor={}", uuid::Uuid::now_v7())).await.len(), 0);
        let at = plan[0]["at"].as_str().unwrap();
        assert_eq!(actions(&get(&format!("from={at}")).await), ["plan.update"]);
        assert_eq!(get(&format!("to={at}")).await.len(), rows(api, &world).await - 1);
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
            api.get(&format!("{}/audit?{query}", world.tenant))
                .await
                .problem(422, "invalid")
                .fields(&[field]);
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
        let (left, right) = (rows(api, &acme).await, rows(api, &globex).await);
        assert_eq!((of(id_of(&acme.tenant)), of(id_of(&globex.tenant))), (left, right));
        let nil = uuid::Uuid::nil().to_string();
        assert_eq!(of(&nil), entries.len() - left - right);
        assert!(
            entries.is_sorted_by(|earlier, later| earlier["at"].as_str() >= later["at"].as_str())
        );
        let platform =
            all(api, &format!("/v1/operator/audit?tenant_id={nil}&action=cell.create&"), 7).await;
        assert_eq!(actions(&platform), ["cell.create"]);
        let removed =
            all(api, &format!("/v1/operator/audit?tenant_id={}&", id_of(&globex.tenant)), 7).await;
        assert_eq!(actions(&removed)[0], "tenant.delete");
        api.get(&format!("{}/audit", globex.tenant)).await.problem(404, "not-found");
    })
    .await;
}

fn verdict(export: &str, noted: Noted) -> Result<i64, Fault> {
    verify_lines(Cursor::new(export), noted).unwrap().map(|intact| intact.rows)
}

fn noted(export: &Reply) -> Noted {
    Noted {
        head: Some(export.header("audit-head").to_owned()),
        rows: export.header("audit-rows").parse().ok(),
    }
}

#[tokio::test]
async fn an_export_is_verified_without_the_database() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        // These are more rows than are read at a time.
        for turn in 0..70 {
            api.patch(&world.consumer, json!({"name": format!("app {turn}")})).await.expect(200);
        }
        let export = api.get(&format!("{}/audit/export", world.tenant)).await.expect(200);
        assert_eq!(export.header("content-type"), "application/jsonl");
        let rows = rows(api, &world).await as i64;
        assert_eq!(export.header("audit-rows"), rows.to_string());
        let text = export.text();
        assert_eq!(verdict(&text, noted(&export)), Ok(rows));
        let lines: Vec<&str> = text.lines().collect();
        let with = |change: &dyn Fn(&mut Vec<String>)| {
            let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            change(&mut lines);
            verdict(&lines.join("\n"), noted(&export))
        };
        let place = lines.iter().position(|line| line.contains("\"app 7\"")).unwrap();
        let edit = |lines: &mut Vec<String>| lines[place] = lines[place].replace("app 7", "app x");
        assert_eq!(with(&edit), Err(Fault::Edited { seq: place as i64 + 1 }));
        assert_eq!(
            with(&|lines| drop(lines.remove(9))),
            Err(Fault::Missing { seq: 10, found: 11 })
        );
        assert_eq!(with(&|lines| lines.swap(9, 40)), Err(Fault::Reordered { seq: 10, found: 41 }));
        assert_eq!(
            with(&|lines| lines.insert(9, lines[8].clone())),
            Err(Fault::Inserted { seq: 9 })
        );
        assert_eq!(
            with(&|lines| drop(lines.pop())),
            Err(Fault::Truncated { seq: rows, noted: rows })
        );
        let cut = with(&|lines| lines.last_mut().unwrap().truncate(60)).unwrap_err();
        assert!(matches!(cut, Fault::Unreadable { seq, .. } if seq == rows), "{cut}");
        // The head that an earlier export noted holds for the chain as it has grown since.
        api.patch(&world.consumer, json!({"name": "later"})).await.expect(200);
        let later = api.get(&format!("{}/audit/export?format=jsonl", world.tenant)).await.text();
        assert_eq!(verdict(&later, noted(&export)), Ok(rows + 1));
        for tenant in [id_of(&world.tenant), &uuid::Uuid::nil().to_string()] {
            let export =
                api.get(&format!("/v1/operator/audit/export?tenant_id={tenant}")).await.expect(200);
            assert!(verdict(&export.text(), noted(&export)).is_ok());
        }
    })
    .await;
}

#[tokio::test]
async fn csv_has_all_fields_and_no_formulas() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let rename =
            api.call(axum::http::Method::PATCH, &world.consumer).header("x-request-id", "-2+3");
        rename.json(&json!({"name": "=cmd|' /C calc'!A0"})).send().await.expect(200);
        let export =
            api.get(&format!("{}/audit/export?format=csv", world.tenant)).await.expect(200);
        assert_eq!(export.header("content-type"), "text/csv; charset=utf-8; header=present");
        assert!(export.header("content-disposition").ends_with(".csv\""));
        let text = export.text();
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert!(lines[0].starts_with("tenant_id,seq,at,") && lines[0].ends_with(",prev_hash,hash"));
        let rows = rows(api, &world).await;
        assert_eq!(lines.len(), 1 + rows + 1);
        assert!(
            lines[rows].contains(r#""'-2+3""#) && lines[rows].contains(r#"""=cmd|"#),
            "{}",
            lines[rows]
        );
        assert!(!text.contains(",=") && !text.contains(",-") && !text.contains("\n="));
        api.get(&format!("{}/audit/export?format=xml", world.tenant))
            .await
            .problem(422, "invalid")
            .fields(&["format"]);
    })
    .await;
}

/// Runs `tenantry-admin audit verify`; returns its exit code and its output.
fn verify(args: &[&str]) -> (Option<i32>, String) {
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_tenantry-admin"));
    let output = program
        .env_remove("TENANTRY_DATABASE_URL")
        .args(["audit", "verify"])
        .args(args)
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

#[tokio::test]
async fn the_command_says_what_is_wrong_and_ends_accordingly() {
    with_api(async |api| {
        let world = World::make(api, "acme").await;
        let tenant = id_of(&world.tenant);
        let export = api.get(&format!("{}/audit/export", world.tenant)).await.expect(200);
        let head = export.header("audit-head").to_owned();
        let rows = rows(api, &world).await;
        let path =
            std::env::temp_dir().join(format!("tenantry-audit-{}.jsonl", uuid::Uuid::now_v7()));
        let file = path.to_str().unwrap();
        std::fs::write(&path, export.text()).unwrap();
        assert_eq!(
            verify(&[file]),
            (Some(0), format!("INTACT rows {rows} head {head} tenant {tenant}"))
        );
        assert_eq!(verify(&[file, "--rows", &rows.to_string(), "--head", &head]).0, Some(0));
        let more = rows + 1;
        let (code, said) = verify(&[file, "--rows", &more.to_string()]);
        assert_eq!(
            (code, said),
            (
                Some(1),
                format!(
                    "BROKEN at {more}: row {more} is missing at the end: there were {more} rows"
                )
            )
        );
        std::fs::write(&path, export.text().replace("\"Gold\"", "\"Lead\"")).unwrap();
        let (code, said) = verify(&[file]);
        assert_eq!(code, Some(1));
        assert!(said.starts_with("BROKEN at ") && said.contains("was edited"), "{said}");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(verify(&[file]).0, Some(2));
        assert_eq!(verify(&[]).0, Some(2));
        assert_eq!(verify(&[file, "--head", "x"]).0, Some(2));
        let url = api.login_url();
        let (code, said) = verify(&["--database-url", &url]);
        assert_eq!(code, Some(0), "{said}");
        assert!(
            said.lines()
                .any(|line| line == format!("INTACT rows {rows} head {head} tenant {tenant}")),
            "{said}"
        );
        assert_eq!(said.lines().count(), 2, "the platform's chain and the tenant's: {said}");
        sqlx::query("DELETE FROM audit_log WHERE seq = 5").execute(&api.superuser).await.unwrap();
        let (code, said) = verify(&["--database-url", &url, "--tenant", tenant]);
        assert_eq!(
            (code, said),
            (
                Some(1),
                format!("BROKEN at 5 tenant {tenant}: row 5 is missing: row 6 stands in its place")
            )
        );
    })
    .await;
}
