//! What somebody may do in a tenant: roles, and how they combine.

use std::collections::BTreeMap;

use policy::id::SiteId;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What a member or a service token may do. Each role includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees everything but secrets.
    Viewer,
    /// Changes what is published, and who may call it.
    Developer,
    /// Changes what concerns people, tokens and the tenant itself.
    Admin,
}

/// A text that is no role.
#[derive(Debug, Error)]
#[error("a role is viewer, developer or admin")]
pub struct NoRole;

impl Role {
    /// As it is written in the API and in the database.
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

/// What somebody is in one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The role in the tenant as a whole; `None` for who is only in some of its sites.
    pub role: Option<Role>,
    /// The roles in single sites. There, they stand in place of the other.
    pub sites: BTreeMap<SiteId, Role>,
}

impl Standing {
    /// The same role everywhere in the tenant.
    pub fn everywhere(role: Role) -> Self {
        Self { role: Some(role), sites: BTreeMap::new() }
    }

    /// Whether the tenant is visible at all.
    pub fn is_member(&self) -> bool {
        self.role.is_some() || !self.sites.is_empty()
    }

    /// The role in a site; `None` if the site is not visible.
    pub fn in_site(&self, site: SiteId) -> Option<Role> {
        self.sites.get(&site).copied().or(self.role)
    }
}

#[cfg(test)]
mod tests {
    use policy::id::Uuid;

    use super::*;

    #[test]
    fn a_role_in_a_site_stands_in_place_of_the_one_in_the_tenant() {
        let (here, there) = (SiteId(Uuid::from_u128(1)), SiteId(Uuid::from_u128(2)));
        let mut standing = Standing { role: None, sites: BTreeMap::from([(here, Role::Developer)]) };
        assert_eq!((standing.in_site(here), standing.in_site(there)), (Some(Role::Developer), None));
        standing.role = Some(Role::Viewer);
        assert_eq!((standing.in_site(here), standing.in_site(there)), (Some(Role::Developer), Some(Role::Viewer)));
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
