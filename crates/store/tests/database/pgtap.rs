//! Runs `isolation.sql`, which checks by pgTAP that psql sees a tenant's rows in that tenant's
//! scope alone, in the role of the service.

use std::path::Path;
use std::process::Command;

use sqlx::Executor as _;

use crate::fixture::with_database;
use crate::isolation::two_tenants;

/// More than twenty tables, and more than thirty statements on each.
const AT_LEAST: usize = 600;

#[tokio::test]
async fn psql_finds_no_way_to_another_tenant() {
    with_database(async |database| {
        let (left, right) = two_tenants(database).await;
        let made = database.superuser.execute(
            "CREATE SCHEMA tap; CREATE EXTENSION pgtap SCHEMA tap; GRANT USAGE ON SCHEMA \
                tap TO PUBLIC",
        );
        made.await.expect(
            "pgTAP is installed where PostgreSQL is: on Debian, postgresql-<release>-pgtap",
        );
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/database/isolation.sql");
        // `psql` does not understand the parameters that sqlx does.
        let url = database.admin_url.split('?').next().unwrap_or_default();
        let psql = Command::new("psql")
            .args(["--no-psqlrc", "--quiet", &format!("--dbname={url}")])
            .args([
                "-v",
                &format!("left={}", left.tenant),
                "-v",
                &format!("right={}", right.tenant),
                "-f",
            ])
            .arg(&script)
            .output()
            .expect("psql is installed: on Debian, postgresql-client");
        let (said, complained) =
            (String::from_utf8_lossy(&psql.stdout), String::from_utf8_lossy(&psql.stderr));
        let lines = || said.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let wrong: Vec<&str> = said
            .lines()
            .filter(|line| line.starts_with("not ok") || line.starts_with('#'))
            .collect();
        assert!(psql.status.success() && wrong.is_empty(), "{complained}{}", wrong.join("\n"));
        let good = lines().filter(|line| line.starts_with("ok ")).count();
        assert!(
            said.lines().any(|line| line == format!("1..{good}")),
            "it did not come to its end: {said}"
        );
        assert!(good >= AT_LEAST, "{good}");
    })
    .await;
}
