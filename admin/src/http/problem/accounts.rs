//! Problems of sign-up, login and second factors.

use super::kind::{Kind, kinds};

kinds! {
    /// The operator has closed sign-up.
    SIGNUP_CLOSED = Kind::forbidden("signup-closed", "Sign-up is closed")
        .detail("Ask the operator of the platform for a tenant.");
    /// The address and the password do not belong to an account.
    INVALID_CREDENTIALS =
        Kind::unauthorized("invalid-credentials", "The address or the password is wrong");
    /// The password is right, but the address is not verified.
    EMAIL_UNVERIFIED = Kind::forbidden("email-unverified", "The e-mail address is not verified")
        .detail("Reset the password: the e-mail that this sends verifies the address.");
    /// The password is right, and the account has a second factor.
    MFA_REQUIRED = Kind::unauthorized("mfa-required", "A second factor is needed")
        .detail("Repeat the request with `code`, from the authenticator, or with `recovery_code`.");
    /// The password is right, but the second factor is not, or no longer.
    INVALID_CODE = Kind::unauthorized("invalid-code", "The code is not valid")
        .detail("Each code works once, and only for about a minute.");
    /// The account has a second factor already.
    FACTOR_EXISTS = Kind::conflict("factor-exists", "The account already has a second factor")
        .detail("Remove it first; that needs the password and a code.");
    /// Something was tried too often.
    TOO_OFTEN = Kind::too_many("too-often", "This was tried too often");
}
