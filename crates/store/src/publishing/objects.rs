//! The statements that the objects of a site have in common.

/// Declares `get`, `list`, `lock`, `erase` and `unless_full` for objects that lie directly in a
/// site and are one row each.
macro_rules! objects_of_site {
    (
        $object:ident, $id:ty, $what:literal, $rows:ident of $table:literal,
        $most:ident $many:literal
    ) => {
        $crate::publishing::objects::parts_of_site!(
            $object, $id, $what, $rows of $table, $most $many
        );

        #[doc = concat!("Reads the ", $what, " and locks it until the end of the transaction.")]
        pub(crate) async fn lock(
            tx: &mut $crate::TenantTx,
            site: policy::id::SiteId,
            id: $id,
            expected_revision: Option<i64>,
        ) -> Result<$object, $crate::StoreError> {
            $crate::publishing::lock::share(tx, site).await?;
            let tenant = uuid::Uuid::from(tx.tenant());
            let locked = $rows!(
                "SELECT", "FROM " + $table +
                " WHERE tenant_id = $1 AND site_id = $2 AND id = $3 FOR UPDATE";
                tenant, uuid::Uuid::from(site), uuid::Uuid::from(id)
            )
            .fetch_optional(tx.conn())
            .await
            .map_err(|error| $crate::StoreError::from(error).while_changing($what, id.into()))?
            .ok_or(NOT_FOUND)?;
            $crate::StoreError::unless_expected(locked.revision, expected_revision)?;
            Ok(locked)
        }
    };
}

/// Declares the same without `lock`: for objects with rows in another table, which a statement that
/// waited for the lock would see as they were before.
macro_rules! parts_of_site {
    (
        $object:ident, $id:ty, $what:literal, $rows:ident of $table:literal,
        $most:ident $many:literal
    ) => {
        const NOT_FOUND: $crate::StoreError = $crate::StoreError::NotFound { what: $what };

        #[doc = concat!("Reads the ", $what, " with this id.")]
        pub async fn get(
            tx: &mut $crate::TenantTx,
            site: policy::id::SiteId,
            id: $id,
        ) -> Result<$object, $crate::StoreError> {
            let tenant = uuid::Uuid::from(tx.tenant());
            $rows!(
                "SELECT", "FROM " + $table + " WHERE tenant_id = $1 AND site_id = $2 AND id = $3";
                tenant, uuid::Uuid::from(site), uuid::Uuid::from(id)
            )
            .fetch_optional(tx.conn())
            .await?
            .ok_or(NOT_FOUND)
        }

        #[doc = concat!("Reads a page of the ", $many, ", oldest first.")]
        pub async fn list(
            tx: &mut $crate::TenantTx,
            site: policy::id::SiteId,
            page: $crate::Page,
        ) -> Result<Vec<$object>, $crate::StoreError> {
            let tenant = uuid::Uuid::from(tx.tenant());
            let listed = $rows!(
                "SELECT", "FROM " + $table +
                " WHERE tenant_id = $1 AND site_id = $2 AND id > $3 ORDER BY id LIMIT $4";
                tenant, uuid::Uuid::from(site), page.after(), page.limit()
            )
            .fetch_all(tx.conn())
            .await?;
            if listed.is_empty() {
                $crate::publishing::lock::exists(tx, site).await?;
            }
            Ok(listed)
        }

        #[doc = concat!("Deletes the row of a locked ", $what, ".")]
        async fn erase(
            tx: &mut $crate::TenantTx,
            site: policy::id::SiteId,
            id: $id,
        ) -> Result<(), $crate::StoreError> {
            let tenant = uuid::Uuid::from(tx.tenant());
            sqlx::query!(
                "DELETE FROM " + $table + " WHERE tenant_id = $1 AND site_id = $2 AND id = $3",
                tenant,
                uuid::Uuid::from(site),
                uuid::Uuid::from(id)
            )
            .execute(tx.conn())
            .await?;
            Ok(())
        }

        /// Refuses one more in a site whose children are locked, if it has as many as it may have.
        async fn unless_full(
            tx: &mut $crate::TenantTx,
            site: policy::id::SiteId,
        ) -> Result<(), $crate::StoreError> {
            let tenant = uuid::Uuid::from(tx.tenant());
            let count = sqlx::query_scalar!(
                r#"SELECT count(*) AS "count!" FROM "#
                    + $table
                    + " WHERE tenant_id = $1 AND site_id = $2",
                tenant,
                uuid::Uuid::from(site)
            )
            .fetch_one(tx.conn())
            .await?;
            $crate::StoreError::at_limit(count, $many, $most)
        }
    };
}

