//! State that was abandoned, or that is over: each kind is kept for some time, and then removed.

use chrono::{DateTime, TimeDelta, Utc};
use store::{
    Actor, Store, StoreError, access_token_key, attempt, email_token, idempotency, invitation,
    outbox, service_token, session, signup, totp,
};

use crate::accounts::attempts;
use crate::identity::access_token;

/// The rows of one transaction: it takes some milliseconds, and holds nothing up.
const BATCH: i64 = 1_000;

/// Kept for a month, for support questions.
const MONTH: TimeDelta = TimeDelta::days(30);

/// A kind of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposable {
    /// Sign-ups with an unproven address, and those that no operator has approved.
    SignUps,
    /// Invitations that are accepted or void.
    Invitations,
    /// Service tokens that are revoked or expired.
    ServiceTokens,
    /// Tokens of e-mails.
    EmailTokens,
    /// Sessions that have ended, with their refresh tokens.
    Sessions,
    /// Refresh tokens of sessions that go on.
    RefreshTokens,
    /// Second factors that were never confirmed.
    UnconfirmedFactors,
    /// Counts of failed logins and the like.
    Attempts,
    /// Sources of logins.
    LoginSources,
    /// Letters that could not be sent in their time.
    Letters,
    /// Answers to requests with an `Idempotency-Key`.
    IdempotentAnswers,
    /// Keys that signed access tokens.
    AccessTokenKeys,
}

impl Disposable {
    /// All kinds.
    pub const ALL: [Self; 12] = [
        Self::SignUps,
        Self::Invitations,
        Self::ServiceTokens,
        Self::EmailTokens,
        Self::Sessions,
        Self::RefreshTokens,
        Self::UnconfirmedFactors,
        Self::Attempts,
        Self::LoginSources,
        Self::Letters,
        Self::IdempotentAnswers,
        Self::AccessTokenKeys,
    ];

    /// As metrics and the log call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::SignUps => "sign_ups",
            Self::Invitations => "invitations",
            Self::ServiceTokens => "service_tokens",
            Self::EmailTokens => "email_tokens",
            Self::Sessions => "sessions",
            Self::RefreshTokens => "refresh_tokens",
            Self::UnconfirmedFactors => "unconfirmed_factors",
            Self::Attempts => "attempts",
            Self::LoginSources => "login_sources",
            Self::Letters => "letters",
            Self::IdempotentAnswers => "idempotent_answers",
            Self::AccessTokenKeys => "access_token_keys",
        }
    }

    /// The time that it is kept once it is over, or, if it has no end of its own, after it was
    /// made.
    fn kept(self) -> TimeDelta {
        match self {
            // Their end is the time.
            Self::SignUps | Self::Letters => TimeDelta::zero(),
            Self::Invitations | Self::ServiceTokens | Self::EmailTokens | Self::Sessions => MONTH,
            Self::RefreshTokens | Self::UnconfirmedFactors => TimeDelta::days(1),
            Self::Attempts => attempts::WINDOW,
            Self::LoginSources => attempts::KNOWN_FOR,
            Self::IdempotentAnswers => TimeDelta::hours(idempotency::KEPT_HOURS.into()),
            Self::AccessTokenKeys => access_token::KEY_PUBLISHED,
        }
    }
}

/// Removes the rows of a kind that are over at `now`, batch by batch, and returns their number. Any
/// number of replicas may do so: each skips the rows that another is about to remove.
pub async fn dispose(
    store: &Store,
    kind: Disposable,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let before = now - kind.kept();
    let mut removed = 0;
    loop {
        let batch = match kind {
            Disposable::Invitations | Disposable::ServiceTokens => {
                of_tenants(store, kind, before).await?
            }
            _ => of_platform(store, kind, before).await?,
        };
        removed += batch;
        if batch < BATCH.unsigned_abs() {
            return Ok(removed);
        }
    }
}

async fn of_platform(
    store: &Store,
    kind: Disposable,
    before: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let mut tx = store.platform(&Actor::system("housekeeping")).await?;
    let removed = match kind {
        Disposable::SignUps => signup::prune(&mut tx, before, BATCH).await?,
        Disposable::EmailTokens => email_token::prune(&mut tx, before, BATCH).await?,
        Disposable::Sessions => session::prune(&mut tx, before, BATCH).await?,
        Disposable::RefreshTokens => session::prune_tokens(&mut tx, before, BATCH).await?,
        Disposable::UnconfirmedFactors => totp::prune(&mut tx, before, BATCH).await?,
        Disposable::Attempts => attempt::prune(&mut tx, before, BATCH).await?,
        Disposable::LoginSources => attempt::prune_sources(&mut tx, before, BATCH).await?,
        Disposable::Letters => outbox::prune(&mut tx, before, BATCH).await?,
        Disposable::IdempotentAnswers => idempotency::prune(&mut tx, before, BATCH).await?,
        Disposable::AccessTokenKeys => access_token_key::prune(&mut tx, before, BATCH).await?,
        Disposable::Invitations | Disposable::ServiceTokens => 0,
    };
    tx.commit().await?;
    Ok(removed)
}

/// A tenant's rows go in a transaction of the tenant, with its audit rows.
async fn of_tenants(
    store: &Store,
    kind: Disposable,
    before: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let actor = Actor::system("housekeeping");
    let mut tx = store.platform(&actor).await?;
    let tenants = match kind {
        Disposable::Invitations => invitation::prunable(&mut tx, before, BATCH).await?,
        _ => service_token::prunable(&mut tx, before, BATCH).await?,
    };
    drop(tx);
    let mut removed = 0;
    for tenant in tenants {
        let mut tx = store.tenant(tenant, &actor).await?;
        removed += match kind {
            Disposable::Invitations => invitation::prune(&mut tx, before, BATCH).await?,
            _ => service_token::prune(&mut tx, before, BATCH).await?,
        };
        tx.commit().await?;
    }
    Ok(removed)
}
