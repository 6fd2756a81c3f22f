//! The JSON shapes of me.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::account::{Account, AccountId};
use store::session;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::answer::Object;
use crate::http::body::present;
use crate::http::caller::{Caller, Principal};
use crate::http::problem::Problem;
use crate::http::problem::rights::FORBIDDEN;
use crate::identity::password::Password;

/// The account that has logged in, and the session.
pub(super) fn person(caller: &Caller) -> Result<(AccountId, Uuid), Problem> {
    match caller.principal {
        Principal::Account { account, session } => Ok((AccountId(account), session)),
        Principal::Operator { .. } | Principal::Service { .. } => Err(FORBIDDEN.problem()),
    }
}

/// The account of the caller.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    id: Uuid,
    /// The address that logs in, in lower case.
    #[schema(example = "ada@example.com")]
    email: String,
    /// The name of the person.
    #[schema(example = "Ada Lovelace")]
    pub(super) name: String,
    /// The time at which the address was proven to be the person's.
    #[schema(required = true)]
    verified_at: Option<DateTime<Utc>>,
    /// The time at which the password was last chosen.
    #[schema(required = true)]
    password_changed_at: Option<DateTime<Utc>>,
    /// True if each login asks for a second factor.
    mfa: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    revision: i64,
}

impl From<Account> for Me {
    fn from(account: Account) -> Self {
        Self {
            id: account.id.0,
            email: account.email,
            name: account.name,
            verified_at: account.verified_at,
            password_changed_at: account.password_changed_at,
            mfa: account.mfa,
            created_at: account.created_at,
            updated_at: account.updated_at,
            revision: account.revision,
        }
    }
}

impl Object for Me {
    fn revision(&self) -> i64 {
        self.revision
    }
}

/// Changes of an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MyChanges {
    /// The name of the person.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    pub(super) name: Option<String>,
}

/// A login on one device.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Session {
    id: Uuid,
    /// True for the session that sends this request.
    current: bool,
    /// True if a second factor was given.
    mfa: bool,
    /// The address that the login came from.
    #[schema(required = true, value_type = Option<String>, example = "192.0.2.7")]
    source: Option<IpAddr>,
    /// The name that the client gave itself at the login.
    #[schema(required = true)]
    user_agent: Option<String>,
    /// The time at which its tokens were last renewed.
    last_used_at: DateTime<Utc>,
    /// The time at which it ends at the latest.
    expires_at: DateTime<Utc>,
    created_at: DateTime<Utc>,
}

/// A session, and whether it is the one that asks.
pub(super) struct Seen(pub(super) session::Session, pub(super) bool);

impl From<Seen> for Session {
    fn from(Seen(row, current): Seen) -> Self {
        Self {
            id: row.id,
            current,
            mfa: row.mfa_at.is_some(),
            source: row.source,
            user_agent: row.user_agent,
            last_used_at: row.last_used_at,
            expires_at: row.expires_at,
            created_at: row.created_at,
        }
    }
}

/// A password, proven and chosen.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordChange {
    /// The password as it is.
    #[schema(value_type = String, format = Password, min_length = 1, max_length = 1024)]
    pub(super) current_password: Password,
    /// The password as it shall be: 12 to 128 characters that are not easily guessed.
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 128)]
    pub(super) new_password: Password,
}

/// The password, before a second factor is set up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewFactor {
    /// The password of the account.
    #[schema(value_type = String, format = Password, min_length = 1, max_length = 1024)]
    pub(super) password: Password,
}

/// The secret of a second factor, for an authenticator. It is shown this once.
#[derive(Serialize, ToSchema)]
pub(super) struct FactorSecret {
    /// In base32, to be typed in.
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    pub(super) secret: String,
    /// The text of a QR code.
    #[schema(example = "otpauth://totp/Tenantry:ada%40example.com?secret=...")]
    pub(super) uri: String,
}

/// The proof that the authenticator has the secret.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirmation {
    /// The six digits that the authenticator shows.
    #[schema(max_length = 64, example = "287082")]
    pub(super) code: String,
}

/// Substitutes for a lost authenticator. They are shown this once.
#[derive(Serialize, ToSchema)]
pub(super) struct RecoveryCodes {
    /// Ten codes, each good once.
    pub(super) recovery_codes: Vec<String>,
}

/// The password and the second factor, before that is taken away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FactorRemoval {
    /// The password of the account.
    #[schema(value_type = String, format = Password, min_length = 1, max_length = 1024)]
    pub(super) password: Password,
    /// The six digits that the authenticator shows.
    #[serde(default)]
    #[schema(max_length = 64, example = "287082")]
    pub(super) code: Option<String>,
    /// One of the recovery codes, in place of `code`.
    #[serde(default)]
    #[schema(max_length = 64, example = "abcd-efgh-jkmn-pqrs")]
    pub(super) recovery_code: Option<String>,
}
