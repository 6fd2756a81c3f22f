//! Accounts of people: login, sessions with their tokens, second factors, limits on guessing, and
//! the tenant that a sign-up makes.

pub mod attempts;
pub mod login;
pub mod provision;
pub mod reauthenticate;
pub mod refresh;
pub mod second_factor;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::http::problem::Problem;
use crate::identity::access_token::LIFETIME;
use crate::secret::RefreshToken;

/// The life of a refresh token: a device that is away for a fortnight has to log in again.
pub const REFRESH_LIFETIME: TimeDelta = TimeDelta::days(14);
/// The life of a session, however often it is refreshed.
pub const SESSION_LIFETIME: TimeDelta = TimeDelta::days(90);

/// The tokens that a client gets by a login.
#[derive(Serialize, ToSchema)]
pub struct Tokens {
    /// The access token, for `Authorization: Bearer`: a JSON Web Token signed with EdDSA.
    access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// The seconds for which the access token works.
    #[schema(example = 600)]
    expires_in: i64,
    /// The refresh token: it gets the next pair of tokens, once.
    #[schema(example = "tnr_<40 letters and digits>")]
    refresh_token: String,
    /// The expiry of the refresh token.
    refresh_expires_at: DateTime<Utc>,
    /// The session, as the list of sessions has it.
    session_id: Uuid,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("session_id", &self.session_id).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Signs an access token beside a refresh token.
    pub(crate) async fn issue(
        app: &App,
        account: Uuid,
        session: Uuid,
        refresh: &RefreshToken,
        refresh_expires_at: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        let access_token = app.access_tokens.sign(account, session, (app.clock)()).await?;
        Ok(Self {
            access_token,
            token_type: "Bearer",
            expires_in: LIFETIME.num_seconds(),
            refresh_token: refresh.reveal().to_owned(),
            refresh_expires_at,
            session_id: session,
        })
    }
}
