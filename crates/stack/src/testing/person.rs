//! People who can log in. Their accounts are written by the superuser, for no operation makes one
//! without a letter.

use anyhow::{Context, Result, anyhow};
use argon2::password_hash::SaltString;
use argon2::{Argon2, PasswordHasher as _};
use serde_json::json;

use crate::Stack;
use crate::admin_api::AdminApi;

/// The password of all of them.
const PASSWORD: &str = "correct-horse-7-battery-staple";

/// The hash of their password, with the cost that the admin service chooses: it reads the cost from
/// the hash, so a login takes what it takes in production.
///
/// # Errors
/// If it cannot be hashed.
pub fn password_hash() -> Result<String> {
    let salt = SaltString::encode_b64(b"tenantry-testing").map_err(|error| anyhow!("{error}"))?;
    let hash = Argon2::default()
        .hash_password(PASSWORD.as_bytes(), &salt)
        .map_err(|error| anyhow!("{error}"))?;
    Ok(hash.to_string())
}

/// A login; the access token, which is good for ten minutes.
///
/// # Errors
/// If there is no such account.
pub async fn log_in(api: &AdminApi, email: &str) -> Result<String> {
    let answer =
        api.post("/v1/auth/login", json!({ "email": email, "password": PASSWORD })).await?;
    answer["access_token"]
        .as_str()
        .map(str::to_owned)
        .context("a login has answered no access token")
}

impl Stack {
    /// Makes an account that is an Admin of a tenant, and logs in; the access token.
    ///
    /// # Errors
    /// If there is no such tenant, or such an account already.
    pub async fn admin_in_person(&self, tenant: &str, email: &str) -> Result<String> {
        let account = sqlx::query_scalar::<_, String>(
            "INSERT INTO accounts (id, email, name, password_hash, password_changed_at, verified_at)
             VALUES (gen_random_uuid(), $1, 'Ada', $2, now(), now()) RETURNING id::text",
        );
        let mut database = self.superuser().await?;
        let account = account.bind(email).bind(password_hash()?).fetch_one(&mut database).await?;
        sqlx::query(
            "INSERT INTO members (tenant_id, account_id, role) \
             VALUES ($1::uuid, $2::uuid, 'admin')",
        )
        .bind(tenant)
        .bind(account)
        .execute(&mut database)
        .await?;
        log_in(&self.api, email).await
    }
}
