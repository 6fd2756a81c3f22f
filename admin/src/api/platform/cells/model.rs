//! The JSON shapes of cells.

use chrono::{DateTime, Utc};
use policy::cell::CellName;
use serde::{Deserialize, Serialize};
use store::cell;
use utoipa::{IntoParams, ToSchema};

use crate::forms::check::Check;
use crate::forms::ids::canonical;
use crate::http::answer::Object;
use crate::http::body::present;
use crate::http::problem::Problem;

/// A cell.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct CellPath {
    /// The name of the cell.
    #[serde(deserialize_with = "canonical")]
    #[param(value_type = String, pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
    pub(super) cell_name: CellName,
}

/// A group of gateways that serve the same tenants.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Cell {
    /// The `node.cluster` of its gateways.
    #[schema(example = "eu-1")]
    pub name: String,
    /// A remark for people.
    description: String,
    /// The number of tenants that are placed on it.
    tenants: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    revision: i64,
}

impl From<cell::Cell> for Cell {
    fn from(row: cell::Cell) -> Self {
        Self {
            name: row.name.to_string(),
            description: row.description,
            tenants: row.tenants,
            created_at: row.created_at,
            updated_at: row.updated_at,
            revision: row.revision,
        }
    }
}

impl Object for Cell {
    fn revision(&self) -> i64 {
        self.revision
    }
}

/// A new cell.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCell {
    /// The `node.cluster` of its gateways. It cannot be changed.
    #[schema(
        min_length = 1,
        max_length = 63,
        pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
        example = "eu-1"
    )]
    name: String,
    /// A remark for people.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, min_length = 1, max_length = 200, example = "Frankfurt, shared")]
    description: Option<String>,
}

impl NewCell {
    pub(super) fn checked(self) -> Result<(CellName, String), Problem> {
        let mut check = Check::new();
        let name = check.take("name", self.name.parse::<CellName>());
        if let Some(description) = &self.description {
            check.name("description", description);
        }
        check.finish()?;
        Ok((name.unwrap_or_default(), self.description.unwrap_or_default()))
    }
}

/// Changes of a cell.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CellChanges {
    /// A remark for people.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    description: Option<String>,
}

impl CellChanges {
    pub(super) fn checked(self) -> Result<Option<String>, Problem> {
        let mut check = Check::new();
        if let Some(description) = &self.description {
            check.name("description", description);
        }
        check.finish()?;
        Ok(self.description)
    }
}
