//! The errors of the store, in terms of the caller's objects.

use sqlx::postgres::PgDatabaseError;
use std::fmt;

use thiserror::Error;
use uuid::Uuid;

use crate::base::party::Party;
use crate::base::plan_limit::PlanLimit;

/// The reason for which an operation of the store failed. Its texts carry values that the caller
/// sent, never another tenant's data or a secret.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The object is absent, or belongs to another tenant, which is the same to the caller.
    #[error("no such {what}")]
    NotFound {
        /// The kind of object, such as `site`.
        what: &'static str,
    },
    /// Another object has this value already.
    #[error("{field} is taken: {value}")]
    Conflict {
        /// The field that has to differ.
        field: &'static str,
        /// The value that was sent.
        value: String,
    },
    /// The key has ended, so it cannot be rotated.
    #[error("the key is {end}")]
    KeyEnded {
        /// The reason.
        end: KeyEnd,
    },
    /// The account has a second factor already.
    #[error("the account has a second factor")]
    FactorExists,
    /// Another consumer of the site has this subject.
    #[error("the subject is taken: {subject}")]
    SubjectTaken {
        /// The subject that was sent.
        subject: String,
    },
    /// The object cannot be removed while others use it.
    #[error("the {what} is in use by a {by}")]
    InUse {
        /// The kind of object that was to be removed.
        what: &'static str,
        /// The kind of object that uses it.
        by: &'static str,
    },
    /// The object has changed since the caller read it.
    #[error("the object is at revision {current}")]
    Revision {
        /// The revision that it has now.
        current: i64,
    },
    /// The database refused a value: the last line behind the validation of the programs.
    #[error("{field}: {reason}")]
    Invalid {
        /// The field that holds it, or `value` where the database does not say.
        field: &'static str,
        /// The fault of the value.
        reason: String,
    },
    /// The parent has its most of these.
    #[error("at most {limit} {what}")]
    LimitReached {
        /// The objects that there are too many of, in the plural, such as `routes of a version`.
        what: &'static str,
        /// The most of them.
        limit: u32,
    },
    /// The tenant has as much as its platform plan allows.
    #[error("the platform plan allows {allowed} {}, and {used} are used", limit.as_str())]
    PlanLimit {
        /// The limit that is reached.
        limit: PlanLimit,
        /// The amount allowed.
        allowed: i64,
        /// The amount used.
        used: i64,
    },
    /// The consumer would take more bytes in the data plane, with its keys, than it may.
    #[error("the consumer would take {bytes} bytes, and {allowed} are allowed")]
    ConsumerBytes {
        /// The bytes allowed.
        allowed: i64,
        /// The bytes that it would take.
        bytes: i64,
    },
    /// Another transaction changes the object, and has not ended in time.
    #[error("another change of the {what} {id} is being made")]
    BeingChanged {
        /// The kind of object, such as `site`.
        what: &'static str,
        /// The object.
        id: Uuid,
    },
    /// The party has its share of the connections, and as many of its requests wait as may.
    #[error("the share of the database connections is taken: {party:?}")]
    ShareTaken {
        /// The party.
        party: Party,
    },
    /// The tenant would be left without an Admin.
    #[error("the last admin of a tenant")]
    LastAdmin,
    /// These tenants would be left without an Admin.
    #[error("the last admin of {}", tenants.join(", "))]
    LastAdminOf {
        /// The names of those of which the caller is an Admin.
        tenants: Vec<String>,
    },
    /// The account is a member of the tenant.
    #[error("already a member")]
    AlreadyMember,
    /// The change log no longer has the changes after the given number, or the database is older
    /// than it: read everything again.
    #[error("the change log does not reach back to {seq}")]
    ChangesLost {
        /// The number that the reader had come to.
        seq: i64,
    },
    /// A secret has to be stored, and no key is there to seal it.
    #[error("no secrets key is configured")]
    NoSecretsKey,
    /// The login role would see all rows of all tenants: it is a superuser or has BYPASSRLS.
    #[error(
        "the database role `{role}` bypasses row security; connect as a member of \
         tenantry_admin or tenantry_xds"
    )]
    UnsafeRole {
        /// The role of the connection string.
        role: String,
    },
    /// The migrations could not be applied.
    #[error("the database could not be migrated")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// PostgreSQL cannot be reached, or answered with an error of its own.
    #[error("database error")]
    Database(#[source] sqlx::Error),
}

/// The SQLSTATE of a refusal.
const REFUSED: &str = "TNLIM";
/// The constraint that the database names when it refuses a consumer for its size.
const CONSUMER_BYTES: &str = "consumer_bytes";
/// The SQLSTATE of a wait for a lock that was too long.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// The reason why a key does not work any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyEnd {
    /// It was revoked.
    Revoked,
    /// It has expired.
    Expired,
}

impl fmt::Display for KeyEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        })
    }
}

/// A unique key: its name in the database, the caller's field, and the value that was sent.
pub(crate) type UniqueKey<'a> = (&'static str, &'static str, &'a str);

/// The fields whose CHECK constraints are named `<table>_<field>_check`.
const CHECKED_FIELDS: [&str; 21] = [
    "action",
    "address",
    "algorithm",
    "base_path",
    "connect_timeout_ms",
    "digest",
    "email",
    "environment",
    "expires_at",
    "hint",
    "issuer",
    "methods",
    "name",
    "path",
    "port",
    "protocol",
    "request_timeout_ms",
    "settings",
    "slug",
    "value",
    "weight",
];

