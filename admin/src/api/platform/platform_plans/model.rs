//! The JSON shapes of platform plans.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::platform_plan;
use utoipa::ToSchema;
use uuid::Uuid;

use super::allowance::{Allowance, AllowanceChanges};
use crate::forms::check::Check;
use crate::http::answer::Object;
use crate::http::body::{present, present_object};
use crate::http::problem::Problem;

/// The allowance of tenants.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlatformPlan {
    pub id: Uuid,
    /// Its name, unique on the platform.
    #[schema(example = "Business")]
    pub(super) name: String,
    /// True for the plan of tenants that were given no other. There always is one.
    is_default: bool,
    /// The allowance of each tenant with it.
    pub(super) limits: Allowance,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    revision: i64,
}

impl From<platform_plan::PlatformPlan> for PlatformPlan {
    fn from(row: platform_plan::PlatformPlan) -> Self {
        Self {
            id: row.id,
            name: row.name,
            is_default: row.is_default,
            limits: row.limits.into(),
            created_at: row.created_at,
            updated_at: row.updated_at,
            revision: row.revision,
        }
    }
}

impl Object for PlatformPlan {
    fn revision(&self) -> i64 {
        self.revision
    }
}

/// A new platform plan.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPlatformPlan {
    /// Its name, unique on the platform.
    #[schema(min_length = 1, max_length = 200, example = "Business")]
    pub(super) name: String,
    /// The allowance of each tenant with it. Of a field that is absent or null, a tenant may have
    /// as much as the general bounds allow.
    #[serde(default, deserialize_with = "present_object")]
    #[schema(nullable = false)]
    pub(super) limits: Option<AllowanceChanges>,
}

impl NewPlatformPlan {
    pub(super) fn checked(self) -> Result<(String, platform_plan::Limits), Problem> {
        let mut check = Check::new();
        check.name("name", &self.name);
        let limits = self.limits.unwrap_or_default();
        limits.check(&mut check);
        check.finish()?;
        Ok((self.name, limits.applied_to(platform_plan::Limits::default())))
    }
}

/// Changes of a platform plan.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlatformPlanChanges {
    /// Its name, unique on the platform.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    pub(super) name: Option<String>,
    /// The limits that are to change; those that are absent stay, and null takes one away.
    #[serde(default, deserialize_with = "present_object")]
    #[schema(nullable = false)]
    pub(super) limits: Option<AllowanceChanges>,
}

impl PlatformPlanChanges {
    pub(super) fn checked(&self) -> Result<(), Problem> {
        let mut check = Check::new();
        if let Some(name) = &self.name {
            check.name("name", name);
        }
        if let Some(limits) = &self.limits {
            limits.check(&mut check);
        }
        check.finish()
    }
}
