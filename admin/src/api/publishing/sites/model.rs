//! The JSON shapes of sites.

use chrono::{DateTime, Utc};
use policy::host::BaseDomain;
use policy::key;
use policy::settings::SiteSettings;
use serde::{Deserialize, Serialize};
use store::site;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::forms::check::Check;
use crate::forms::given::Given;
use crate::http::answer::Object;
use crate::http::body::present;
use crate::http::problem::Problem;

/// The use of a site's keys; it is part of their text.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Production traffic.
    Live,
    /// Anything else.
    Test,
}

impl From<key::Environment> for Environment {
    fn from(environment: key::Environment) -> Self {
        match environment {
            key::Environment::Live => Self::Live,
            key::Environment::Test => Self::Test,
        }
    }
}

impl From<Environment> for key::Environment {
    fn from(environment: Environment) -> Self {
        match environment {
            Environment::Live => Self::Live,
            Environment::Test => Self::Test,
        }
    }
}

/// A tenant's gateway workspace.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Site {
    pub id: Uuid,
    /// Its name.
    #[schema(example = "Shop")]
    name: String,
    /// The label of its own hostname, `<slug>.<base domain>`.
    #[schema(example = "acme-shop")]
    slug: String,
    environment: Environment,
    /// True if the caller's API key reaches the upstreams.
    forward_credentials: bool,
    /// True if the gateways load its routes and upstreams before its first request.
    eager: bool,
    /// The treatment of its requests.
    settings: SiteSettings,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    revision: i64,
}

impl From<site::Site> for Site {
    fn from(row: site::Site) -> Self {
        Self {
            id: row.id.into(),
            name: row.name,
            slug: row.slug,
            environment: row.environment.into(),
            forward_credentials: row.forward_credentials,
            eager: row.eager,
            settings: row.settings,
            created_at: row.created_at,
            updated_at: row.updated_at,
            revision: row.revision,
        }
    }
}

impl Object for Site {
    fn revision(&self) -> i64 {
        self.revision
    }
}

/// A new site.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSite {
    /// Its name.
    #[schema(min_length = 1, max_length = 200, example = "Shop")]
    name: String,
    /// The label of its own hostname. Unique on the platform, and for good; some are reserved.
    #[schema(
        min_length = 1,
        max_length = 63,
        pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
        example = "acme-shop"
    )]
    slug: String,
    /// The use of its keys. It cannot be changed.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, default = "live")]
    environment: Option<Environment>,
    /// True if the caller's API key reaches the upstreams.
    #[serde(default)]
    #[schema(default = false)]
    forward_credentials: bool,
    /// The treatment of its requests. An absent field has its default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<SiteSettings>, nullable = false)]
    settings: Option<Given<SiteSettings>>,
}

impl NewSite {
    pub(super) fn checked(self, base_domain: &BaseDomain) -> Result<site::NewSite, Problem> {
        let mut check = Check::new();
        check.name("name", &self.name);
        check.slug("slug", &self.slug);
        let settings = check.settings(self.settings.as_ref());
        check.finish()?;
        Ok(site::NewSite {
            name: self.name,
            hostname: base_domain.name(&self.slug),
            slug: self.slug,
            environment: self.environment.unwrap_or(Environment::Live).into(),
            forward_credentials: self.forward_credentials,
            settings: settings.unwrap_or_default(),
        })
    }
}

/// Changes of a site.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SiteChanges {
    /// Its name.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    /// True if the caller's API key reaches the upstreams.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    forward_credentials: Option<bool>,
    /// True if the gateways load its routes and upstreams before its first request, which then
    /// takes some milliseconds less. It costs memory in each of them, some 50 KB for each upstream.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    eager: Option<bool>,
    /// The treatment of its requests. Settings are replaced as a whole: an absent field gets its
    /// default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<SiteSettings>, nullable = false)]
    settings: Option<Given<SiteSettings>>,
}

impl SiteChanges {
    pub(super) fn checked(self) -> Result<site::SitePatch, Problem> {
        let mut check = Check::new();
        if let Some(name) = &self.name {
            check.name("name", name);
        }
        let settings = check.settings(self.settings.as_ref());
        check.finish()?;
        Ok(site::SitePatch {
            name: self.name,
            forward_credentials: self.forward_credentials,
            eager: self.eager,
            settings,
        })
    }
}