impl StoreError {
    /// Names the field of a unique violation by the keys that the statement can violate.
    pub(crate) fn unique(error: sqlx::Error, keys: &[UniqueKey<'_>]) -> Self {
        let violated = error.as_database_error().filter(|error| error.is_unique_violation());
        let constraint = violated.and_then(|error| error.constraint());
        match keys.iter().find(|(name, ..)| constraint == Some(name)) {
            Some((_, field, value)) => Self::Conflict { field, value: (*value).to_owned() },
            None => error.into(),
        }
    }

    /// Reads a refusal of the database; `None` if it is another error.
    fn refusal(error: &sqlx::Error) -> Option<Self> {
        let error: &PgDatabaseError = error.as_database_error()?.try_downcast_ref()?;
        if error.code() != REFUSED {
            return None;
        }
        let (allowed, used) = error.detail()?.split_once(' ')?;
        let (allowed, used) = (allowed.parse().ok()?, used.parse().ok()?);
        let refused = error.constraint()?;
        if refused == CONSUMER_BYTES {
            return Some(Self::ConsumerBytes { allowed, bytes: used });
        }
        let limit = PlanLimit::ALL.into_iter().find(|limit| refused == limit.as_str())?;
        Some(Self::PlanLimit { limit, allowed, used })
    }

    /// Compares the revision that the caller expects (`If-Match`) with the one there is. `None`
    /// expects nothing.
    pub(crate) fn unless_expected(current: i64, expected: Option<i64>) -> Result<(), Self> {
        if expected.is_some_and(|expected| expected != current) {
            Err(Self::Revision { current })
        } else {
            Ok(())
        }
    }

    /// Refuses one more if there are as many as there may be.
    pub(crate) fn at_limit(count: i64, what: &'static str, limit: u32) -> Result<(), Self> {
        if count >= i64::from(limit) { Err(Self::LimitReached { what, limit }) } else { Ok(()) }
    }

    /// Names the object whose lock was waited for, if the wait was too long.
    pub(crate) fn while_changing(self, what: &'static str, id: Uuid) -> Self {
        match &self {
            Self::Database(error) if code(error).as_deref() == Some(LOCK_NOT_AVAILABLE) => {
                Self::BeingChanged { what, id }
            }
            _ => self,
        }
    }

    /// Returns true if PostgreSQL cannot be used just now: it cannot be reached, has no connection
    /// left, or starts or stops.
    pub fn is_unavailable(&self) -> bool {
        let Self::Database(error) = self else { return false };
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed => true,
            // Class 08: connection exception; 53300: too_many_connections; 57P01 to 57P03: shutting
            // down, crashed, starting.
            sqlx::Error::Database(error) => error.code().is_some_and(|code| {
                code.starts_with("08") || matches!(&*code, "53300" | "57P01" | "57P02" | "57P03")
            }),
            _ => false,
        }
    }

    /// Returns true if the transaction failed only because of others at the same time, so that it
    /// may be tried again.
    pub fn is_transient(&self) -> bool {
        let Self::Database(error) = self else { return false };
        // serialization_failure, deadlock_detected
        code(error).is_some_and(|code| matches!(&*code, "40001" | "40P01" | LOCK_NOT_AVAILABLE))
    }
}

/// The SQLSTATE of an error of PostgreSQL.
fn code(error: &sqlx::Error) -> Option<std::borrow::Cow<'_, str>> {
    error.as_database_error().and_then(|error| error.code())
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if let Some(refusal) = StoreError::refusal(&error) {
            return refusal;
        }
        let Some(database) = error.as_database_error() else { return Self::Database(error) };
        if database.is_check_violation() {
            let constraint = database.constraint().unwrap_or_default();
            let named = |field: &&&str| {
                constraint.strip_suffix("_check").is_some_and(|name| name.ends_with(**field))
            };
            let field = CHECKED_FIELDS
                .iter()
                .filter(named)
                .max_by_key(|field| field.len())
                .copied()
                .unwrap_or("value");
            return Self::Invalid { field, reason: "the database refused the value".to_owned() };
        }
        if database.is_foreign_key_violation() {
            // Only references to upstreams and plans can be violated: parents are locked before
            // their children are written.
            return match database.constraint() {
                Some("routes_upstream_fkey")
                    if database.message().starts_with("update or delete") =>
                {
                    Self::InUse { what: "upstream", by: "route" }
                }
                Some("api_versions_upstream_fkey")
                    if database.message().starts_with("update or delete") =>
                {
                    Self::InUse { what: "upstream", by: "version" }
                }
                Some("consumers_plan_fkey")
                    if database.message().starts_with("update or delete") =>
                {
                    Self::InUse { what: "plan", by: "consumer" }
                }
                Some("routes_upstream_fkey" | "api_versions_upstream_fkey") => Self::Invalid {
                    field: "upstream_id",
                    reason: "the site has no such upstream".to_owned(),
                },
                _ => Self::Database(error),
            };
        }
        // character_not_in_repertoire, and untranslatable_character in JSON: a NUL, which
        // PostgreSQL's text cannot hold.
        if matches!(database.code().as_deref(), Some("22021" | "22P05")) {
            return Self::Invalid {
                field: "value",
                reason: "a NUL character cannot be stored".to_owned(),
            };
        }
        Self::Database(error)
    }
}
