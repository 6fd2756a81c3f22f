//! The JSON shapes of tenants.

use chrono::{DateTime, Utc};
use policy::settings::TenantSettings;
use serde::{Deserialize, Serialize};
use store::tenant;
use utoipa::ToSchema;
use uuid::Uuid;

use super::contact::Contact;
use super::placement::{self, Listener};
use crate::forms::check::Check;
use crate::forms::given::Given;
use crate::http::answer::Object;
use crate::http::body::{present, present_objects};
use crate::http::problem::Problem;

/// The state of a tenant.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = TenantStatus)]
pub(crate) enum StatusName {
    /// It is.
    Active,
    /// Its traffic is refused, and its members may only read.
    Suspended,
    /// It is served until `closes_at`, and erased after it.
    Closing,
}

impl From<tenant::Status> for StatusName {
    fn from(status: tenant::Status) -> Self {
        match status {
            tenant::Status::Active => Self::Active,
            tenant::Status::Suspended => Self::Suspended,
            tenant::Status::Closing => Self::Closing,
        }
    }
}

/// A customer organisation: the unit of isolation.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tenant {
    pub id: Uuid,
    /// Its name.
    #[schema(example = "Acme Bakeries")]
    name: String,
    /// A short name, unique on the platform.
    #[schema(required = true)]
    slug: Option<String>,
    /// Settings of all its sites.
    settings: TenantSettings,
    /// The cells that it is placed on: only their gateways serve its sites.
    cells: Vec<String>,
    /// Ports of its own in the gateways of its cells.
    listeners: Vec<Listener>,
    /// The platform plan, which says how much of everything it may have.
    platform_plan_id: Uuid,
    /// The state of the tenant.
    status: StatusName,
    /// The reason why it is not active; null if none was given.
    #[schema(required = true)]
    status_reason: Option<String>,
    /// The time of its erasure, if it is closing. A tenant that is suspended is not erased, and
    /// closes when it is served again.
    #[schema(required = true)]
    closes_at: Option<DateTime<Utc>>,
    /// True if the tenant turns away sessions without a second factor.
    require_mfa: bool,
    /// A person or team to write to.
    contacts: Vec<Contact>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    revision: i64,
}

impl From<tenant::Tenant> for Tenant {
    fn from(row: tenant::Tenant) -> Self {
        Self {
            id: row.id.into(),
            name: row.name,
            slug: row.slug,
            settings: row.settings,
            cells: row.cells.iter().map(ToString::to_string).collect(),
            listeners: row.listeners.into_iter().map(Listener::from).collect(),
            platform_plan_id: row.platform_plan,
            status: row.status.into(),
            status_reason: row.status_reason,
            closes_at: row.closes_at,
            require_mfa: row.require_mfa,
            contacts: serde_json::from_value(row.contacts).unwrap_or_default(),
            created_at: row.created_at,
            updated_at: row.updated_at,
            revision: row.revision,
        }
    }
}

impl Object for Tenant {
    fn revision(&self) -> i64 {
        self.revision
    }
}

/// A new tenant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTenant {
    /// Its name.
    #[schema(min_length = 1, max_length = 200, example = "Acme Bakeries")]
    name: String,
    /// A short name, unique on the platform.
    #[serde(default)]
    #[schema(
        min_length = 1,
        max_length = 63,
        pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
        example = "acme"
    )]
    slug: Option<String>,
    /// Settings of all its sites. An absent field has its default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<TenantSettings>, nullable = false)]
    settings: Option<Given<TenantSettings>>,
    /// Its platform plan. Default: the default one.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    platform_plan_id: Option<Uuid>,
}

impl NewTenant {
    pub(super) fn checked(self) -> Result<tenant::NewTenant, Problem> {
        let mut check = Check::new();
        check.name("name", &self.name);
        if let Some(slug) = &self.slug {
            check.slug("slug", slug);
        }
        let settings = check.tenant_settings(self.settings.as_ref());
        check.finish()?;
        Ok(tenant::NewTenant {
            name: self.name,
            slug: self.slug,
            settings: settings.unwrap_or_default(),
            platform_plan: self.platform_plan_id,
        })
    }
}

/// Changes of a tenant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantChanges {
    /// Its name.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    /// A short name, unique on the platform; null takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(
        value_type = Option<String>,
        min_length = 1,
        max_length = 63,
        pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
    )]
    slug: Option<Option<String>>,
    /// Settings of all its sites. They are replaced as a whole: an absent field gets its default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<TenantSettings>, nullable = false)]
    settings: Option<Given<TenantSettings>>,
    /// The cells that it is placed on, 1 to 16. To move it without a gap, place it on both the old
    /// cell and the new one, send the traffic to the new one, and then place it on the new one
    /// alone.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, min_items = 1, max_items = 16)]
    cells: Option<Vec<String>>,
    /// Ports of its own in the gateways of its cells, 8 at most: requests that arrive there reach
    /// its sites alone. They are replaced as a whole. A port belongs to one tenant on the whole
    /// platform, and gateways use it for nothing else.
    #[serde(default, deserialize_with = "present_objects")]
    #[schema(nullable = false, max_items = 8)]
    listeners: Option<Vec<Listener>>,
    /// Its platform plan. A tenant that exceeds the limits of the plan keeps its objects, and gets
    /// no more of them.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    platform_plan_id: Option<Uuid>,
}

impl TenantChanges {
    pub(super) fn checked(self) -> Result<tenant::TenantPatch, Problem> {
        let mut check = Check::new();
        if let Some(name) = &self.name {
            check.name("name", name);
        }
        if let Some(Some(slug)) = &self.slug {
            check.slug("slug", slug);
        }
        let settings = check.tenant_settings(self.settings.as_ref());
        let cells = self.cells.map(|cells| placement::cells(&mut check, &cells));
        let listeners =
            self.listeners.map(|listeners| placement::listeners(&mut check, &listeners));
        check.finish()?;
        let platform_plan = self.platform_plan_id;
        Ok(tenant::TenantPatch {
            name: self.name,
            slug: self.slug,
            settings,
            cells,
            platform_plan,
            listeners,
        })
    }
}
