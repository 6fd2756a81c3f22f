//! The JSON shapes of consumers.

use chrono::{DateTime, Utc};
use policy::settings::ConsumerSettings;
use serde::{Deserialize, Serialize};
use store::consumer;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::forms::check::Check;
use crate::forms::given::Given;
use crate::http::answer::Object;
use crate::http::body::present;
use crate::http::problem::Problem;

/// An application that calls the APIs of a site.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Consumer {
    pub id: Uuid,
    /// Its name, unique in the site.
    #[schema(example = "Mobile app")]
    name: String,
    /// Its plan; null for none.
    #[schema(required = true)]
    plan_id: Option<Uuid>,
    /// Its own settings.
    settings: ConsumerSettings,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    revision: i64,
}

impl From<consumer::Consumer> for Consumer {
    fn from(row: consumer::Consumer) -> Self {
        Self {
            id: row.id.into(),
            name: row.name,
            plan_id: row.plan_id.map(Into::into),
            settings: row.settings,
            created_at: row.created_at,
            updated_at: row.updated_at,
            revision: row.revision,
        }
    }
}

impl Object for Consumer {
    fn revision(&self) -> i64 {
        self.revision
    }
}

/// A new consumer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewConsumer {
    /// Its name, unique in the site.
    #[schema(min_length = 1, max_length = 200, example = "Mobile app")]
    name: String,
    /// Its plan, one of the site; null for none.
    #[serde(default)]
    plan_id: Option<Uuid>,
    /// Its own settings. An absent field has its default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<ConsumerSettings>, nullable = false)]
    settings: Option<Given<ConsumerSettings>>,
}

impl NewConsumer {
    pub(super) fn checked(self) -> Result<consumer::NewConsumer, Problem> {
        let mut check = Check::new();
        check.name("name", &self.name);
        let settings = check.settings(self.settings.as_ref());
        check.finish()?;
        Ok(consumer::NewConsumer {
            name: self.name,
            plan_id: self.plan_id.map(Into::into),
            settings: settings.unwrap_or_default(),
        })
    }
}

/// Changes of a consumer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsumerChanges {
    /// Its name, unique in the site.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    /// Its plan, one of the site; null for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Uuid>)]
    plan_id: Option<Option<Uuid>>,
    /// Its own settings. They are replaced as a whole: an absent field gets its default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<ConsumerSettings>, nullable = false)]
    settings: Option<Given<ConsumerSettings>>,
}

impl ConsumerChanges {
    pub(super) fn checked(self) -> Result<consumer::ConsumerPatch, Problem> {
        let mut check = Check::new();
        if let Some(name) = &self.name {
            check.name("name", name);
        }
        let settings = check.settings(self.settings.as_ref());
        check.finish()?;
        Ok(consumer::ConsumerPatch {
            name: self.name,
            plan_id: self.plan_id.map(|id| id.map(Into::into)),
            settings,
        })
    }
}
