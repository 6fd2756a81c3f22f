//! Problems of tenants and their members.

use super::kind::{Kind, kinds};

kinds! {
    /// A tenant would be left without an Admin.
    LAST_ADMIN = Kind::conflict("last-admin", "A tenant needs an admin")
        .detail("Make another member an admin first.");
    /// The account is a member of the tenant.
    ALREADY_MEMBER = Kind::conflict("already-member", "The account is a member already")
        .detail("Ask an admin of the tenant to change the role.");
    /// The tenant has as much of something as its platform plan allows.
    PLAN_LIMIT =
        Kind::conflict("limit-reached", "A limit of the tenant's platform plan is reached");
}
