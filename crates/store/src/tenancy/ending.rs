//! The statements that invitations and service tokens have in common.

/// Declares `get`, `list` and `lock` for objects that lie directly in a tenant and end by
/// themselves, and `prunable` and `prune` for those that ended before a time.
macro_rules! ending_objects_of_tenant {
    (
        $object:ident, $what:literal, $rows:ident of $table:literal, $many:literal,
        ended: $ended:literal, expire: $expire:literal
    ) => {
        const NOT_FOUND: $crate::StoreError = $crate::StoreError::NotFound { what: $what };

        #[doc = concat!("Reads the ", $what, " with this id.")]
        pub async fn get(
            tx: &mut $crate::TenantTx,
            id: uuid::Uuid,
        ) -> Result<$object, $crate::StoreError> {
            let tenant = uuid::Uuid::from(tx.tenant());
            $rows!("SELECT", "FROM " + $table + " WHERE tenant_id = $1 AND id = $2"; tenant, id)
                .fetch_optional(tx.conn())
                .await?
                .ok_or(NOT_FOUND)
        }

        #[doc = concat!("Reads a page of the ", $many, ", oldest first, ended ones included.")]
        pub async fn list(
            tx: &mut $crate::TenantTx,
            page: $crate::Page,
        ) -> Result<Vec<$object>, $crate::StoreError> {
            let tenant = uuid::Uuid::from(tx.tenant());
            let listed = $rows!(
                "SELECT", "FROM " + $table +
                " WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3";
                tenant, page.after(), page.limit()
            )
            .fetch_all(tx.conn())
            .await?;
            if listed.is_empty() {
                $crate::tenancy::tenant::require(tx).await?;
            }
            Ok(listed)
        }

        #[doc = concat!("Reads the ", $what, " and locks it until the end of the transaction.")]
        async fn lock(
            tx: &mut $crate::TenantTx,
            id: uuid::Uuid,
            expected_revision: Option<i64>,
        ) -> Result<$object, $crate::StoreError> {
            let tenant = uuid::Uuid::from(tx.tenant());
            let locked = $rows!(
                "SELECT", "FROM " + $table + " WHERE tenant_id = $1 AND id = $2 FOR UPDATE";
                tenant, id
            )
            .fetch_optional(tx.conn())
            .await?
            .ok_or(NOT_FOUND)?;
            $crate::StoreError::unless_expected(locked.revision, expected_revision)?;
            Ok(locked)
        }

        /// Reads `most` of the tenants at the most that have something for [`prune`].
        pub async fn prunable(
            tx: &mut $crate::PlatformTx,
            before: chrono::DateTime<chrono::Utc>,
            most: i64,
        ) -> Result<Vec<policy::id::TenantId>, $crate::StoreError> {
            let tenants = sqlx::query_scalar!(
                "SELECT DISTINCT tenant_id FROM " + $table + " WHERE " + $ended + " < $1 LIMIT $2",
                before,
                most
            )
            .fetch_all(tx.conn())
            .await?;
            Ok(tenants.into_iter().map(policy::id::TenantId).collect())
        }

        #[doc = concat!("Removes `most` at the most of the ", $many, " that ended before a time.")]
        ///
        /// Returns their number. Each leaves an audit row.
        pub async fn prune(
            tx: &mut $crate::TenantTx,
            before: chrono::DateTime<chrono::Utc>,
            most: i64,
        ) -> Result<u64, $crate::StoreError> {
            let tenant = uuid::Uuid::from(tx.tenant());
            let gone = $rows!(
                "DELETE FROM " + $table + " WHERE tenant_id = $1 AND id IN (
                     SELECT id FROM " + $table + " WHERE tenant_id = $1 AND " + $ended + " < $2
                     LIMIT $3 FOR UPDATE SKIP LOCKED) RETURNING"; tenant, before, most
            )
            .fetch_all(tx.conn())
            .await?;
            for gone in &gone {
                tx.record($crate::base::audit::Entry::deleted($expire, gone.id, gone));
            }
            Ok(gone.len() as u64)
        }
    };
}

pub(crate) use ending_objects_of_tenant;
