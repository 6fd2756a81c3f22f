//! The JSON shapes of imports.

use serde::{Deserialize, Serialize};
use store::route::{ImportOutcome, Route, RouteSpec};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::publishing::routes::model::{Method, names};

/// Options of an import.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ImportQuery {
    /// Only show the changes.
    #[serde(default)]
    #[param(default = false)]
    pub(super) dry_run: bool,
}

/// The changes that an import made, or would make.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ImportResult {
    /// True if nothing was changed because it was only a trial.
    pub(super) dry_run: bool,
    /// Routes that are new.
    added: Vec<ImportLine>,
    /// Routes that keep their id, methods and path, and get another name.
    changed: Vec<ImportLine>,
    /// Routes that the description does not have.
    removed: Vec<ImportLine>,
    /// The number of routes that stay as they are.
    unchanged: usize,
    /// Parts of the description that were left out, or may surprise.
    warnings: Vec<String>,
}

/// A route in an import.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ImportLine {
    /// The route; absent if it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    id: Option<Uuid>,
    /// The `operationId`; for a removed route its name.
    #[schema(required = true)]
    name: Option<String>,
    #[schema(value_type = Vec<Method>)]
    methods: Vec<&'static str>,
    path: String,
}

impl ImportLine {
    pub(super) fn wanted(id: Option<Uuid>, spec: RouteSpec) -> Self {
        Self { id, name: spec.name, methods: names(spec.methods), path: spec.path }
    }

    pub(super) fn removed(route: Route) -> Self {
        Self {
            id: Some(route.id.into()),
            name: route.name,
            methods: names(route.methods),
            path: route.path,
        }
    }
}

impl ImportResult {
    pub(super) fn new(dry_run: bool, outcome: ImportOutcome, warnings: Vec<String>) -> Self {
        let changed =
            outcome.changed.into_iter().map(|(id, spec)| ImportLine::wanted(Some(id.into()), spec));
        Self {
            dry_run,
            added: outcome.added.into_iter().map(|spec| ImportLine::wanted(None, spec)).collect(),
            changed: changed.collect(),
            removed: outcome.removed.into_iter().map(ImportLine::removed).collect(),
            unchanged: outcome.unchanged,
            warnings,
        }
    }
}
