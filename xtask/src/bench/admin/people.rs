//! The people of the bench: an Admin for each tenant, all with the same password.

use anyhow::{Context, Result, anyhow};
use argon2::password_hash::SaltString;
use argon2::{Argon2, PasswordHasher as _};
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use stack::admin_api::AdminApi;

use crate::bench::seed::{Scale, TENANT};

const PASSWORD: &str = "correct-horse-7-battery-staple";
/// The kind of an account's id, as the kinds of `seed`.
const ACCOUNT: usize = 20;

#[derive(Debug, Clone, Copy)]
pub(super) struct People;

impl People {
    /// Writes them, as the database's superuser.
    pub(super) async fn seed(database: &mut PgConnection, scale: Scale) -> Result<Self> {
        let hash = hash()?;
        let last = scale.sites - 1;
        let id = |kind: usize| {
            format!("('01900000-0000-7000-' || to_hex(32768 + {kind}) || '-' || lpad(to_hex(n), 12, '0'))::uuid")
        };
        let (account, tenant) = (id(ACCOUNT), id(TENANT));
        let statements = format!(
            "INSERT INTO accounts (id, email, name, password_hash, password_changed_at, verified_at)
                 SELECT {account}, 'admin-' || n || '@bench.test', 'Admin', '{hash}', now(), now() FROM generate_series(0, {last}) n;
             INSERT INTO members (tenant_id, account_id, role)
                 SELECT {tenant}, {account}, 'admin' FROM generate_series(0, {last}) n;
             ANALYZE accounts, members;"
        );
        database.execute(AssertSqlSafe(statements)).await?;
        Ok(Self)
    }

    pub(super) fn email(self, tenant: usize) -> String {
        format!("admin-{tenant}@bench.test")
    }
}

/// The hash of the password, with the cost that the admin service chooses: it reads the cost from the hash, so what is measured is what
/// a login takes.
fn hash() -> Result<String> {
    let salt = SaltString::encode_b64(b"tenantry-bench-1").map_err(|error| anyhow!("{error}"))?;
    let hash = Argon2::default().hash_password(PASSWORD.as_bytes(), &salt).map_err(|error| anyhow!("{error}"))?;
    Ok(hash.to_string())
}

/// A login; the access token.
pub(super) async fn log_in(api: &AdminApi, email: &str) -> Result<String> {
    let answer = api.post("/v1/auth/login", json!({ "email": email, "password": PASSWORD })).await?;
    answer["access_token"].as_str().map(str::to_owned).context("a login has answered no access token")
}
