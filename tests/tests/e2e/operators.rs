//! The commands that xds-server has for operators.

use std::process::Output;

use serde_json::json;
use stack::Stack;
use stack::build::Artifacts;
use stack::postgres::Group;
use tenantry_tests::{Things, finish};
use tokio::process::Command;

/// `xds-server <args>` against the database of a stack, as its operator would run it.
async fn xds_server(stack: &Stack, args: &[&str]) -> Output {
    let artifacts = Artifacts::from_env().unwrap_or_else(|error| panic!("{error:?}"));
    let login = stack.database.login(Group::Xds, &stack::secret::password()).await.expect("a login");
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
    let issuer = json!({ "issuer": "https://login.example.com/", "algorithms": ["HS256"], "secret": shared_secret });
    let issuers = format!("{}/issuers", things.site.path);
    things.stack.api.post(&issuers, issuer).await.unwrap_or_else(|error| panic!("{error}"));
    let by_name = xds_server(&things.stack, &["render", "--site", &things.site.hostname]).await;
    assert!(by_name.status.success(), "{}", text(&by_name.stderr));
    let yaml = text(&by_name.stdout);
    for kind in ["cds", "eds", "srds", "rds", "site_policy", "key_bucket", "host"] {
        assert!(yaml.contains(&format!("type: {kind}\n")), "no {kind} in\n{yaml}");
    }
    for shown in [&things.site.id, &things.site.tenant_id, &things.key.id, &things.key.consumer_id, "/things/v1"] {
        assert!(yaml.contains(shown), "no {shown} in\n{yaml}");
    }
    assert!(yaml.contains("https://login.example.com/") && !yaml.contains(shared_secret), "{yaml}");
    assert!(!yaml.contains(&things.key.text), "{yaml}");
    let by_id = xds_server(&things.stack, &["render", "--site", &things.site.id]).await;
    assert_eq!(text(&by_id.stdout), yaml, "by its id as by its hostname");
    let absent = xds_server(&things.stack, &["render", "--site", "absent.gw.localhost"]).await;
    assert!(!absent.status.success() && text(&absent.stderr).contains("there is no site"), "{absent:?}");
    finish(things.stack).await;
}
