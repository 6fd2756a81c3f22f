//! Problems of callers without a token, or without the rights that an operation needs.

use super::kind::{Kind, kinds};

kinds! {
    /// No bearer token was sent.
    MISSING_TOKEN = Kind::unauthorized("missing-token", "Authentication is needed")
        .detail("Send a token as `Authorization: Bearer <token>`.");
    /// The bearer token is not, or no longer, valid.
    INVALID_TOKEN = Kind::invalid_token("invalid-token", "The token is not valid");
    /// The caller may see the object, but not do this.
    FORBIDDEN = Kind::insufficient_scope("forbidden", "This is not allowed");
    /// The service token lacks the scope of the operation.
    SCOPE_NEEDED = Kind::insufficient_scope("scope", "The token does not have the scope");
    /// A new token would have rights that its creator lacks.
    MORE_THAN_OWN = Kind::forbidden("more-than-own", "The new token would exceed your own rights")
        .detail("Its role, scopes and expiry must be within your own.");
    /// The tenant requires a second factor, and the session has none.
    MFA_NEEDED = Kind::forbidden("mfa-needed", "The tenant requires a second factor")
        .detail("Set up a second factor for your account, and log in again with it.");
    /// The tenant is suspended: its members may only read.
    TENANT_SUSPENDED = Kind::forbidden("tenant-suspended", "The tenant is suspended")
        .detail("You can read everything and change nothing. Ask the operator of the platform.");
}
