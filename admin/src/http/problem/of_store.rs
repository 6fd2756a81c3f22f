//! The problems that the store's errors become.

use policy::bounds::ADDRESS_RANGE_BYTES;
use store::platform_plan::PlanLimit;
use store::{Party, StoreError};

use super::Problem;
use super::accounts::FACTOR_EXISTS;
use super::body::ReachedLimit;
use super::platform::NO_SECRETS_KEY;
use super::publishing::KEY_ENDED;
use super::request::{
    BEING_CHANGED, BUSY, CHANGED, INTERNAL, LIMIT, NOT_FOUND, SHARE_TAKEN, UNAVAILABLE,
};
use super::tenancy::{ALREADY_MEMBER, LAST_ADMIN, PLAN_LIMIT};
use crate::http::etag::etag;
use crate::secret::NoRandomness;

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let transient = error.is_transient();
        match error {
            StoreError::NotFound { .. } => NOT_FOUND.problem(),
            StoreError::Conflict { field, value } => Self::taken(field, &value),
            StoreError::KeyEnded { end } => {
                KEY_ENDED.because(format!("It is {end}; make a new key instead."))
            }
            StoreError::FactorExists => FACTOR_EXISTS.problem(),
            // The place at which the client gave it.
            StoreError::SubjectTaken { subject } => Self::taken("settings.subjects", &subject),
            StoreError::InUse { what, by } => Self::in_use(what, &format!("a {by}")),
            StoreError::Revision { current } => {
                let tag = etag(current);
                CHANGED
                    .because(format!(
                        "The current entity tag is {tag}; get the object again and repeat the \
                         change."
                    ))
                    .with_header(axum::http::header::ETAG, tag)
            }
            StoreError::Invalid { field, reason } => Self::field(field, reason),
            StoreError::LastAdmin => LAST_ADMIN.problem(),
            StoreError::LastAdminOf { tenants } => LAST_ADMIN.because(format!(
                "You are the last admin of {}: make another member an admin first, or close the \
                 tenant and wait until it is erased.",
                tenants.join(", ")
            )),
            StoreError::AlreadyMember => ALREADY_MEMBER.problem(),
            StoreError::NoSecretsKey => NO_SECRETS_KEY.problem(),
            StoreError::BeingChanged { what, id } => BEING_CHANGED
                .because(format!("Another change of the {what} {id} is being made; try again.")),
            // Strangers share a queue: it is not this one who fills it.
            StoreError::ShareTaken { party: Party::Strangers } => BUSY.problem(),
            StoreError::ShareTaken { .. } => SHARE_TAKEN.problem(),
            StoreError::LimitReached { what, limit } => {
                LIMIT.because(format!("There can be {limit} {what} at most."))
            }
            StoreError::ConsumerBytes { allowed, bytes } => Self::field(
                "settings",
                format!(
                    "the consumer and its keys would take {bytes} bytes in the gateways, and \
                     {allowed} are allowed; an address range counts {ADDRESS_RANGE_BYTES}, and all \
                     else as its JSON: take ranges, scopes or limits away from it or its keys, \
                     revoke keys that have some, or make another consumer"
                ),
            ),
            StoreError::PlanLimit { limit, allowed, used } => plan_limit(limit, allowed, used),
            ref unavailable if transient || unavailable.is_unavailable() => {
                tracing::warn!(error = %Causes(unavailable), "the database could not be used");
                UNAVAILABLE.problem()
            }
            other => {
                tracing::error!(error = %Causes(&other), "the store failed");
                INTERNAL.problem()
            }
        }
    }
}

fn plan_limit(limit: PlanLimit, allowed: i64, used: i64) -> Problem {
    let what = match limit {
        PlanLimit::Sites => "sites",
        PlanLimit::Routes => "routes",
        PlanLimit::Keys => "keys that work",
        PlanLimit::Members => "members",
        PlanLimit::ConfigBytes => "bytes of configuration",
    };
    let detail = format!(
        "The plan allows {allowed} {what}, and {used} are used; remove some, or ask the operator \
         of the platform for another plan."
    );
    let reached = ReachedLimit { name: limit.as_str(), allowed, used };
    Problem { limit: Some(Box::new(reached)), ..PLAN_LIMIT.because(detail) }
}

impl From<NoRandomness> for Problem {
    fn from(error: NoRandomness) -> Self {
        tracing::error!(%error, "no key could be drawn");
        INTERNAL.problem()
    }
}

/// An error with all its causes, on one line.
struct Causes<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
