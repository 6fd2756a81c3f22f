//! The operations on accounts of people.

use super::{Operation, row};
use crate::rights::permissions::Who::{Account, Anyone, Operator};

/// In the order of the document.
pub(super) const OPERATIONS: &[Operation] = &[
    row("login", Anyone).answers(&[("401", "LoginFailed")]),
    row("refreshSession", Anyone).answers(&[("401", "LoginFailed")]),
    row("logout", Anyone),
    row("getAccessTokenKeys", Anyone),
    row("signUp", Anyone).answers(&[("403", "Forbidden")]),
    row("verifySignUp", Anyone).answers(&[("403", "Forbidden"), ("409", "Conflict")]),
    row("listSignUps", Operator),
    row("approveSignUp", Operator),
    row("rejectSignUp", Operator),
    row("requestPasswordReset", Anyone),
    row("confirmPasswordReset", Anyone),
    row("getMe", Account),
    row("updateMe", Account),
    row("changePassword", Account),
    row("listSessions", Account),
    row("endSession", Account),
    row("enrolTotp", Account),
    row("confirmTotp", Account),
    row("disableTotp", Account),
    row("eraseMe", Account),
];
