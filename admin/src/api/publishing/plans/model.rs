//! The JSON shapes of plans.

use chrono::{DateTime, Utc};
use policy::settings::PlanSettings;
use serde::{Deserialize, Serialize};
use store::plan;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::forms::check::Check;
use crate::forms::given::Given;
use crate::http::answer::Object;
use crate::http::body::present;
use crate::http::problem::Problem;

/// A tier of rate limits and quotas that consumers subscribe to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Plan {
    pub id: Uuid,
    /// Its name, unique in the site.
    #[schema(example = "Gold")]
    name: String,
    /// The allowance of its consumers.
    settings: PlanSettings,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    revision: i64,
}

impl From<plan::Plan> for Plan {
    fn from(row: plan::Plan) -> Self {
        Self {
            id: row.id.into(),
            name: row.name,
            settings: row.settings,
            created_at: row.created_at,
            updated_at: row.updated_at,
            revision: row.revision,
        }
    }
}

impl Object for Plan {
    fn revision(&self) -> i64 {
        self.revision
    }
}

/// A new plan.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPlan {
    /// Its name, unique in the site.
    #[schema(min_length = 1, max_length = 200, example = "Gold")]
    name: String,
    /// The allowance of its consumers. An absent field has its default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<PlanSettings>, nullable = false)]
    settings: Option<Given<PlanSettings>>,
}

impl NewPlan {
    pub(super) fn checked(self) -> Result<plan::NewPlan, Problem> {
        let mut check = Check::new();
        check.name("name", &self.name);
        let settings = check.settings(self.settings.as_ref());
        check.finish()?;
        Ok(plan::NewPlan { name: self.name, settings: settings.unwrap_or_default() })
    }
}

/// Changes of a plan.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanChanges {
    /// Its name, unique in the site.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    /// The allowance of its consumers. Settings are replaced as a whole: an absent field gets its
    /// default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<PlanSettings>, nullable = false)]
    settings: Option<Given<PlanSettings>>,
}

impl PlanChanges {
    pub(super) fn checked(self) -> Result<plan::PlanPatch, Problem> {
        let mut check = Check::new();
        if let Some(name) = &self.name {
            check.name("name", name);
        }
        let settings = check.settings(self.settings.as_ref());
        check.finish()?;
        Ok(plan::PlanPatch { name: self.name, settings })
    }
}
