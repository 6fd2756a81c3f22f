//! The operations on tenants, members and service tokens.

use super::{Operation, row};
use crate::rights::permissions::Who::{Account, Admin, AdminInPerson, Member, Operator, Viewer};

/// In the order of the document.
pub(super) const OPERATIONS: &[Operation] = &[
    row("createTenant", Operator),
    row("listTenants", Operator),
    row("getTenant", Member),
    row("updateTenant", Operator),
    row("deleteTenant", Operator),
    row("getTenantLimits", Viewer),
    row("updateTenantProfile", Admin),
    row("updateTenantStatus", Operator),
    row("closeTenant", AdminInPerson),
    row("keepTenant", AdminInPerson),
    row("listMembers", Admin),
    row("getMember", Admin),
    row("updateMember", AdminInPerson),
    row("deleteMember", AdminInPerson),
    row("listMyTenants", Account),
    row("createInvitation", AdminInPerson),
    row("listInvitations", Admin),
    row("getInvitation", Admin),
    row("deleteInvitation", AdminInPerson),
    row("acceptInvitation", Account),
    row("createServiceToken", Admin),
    row("listServiceTokens", Admin),
    row("getServiceToken", Admin),
    row("updateServiceToken", Admin),
    row("revokeServiceToken", Admin),
];
