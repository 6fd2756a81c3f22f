//! The operations on usage, status and the audit log.

use super::{Operation, row};
use crate::rights::permissions::Who::{Admin, Operator, Viewer};

/// In the order of the document.
pub(super) const OPERATIONS: &[Operation] = &[
    row("getTenantUsage", Viewer),
    row("getSiteUsage", Viewer),
    row("getSiteStatus", Viewer),
    row("listEnvoys", Operator),
    row("listTenantAudit", Admin),
    row("exportTenantAudit", Admin),
    row("listAudit", Operator),
    row("exportAudit", Operator),
];
