//! Roles in a tenant, and their combination.

use std::collections::BTreeMap;

use policy::id::{SiteId, TenantId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::types::Json;
use thiserror::Error;
use uuid::Uuid;

use crate::base::error::StoreError;
use crate::base::tx::ScopedTx;

/// The role of a member or a service token. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees everything but secrets.
    Viewer,
    /// Changes the published APIs and their consumers.
    Developer,
    /// Changes members, tokens and the tenant itself.
    Admin,
}

/// A text that is no role.
#[derive(Debug, Error)]
#[error("a role is viewer, developer or admin")]
pub struct NoRole;

impl Role {
    /// Returns the word for it in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Developer => "developer",
            Self::Admin => "admin",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = NoRole;

    fn from_str(text: &str) -> Result<Self, NoRole> {
        match text {
            "viewer" => Ok(Self::Viewer),
            "developer" => Ok(Self::Developer),
            "admin" => Ok(Self::Admin),
            _ => Err(NoRole),
        }
    }
}

/// The most single sites with a role of their own: more of them call for a role in the tenant.
const MAX_SITES: usize = 100;

/// The roles of a member or a service token in one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The role in the whole tenant; `None` for roles in single sites only.
    pub role: Option<Role>,
    /// The roles in single sites, which replace the role in the tenant there.
    pub sites: BTreeMap<Uuid, Role>,
}

impl Standing {
    /// Returns the standing of one role everywhere in the tenant.
    pub fn everywhere(role: Role) -> Self {
        Self { role: Some(role), sites: BTreeMap::new() }
    }

    /// Returns true if the tenant is visible at all.
    pub fn is_member(&self) -> bool {
        self.role.is_some() || !self.sites.is_empty()
    }

    /// Returns the role in a site; `None` if the site is not visible.
    pub fn in_site(&self, site: SiteId) -> Option<Role> {
        self.sites.get(&Uuid::from(site)).copied().or(self.role)
    }

    /// Returns true if it is at least the other everywhere: nobody gives away more than they have.
    pub fn covers(&self, other: &Self) -> bool {
        let sites = self.sites.keys().chain(other.sites.keys());
        self.role >= other.role
            && sites.map(|site| SiteId(*site)).all(|site| self.in_site(site) >= other.in_site(site))
    }

    /// Proves that the sites belong to the tenant, which the transaction sees.
    pub(crate) async fn check(
        &self,
        tx: &mut impl ScopedTx,
        tenant: TenantId,
    ) -> Result<(), StoreError> {
        let invalid =
            |reason: &str| Err(StoreError::Invalid { field: "sites", reason: reason.to_owned() });
        if !self.is_member() {
            return Err(StoreError::Invalid {
                field: "role",
                reason: "give a role, or sites with roles".to_owned(),
            });
        }
        if self.sites.is_empty() {
            return Ok(());
        }
        if self.sites.len() > MAX_SITES {
            return invalid("there are too many; give a role in the tenant");
        }
        let ids: Vec<Uuid> = self.sites.keys().copied().collect();
        let found = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM sites WHERE tenant_id = $1 AND id = ANY($2)"#,
            Uuid::from(tenant),
            &ids
        )
        .fetch_one(tx.core().conn())
        .await?;
        if usize::try_from(found).is_ok_and(|found| found == ids.len()) {
            Ok(())
        } else {
            invalid("the tenant has no such site")
        }
    }

    pub(crate) fn of_row(role: Option<&str>, sites: Json<BTreeMap<Uuid, Role>>) -> Self {
        // A CHECK of each table leaves no other value.
        Self { role: role.and_then(|role| role.parse().ok()), sites: sites.0 }
    }

    pub(crate) fn role_text(&self) -> Option<&'static str> {
        self.role.map(Role::as_str)
    }

    pub(crate) fn form(&self) -> Value {
        json!({ "role": self.role, "sites": self.sites })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_covers_more_than_they_have() {
        let site = Uuid::from_u128(1);
        let developer = Standing::everywhere(Role::Developer);
        assert!(Standing::everywhere(Role::Admin).covers(&developer));
        assert!(developer.covers(&developer));
        assert!(!developer.covers(&Standing::everywhere(Role::Admin)));
        let one_site = Standing { role: None, sites: BTreeMap::from([(site, Role::Admin)]) };
        assert!(!developer.covers(&one_site) && !one_site.covers(&developer));
        let lower_there =
            Standing { role: Some(Role::Admin), sites: BTreeMap::from([(site, Role::Viewer)]) };
        assert!(!lower_there.covers(&Standing::everywhere(Role::Admin)));
        assert!(Standing::everywhere(Role::Admin).covers(&lower_there));
    }

    #[test]
    fn a_role_in_a_site_stands_in_place_of_the_one_in_the_tenant() {
        let (here, there) = (SiteId(Uuid::from_u128(1)), SiteId(Uuid::from_u128(2)));
        let mut standing =
            Standing { role: None, sites: BTreeMap::from([(here.0, Role::Developer)]) };
        assert_eq!(
            (standing.in_site(here), standing.in_site(there)),
            (Some(Role::Developer), None)
        );
        standing.role = Some(Role::Viewer);
        assert_eq!(
            (standing.in_site(here), standing.in_site(there)),
            (Some(Role::Developer), Some(Role::Viewer))
        );
        assert!(standing.is_member());
        assert!(!Standing::default().is_member());
    }

    #[test]
    fn roles_include_each_other_and_read_back() {
        assert!(Role::Admin > Role::Developer && Role::Developer > Role::Viewer);
        for role in [Role::Viewer, Role::Developer, Role::Admin] {
            assert_eq!(role.as_str().parse::<Role>().unwrap(), role);
        }
        assert!("owner".parse::<Role>().is_err());
    }
}
