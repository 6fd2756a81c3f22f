//! The operations on the platform itself.

use super::{Operation, row};
use crate::rights::permissions::Who::{Anyone, Operator};

/// In the order of the document.
pub(super) const OPERATIONS: &[Operation] = &[
    row("live", Anyone),
    row("ready", Anyone),
    row("metrics", Anyone),
    row("openapi", Anyone),
    row("createCell", Operator),
    row("listCells", Operator),
    row("getCell", Operator),
    row("updateCell", Operator),
    row("deleteCell", Operator),
    row("createPlatformPlan", Operator),
    row("listPlatformPlans", Operator),
    row("getPlatformPlan", Operator),
    row("updatePlatformPlan", Operator),
    row("deletePlatformPlan", Operator),
];
