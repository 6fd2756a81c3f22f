//! The JSON shapes of routes.

use chrono::{DateTime, Utc};
use policy::method::Methods;
use policy::path::Template;
use policy::settings::RouteSettings;
use serde::{Deserialize, Serialize};
use store::route;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::forms::check::Check;
use crate::forms::given::Given;
use crate::http::answer::Object;
use crate::http::body::present;
use crate::http::problem::Problem;

/// A method that a route can have.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = HttpMethod)]
pub(crate) enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
    Trace,
}

impl Method {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Trace => "TRACE",
        }
    }
}

/// The methods of a set, in their fixed order.
pub(crate) fn names(methods: Methods) -> Vec<&'static str> {
    methods.names().collect()
}

/// The set of these methods; of none: all.
pub(super) fn set(methods: &[Method]) -> Methods {
    if methods.is_empty() {
        return Methods::ALL;
    }
    methods
        .iter()
        .filter_map(|method| Methods::named(method.name()))
        .fold(Methods::NONE, Methods::union)
}

/// Methods and a path template of a version.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Route {
    pub id: Uuid,
    /// Its name.
    #[schema(required = true, example = "getOrder")]
    name: Option<String>,
    #[schema(value_type = Vec<Method>, min_items = 1)]
    pub(super) methods: Vec<&'static str>,
    /// The template that follows the version's name in the path of a request.
    #[schema(example = "/orders/{id}")]
    pub(super) path: String,
    /// The upstream of its traffic; null for the version's upstream.
    #[schema(required = true)]
    upstream_id: Option<Uuid>,
    /// The treatment of its requests, beside the settings of its API.
    settings: RouteSettings,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    revision: i64,
}

impl From<route::Route> for Route {
    fn from(row: route::Route) -> Self {
        Self {
            id: row.id.into(),
            name: row.name,
            methods: names(row.methods),
            path: row.path,
            upstream_id: row.upstream_id.map(Into::into),
            settings: row.settings,
            created_at: row.created_at,
            updated_at: row.updated_at,
            revision: row.revision,
        }
    }
}

impl Object for Route {
    fn revision(&self) -> i64 {
        self.revision
    }
}

/// A new route.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRoute {
    /// The methods that it serves. None: all.
    #[serde(default)]
    pub(super) methods: Vec<Method>,
    /// A path template. A segment is literal text, a parameter `{id}`, or text around parameters
    /// such as `{id}.json`; the last one can be `{*rest}`, which takes the rest of the path.
    /// Literal text wins over parameters.
    #[schema(min_length = 1, max_length = 1024, pattern = "^/", example = "/orders/{id}")]
    pub(super) path: String,
    /// Its name.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, example = "getOrder")]
    name: Option<String>,
    /// The upstream of its traffic, one of the site. Null: the version's.
    #[serde(default)]
    upstream_id: Option<Uuid>,
    /// The treatment of its requests, beside the settings of its API. An absent field has its
    /// default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<RouteSettings>, nullable = false)]
    settings: Option<Given<RouteSettings>>,
}

impl NewRoute {
    pub(super) fn checked(self) -> Result<route::RouteSpec, Problem> {
        let mut check = Check::new();
        let template = check.take("path", Template::parse(&self.path));
        if let Some(name) = &self.name {
            check.name("name", name);
        }
        let settings = check.settings(self.settings.as_ref());
        check.finish()?;
        Ok(route::RouteSpec {
            name: self.name,
            methods: set(&self.methods),
            path: template.map(|template| template.to_string()).unwrap_or_default(),
            upstream_id: self.upstream_id.map(Into::into),
            settings: settings.unwrap_or_default(),
        })
    }
}

/// Changes of a route.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteChanges {
    /// The methods that it serves. None: all.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub(super) methods: Option<Vec<Method>>,
    /// A path template.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 1024, pattern = "^/", nullable = false)]
    pub(super) path: Option<String>,
    /// Its name; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    name: Option<Option<String>>,
    /// The upstream of its traffic; null for the version's upstream.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Uuid>)]
    upstream_id: Option<Option<Uuid>>,
    /// The treatment of its requests, beside the settings of its API. Settings are replaced as a
    /// whole: an absent field gets its default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<RouteSettings>, nullable = false)]
    settings: Option<Given<RouteSettings>>,
}

impl RouteChanges {
    pub(super) fn checked(self) -> Result<route::RoutePatch, Problem> {
        let mut check = Check::new();
        let template = self.path.and_then(|path| check.take("path", Template::parse(&path)));
        if let Some(Some(name)) = &self.name {
            check.name("name", name);
        }
        let settings = check.settings(self.settings.as_ref());
        check.finish()?;
        Ok(route::RoutePatch {
            name: self.name,
            methods: self.methods.map(|methods| set(&methods)),
            path: template.map(|template| template.to_string()),
            upstream_id: self.upstream_id.map(|id| id.map(Into::into)),
            settings,
        })
    }
}
