//! The parts that are not ours, each by itself: a private PostgreSQL, and an Envoy that reads the
//! published bootstrap.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Result, ensure};
use serde_json::json;
use sqlx::{Connection, Executor};
use stack::envoy::{Edge, Envoy, EnvoySettings};
use stack::postgres::{Database, Group};
use stack::process::Launch;
use stack::service::{Ready, Service};
use stack::testing::{TestDatabase, database};
use stack::{ports, workspace_root};

fn envoy_binary() -> Result<PathBuf> {
    stack::envoy::ensure_installed(&workspace_root().join(".tenantry/tools"))
}

#[tokio::test]
async fn a_private_postgresql_survives_kill_9_with_its_committed_data() -> Result<()> {
    let mut cluster = stack::testing::new_cluster("kill-9").await?;
    let server = cluster.server();
    assert!(server.ensure_database("shop", None).await?);
    assert!(!server.ensure_database("shop", None).await?, "the second time it is there");
    let shop = server.database("shop");
    let before = shop.identity().await?;
    let mut owner = shop.connect().await?;
    owner.execute("CREATE TABLE goods (name text); INSERT INTO goods VALUES ('a')").await?;

    cluster.service.kill().await?;
    // The process of this session ends when it notices that the server has.
    while owner.execute("SELECT 1").await.is_ok() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    cluster.restart().await?;

    let mut owner = shop.connect().await?;
    let goods: i64 = sqlx::query_scalar("SELECT count(*) FROM goods").fetch_one(&mut owner).await?;
    assert_eq!((goods, shop.identity().await?), (1, before));
    owner.close().await?;

    assert!(server.ensure_database("shop_copy", Some("shop")).await?);
    let login = server.database("shop_copy").login(Group::Admin, "first").await?;
    let renewed = server.database("shop_copy").login(Group::Admin, "second").await?;
    assert!(
        Database::from_url(&login)?.connect().await.is_err(),
        "the first password has been replaced"
    );
    let mut member = Database::from_url(&renewed)?.connect().await?;
    assert!(
        member.execute("SELECT * FROM goods").await.is_err(),
        "a login has the rights of its group only"
    );

    cluster.destroy().await
}

/// Number of processes that make a database at the same time.
const PROCESSES: usize = 16;

#[tokio::test]
async fn processes_make_databases_on_one_server_at_the_same_time() -> Result<()> {
    let cluster = stack::testing::new_cluster("crowd").await?;
    let children: Vec<Child> = (0..PROCESSES)
        .map(|_| {
            Command::new(std::env::current_exe()?)
                .args(["--exact", "one_process_of_the_crowd", "--ignored"])
                .env(database::SERVER, cluster.server().url())
                .stdout(Stdio::piped())
                .spawn()
        })
        .collect::<Result<_, _>>()?;
    for child in children {
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }
    cluster.destroy().await
}

#[tokio::test]
#[ignore = "run by processes_make_databases_on_one_server_at_the_same_time"]
async fn one_process_of_the_crowd() -> Result<()> {
    // A server that the user has named has roles already, as this one has.
    database::shared_server().await?.make_roles().await?;
    let database = TestDatabase::create().await?;
    for url in [&database.admin_url, &database.xds_url] {
        Database::from_url(url)?.connect().await?.close().await?;
    }
    database.drop().await
}

#[test]
fn envoy_accepts_the_published_bootstrap() -> Result<()> {
    let output = Command::new(envoy_binary()?)
        .args(["--mode", "validate", "-c"])
        .arg(workspace_root().join("envoy/bootstrap.yaml"))
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "envoy --mode validate refused envoy/bootstrap.yaml:\n{text}");
    let complaints: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("[warning]") || line.contains("deprecated"))
        .collect();
    assert!(
        complaints.is_empty(),
        "mend what Envoy warns about in envoy/bootstrap.yaml: {complaints:#?}"
    );
    Ok(())
}

#[tokio::test]
async fn an_envoy_without_xds_server_runs_and_is_not_ready() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let settings = EnvoySettings {
        node_id: "edge-alone".to_owned(),
        gateway: ports::free(),
        admin: ports::free(),
        xds: ports::free(),
        xds_replicas: Vec::new(),
        wasm: "/nonexistent.wasm".into(),
        concurrency: 1,
        mirror: true,
        edge: Edge::default(),
    };
    let mut envoy = Envoy::new(&envoy_binary()?, dir.path(), settings)?;
    // The module belongs to another crate; this Envoy does without it.
    let config_file = dir.path().join("edge-alone.json");
    let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(&config_file)?)?;
    config["bootstrap_extensions"] = json!([]);
    std::fs::write(&config_file, config.to_string())?;

    envoy.service.launch()?;
    let version = loop {
        if let Some(version) = envoy.stat("server.version").await.unwrap_or_default() {
            break version;
        }
        ensure!(envoy.service.is_running(), "Envoy ended:\n{}", envoy.service.tail());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert!(version > 0);
    assert!(reqwest::get(format!("{}/ready", envoy.admin_url())).await?.status().is_server_error());
    assert!(envoy.config_dump().await?["configs"].is_array());
    envoy.service.stop().await
}

#[tokio::test]
async fn a_part_that_ends_while_starting_is_reported_with_the_end_of_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let launch = Launch::new("/bin/sh", dir.path().join("part.log"))
        .args(["-c", "echo no such table >&2; exit 3"]);
    let ready = Ready::Http(format!("http://{}/", ports::free()));
    let error = Service::new("the part", launch, ready).start().await.unwrap_err().to_string();
    assert!(error.contains("the part ended with exit status: 3"), "{error}");
    assert!(error.contains("no such table"), "{error}");
}
