//! The people of benches: an Admin for each tenant, all with the same password.

use anyhow::Result;
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use stack::testing::person::password_hash;

use super::seed::{Scale, TENANT};

/// The kind of an account's id, as the kinds of `seed`.
const ACCOUNT: usize = 20;

#[derive(Debug, Clone, Copy)]
pub(super) struct People;

impl People {
    /// Writes them, as the database's superuser.
    pub(super) async fn seed(database: &mut PgConnection, scale: Scale) -> Result<Self> {
        let hash = password_hash()?;
        let last = scale.sites - 1;
        let id = |kind: usize| {
            format!(
                "('01900000-0000-7000-' || to_hex(32768 + {kind}) || '-' || lpad(to_hex(n), 12,
                 '0'))::uuid"
            )
        };
        let (account, tenant) = (id(ACCOUNT), id(TENANT));
        let statements = format!(
            "INSERT INTO accounts (id, email, name, password_hash, password_changed_at, verified_at)
                 SELECT {account}, 'admin-' || n || '@bench.test', 'Admin', '{hash}', now(), now()
                 FROM generate_series(0, {last}) n;
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
