//! Grants to a member or to a token: a role in the tenant, and roles in single sites.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::{Role, Standing};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::forms::check::Check;

/// A role. Each role includes those before it.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Role)]
pub(super) enum RoleName {
    Viewer,
    Developer,
    Admin,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Viewer => Self::Viewer,
            RoleName::Developer => Self::Developer,
            RoleName::Admin => Self::Admin,
        }
    }
}

impl From<Role> for RoleName {
    fn from(role: Role) -> Self {
        match role {
            Role::Viewer => Self::Viewer,
            Role::Developer => Self::Developer,
            Role::Admin => Self::Admin,
        }
    }
}

/// A role in one site, which stands there in place of the one in the tenant.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SiteRole {
    /// The site.
    site_id: Uuid,
    /// The role in it.
    role: RoleName,
}

/// The roles in single sites, in the order of their ids.
pub(super) fn sites(standing: &Standing) -> Vec<SiteRole> {
    standing
        .sites
        .iter()
        .map(|(site, role)| SiteRole { site_id: *site, role: (*role).into() })
        .collect()
}

/// The role in the tenant.
pub(super) fn role(standing: &Standing) -> Option<RoleName> {
    standing.role.map(Into::into)
}

/// Reads grants; the database checks that the sites are the tenant's.
pub(super) fn standing(check: &mut Check, role: Option<RoleName>, given: &[SiteRole]) -> Standing {
    let mut sites = BTreeMap::new();
    for (index, site) in given.iter().enumerate() {
        if sites.insert(site.site_id, site.role.into()).is_some() {
            check.refuse(format!("sites[{index}].site_id"), "is given twice");
        }
    }
    if role.is_none() && sites.is_empty() {
        check.refuse("role", "give a role in the tenant, or roles in some of its sites");
    }
    Standing { role: role.map(Into::into), sites }
}
