//! The JSON shapes of auth.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::accounts::Tokens;
use crate::bounds;
use crate::forms::check::Check;
use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::identity::access_token::Jwk;
use crate::identity::password::{MAX_COMPARED_CHARS, Password};
use crate::secret::RefreshToken;

/// A code, with the spaces and hyphens that people type in it.
const CODE_CHARS: usize = 64;

/// The credentials of a login.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    /// The address of the account. Upper and lower case are the same.
    #[schema(min_length = 3, max_length = 254, example = "ada@example.com")]
    pub(super) email: String,
    /// The password.
    #[schema(value_type = String, format = Password, min_length = 1, max_length = 1024)]
    pub(super) password: Password,
    /// The six digits that the authenticator shows, for an account that asks for a second factor.
    #[serde(default)]
    #[schema(max_length = 64, example = "287082")]
    pub(super) code: Option<String>,
    /// One of the recovery codes, in place of `code`.
    #[serde(default)]
    #[schema(max_length = 64, example = "abcd-efgh-jkmn-pqrs")]
    pub(super) recovery_code: Option<String>,
}

impl Login {
    pub(super) fn check(&self) -> Result<(), Problem> {
        let mut check = Check::new();
        check.email("email", &self.email);
        let chars = self.password.chars();
        if chars == 0 || chars > MAX_COMPARED_CHARS {
            check.refuse("password", format!("must have 1 to {MAX_COMPARED_CHARS} characters"));
        }
        for (field, code) in [("code", &self.code), ("recovery_code", &self.recovery_code)] {
            if code.as_ref().is_some_and(|code| code.chars().count() > CODE_CHARS) {
                check.refuse(field, format!("must have {CODE_CHARS} characters at most"));
            }
        }
        check.finish()
    }
}

/// The body that renews a session.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Refresh {
    /// The refresh token that came last.
    #[schema(min_length = 1, max_length = 200, example = "tnr_<40 letters and digits>")]
    refresh_token: String,
}

impl Refresh {
    /// The token; `None` if the text does not have the form of one.
    pub(super) fn token(&self) -> Option<RefreshToken> {
        (self.refresh_token.len() <= bounds::EMAIL_CHARS)
            .then(|| RefreshToken::parse(&self.refresh_token))
            .flatten()
    }
}

/// The account whose password is lost.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Address {
    /// The address of the account.
    #[schema(min_length = 3, max_length = 254, example = "ada@example.com")]
    pub(super) email: String,
}

impl Address {
    pub(super) fn check(&self) -> Result<(), Problem> {
        let mut check = Check::new();
        check.email("email", &self.email);
        check.finish()
    }
}

/// A new password, with the token of an e-mail to the account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    /// The token of the e-mail.
    #[schema(min_length = 1, max_length = 200, example = "tne_<40 letters and digits>")]
    pub(super) token: String,
    /// The password: 12 to 128 characters that are not easily guessed.
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 128)]
    pub(super) new_password: Password,
}

/// The keys that verify access tokens (RFC 7517).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Jwks {
    /// Newest first.
    pub(super) keys: Vec<Jwk>,
}

/// An answer with tokens, which no cache may keep.
pub(super) fn answer(tokens: &Tokens) -> Result<Answer, Problem> {
    Ok(Answer { secret: true, ..Answer::json(axum::http::StatusCode::OK, tokens)? })
}