/// Declares `get`, `list` and `lock` for objects that lie in an object of a site: a version in its
/// API, a key in its consumer.
macro_rules! objects_of_parent {
    (
        $object:ident, $id:ty, $what:literal, $rows:ident of $table:literal, $many:literal,
        $parent:ident: $parent_id:ty = $column:literal
    ) => {
        const NOT_FOUND: $crate::StoreError = $crate::StoreError::NotFound { what: $what };

        #[doc = concat!("Reads the ", $what, " with this id.")]
        pub async fn get(
            tx: &mut $crate::TenantTx,
            site: policy::id::SiteId,
            $parent: $parent_id,
            id: $id,
        ) -> Result<$object, $crate::StoreError> {
            let tenant = uuid::Uuid::from(tx.tenant());
            $rows!(
                "SELECT",
                "FROM " + $table + " WHERE tenant_id = $1 AND site_id = $2 AND " + $column +
                " = $3 AND id = $4";
                tenant, uuid::Uuid::from(site), uuid::Uuid::from($parent), uuid::Uuid::from(id)
            )
            .fetch_optional(tx.conn())
            .await?
            .ok_or(NOT_FOUND)
        }

        #[doc = concat!("Reads a page of the ", $many, ", oldest first.")]
        pub async fn list(
            tx: &mut $crate::TenantTx,
            site: policy::id::SiteId,
            $parent: $parent_id,
            page: $crate::Page,
        ) -> Result<Vec<$object>, $crate::StoreError> {
            let tenant = uuid::Uuid::from(tx.tenant());
            let listed = $rows!(
                "SELECT",
                "FROM " + $table + " WHERE tenant_id = $1 AND site_id = $2 AND " + $column +
                " = $3 AND id > $4 ORDER BY id LIMIT $5";
                tenant, uuid::Uuid::from(site), uuid::Uuid::from($parent), page.after(),
                page.limit()
            )
            .fetch_all(tx.conn())
            .await?;
            if listed.is_empty() {
                $parent::get(tx, site, $parent).await?;
            }
            Ok(listed)
        }

        #[doc = concat!("Reads the ", $what, " and locks it until the end of the transaction.")]
        pub(crate) async fn lock(
            tx: &mut $crate::TenantTx,
            site: policy::id::SiteId,
            $parent: $parent_id,
            id: $id,
            expected_revision: Option<i64>,
        ) -> Result<$object, $crate::StoreError> {
            $crate::publishing::lock::share(tx, site).await?;
            let tenant = uuid::Uuid::from(tx.tenant());
            let locked = $rows!(
                "SELECT",
                "FROM " + $table + " WHERE tenant_id = $1 AND site_id = $2 AND " + $column +
                " = $3 AND id = $4 FOR UPDATE";
                tenant, uuid::Uuid::from(site), uuid::Uuid::from($parent), uuid::Uuid::from(id)
            )
            .fetch_optional(tx.conn())
            .await
            .map_err(|error| $crate::StoreError::from(error).while_changing($what, id.into()))?
            .ok_or(NOT_FOUND)?;
            $crate::StoreError::unless_expected(locked.revision, expected_revision)?;
            Ok(locked)
        }
    };
}

pub(crate) use {objects_of_parent, objects_of_site, parts_of_site};
