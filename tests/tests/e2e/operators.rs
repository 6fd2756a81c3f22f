//! The commands that xds-server has for operators.

use std::process::Output;

use serde_json::json;
use stack::Stack;
use stack::build::Artifacts;
use stack::envoy::{self, Envoy, EnvoySettings};
use stack::postgres::Group;
use tenantry_tests::gateway::Gateway;
use tenantry_tests::{THING, Things, eventually, finish, settled};
use tokio::process::Command;

/// `xds-server <args>` against the database of a stack, as its operator would run it.
async fn xds_server(stack: &Stack, args: &[&str]) -> Output {
    let artifacts = Artifacts::from_env().unwrap_or_else(|error| panic!("{error:?}"));
    let login =
        stack.database.login(Group::Xds, &stack::secret::password()).await.expect("a login");
    let command = Command::new(artifacts.xds_server())
        .args(args)
        .env("TENANTRY_DATABASE_URL", login)
        .env("TENANTRY_SECRETS_KEY_FILE", stack.dir().join("secrets-key"))
        .output();
    command.await.expect("xds-server runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

#[tokio::test]
async fn render_prints_all_that_a_site_would_get_and_none_of_its_secrets() {
    let things = Things::start(Stack::builder("render")).await;
    let shared_secret = "0123456789abcdef0123456789abcdef";
    let issuer = json!({ "issuer": "https://login.example.com/", "algorithms": ["HS256"],
        "shared_secret": shared_secret });
    let issuers = format!("{}/issuers", things.site.path);
    things.stack.api.post(&issuers, issuer).await.unwrap_or_else(|error| panic!("{error}"));
    let by_name = xds_server(&things.stack, &["render", "--site", &things.site.hostname]).await;
    assert!(by_name.status.success(), "{}", text(&by_name.stderr));
    let yaml = text(&by_name.stdout);
    for kind in ["cds", "eds", "srds", "rds", "site_policy", "key_bucket", "host"] {
        assert!(yaml.contains(&format!("type: {kind}\n")), "no {kind} in\n{yaml}");
    }
    for shown in [
        &things.site.id,
        &things.site.tenant_id,
        &things.key.id,
        &things.key.consumer_id,
        "/things/v1",
    ] {
        assert!(yaml.contains(shown), "no {shown} in\n{yaml}");
    }
    assert!(yaml.contains("https://login.example.com/") && !yaml.contains(shared_secret), "{yaml}");
    assert!(!yaml.contains(&things.key.text), "{yaml}");
    let by_id = xds_server(&things.stack, &["render", "--site", &things.site.id]).await;
    assert_eq!(text(&by_id.stdout), yaml, "by its id as by its hostname");
    let absent = xds_server(&things.stack, &["render", "--site", "absent.gw.localhost"]).await;
    assert!(
        !absent.status.success() && text(&absent.stderr).contains("there is no site"),
        "{absent:?}"
    );
    finish(things.stack).await;
}

#[tokio::test]
async fn an_envoy_started_from_what_bootstrap_prints_serves() {
    let mut things = Things::start(Stack::builder("bootstrap")).await;
    let settings = EnvoySettings {
        node_id: "printed".to_owned(),
        gateway: stack::ports::free(),
        admin: stack::ports::free(),
        ..things.stack.envoys[0].settings.clone()
    };
    let (gateway, admin, xds) =
        (settings.gateway.to_string(), settings.admin.to_string(), settings.xds.to_string());
    let module = settings.wasm.to_str().expect("a path that is text");
    let flags = [
        "--node-id",
        "printed",
        "--gateway",
        &gateway,
        "--admin",
        &admin,
        "--xds",
        &xds,
        "--module",
        module,
    ];
    let printed = xds_server(&things.stack, &[&["bootstrap"], &flags[..]].concat()).await;
    assert!(printed.status.success(), "{}", text(&printed.stderr));
    let yaml = text(&printed.stdout);
    let file = things.stack.dir().join("printed.yaml");
    std::fs::write(&file, yaml).expect("a file");
    let binary =
        envoy::ensure_installed(&stack::workspace_root().join(".tenantry/tools")).expect("Envoy");
    let validated = Command::new(&binary)
        .args(["--mode", "validate", "-c"])
        .arg(&file)
        .output()
        .await
        .expect("Envoy runs");
    assert!(validated.status.success(), "{}", text(&validated.stderr));
    let mut envoy =
        Envoy::from_bootstrap(&binary, things.stack.dir(), settings, yaml).expect("an Envoy");
    envoy.service.start().await.unwrap_or_else(|error| panic!("{error:?}"));
    settled(
        &[Gateway::new(envoy.settings.gateway)],
        &things.site.hostname,
        THING,
        &things.key.text,
        200,
    )
    .await;
    things.stack.envoys.push(envoy);
    finish(things.stack).await;
}

/// The output of `check` about the first Envoy and the site, and true if all is well.
async fn check(things: &Things, node: &str) -> (bool, String) {
    let http = format!("http://{}", things.stack.xds_http);
    let args = ["check", "--xds-http", &http, "--node-id", node, "--site", &things.site.hostname];
    let output = xds_server(&things.stack, &args).await;
    (output.status.success(), text(&output.stdout).to_owned())
}

#[tokio::test]
async fn check_names_the_place_where_a_change_is_held_up() {
    let mut things = Things::start(Stack::builder("check")).await;
    let (_, said) = eventually("all is well", || check(&things, "edge-0"), |(well, _)| *well).await;
    assert!(
        said.contains("ok    PostgreSQL answers")
            && said.contains("ok    Envoy edge-0 of cell \"default\""),
        "{said}"
    );
    let (well, said) = check(&things, "edge-9").await;
    assert!(
        !well && said.contains("WRONG Envoy edge-9 is connected to no replica (these are: edge-0)"),
        "{said}"
    );
    things.stack.envoys[0].service.stop().await.expect("an end");
    let gone = "WRONG Envoy edge-0 is connected to no replica";
    eventually("the Envoy is missed", || check(&things, "edge-0"), |(_, said)| said.contains(gone))
        .await;
    things.stack.xds.stop().await.expect("an end");
    let (well, said) = check(&things, "edge-0").await;
    assert!(!well && said.contains("does not answer"), "{said}");
    finish(things.stack).await;
}
