//! States that nobody came back to, or that are over: each kind has its time, and goes when that is
//! over.

use chrono::{DateTime, TimeDelta, Utc};
use store::{
    Actor, Store, StoreError, access_token_key, attempt, email_token, idempotency, invitation,
    outbox, service_token, session, signup, totp,
};

use crate::accounts::attempts;
use crate::identity::access_token;

/// The rows of one transaction: it is over in some milliseconds, and holds nobody up.
const BATCH: i64 = 1_000;

/// For who asks why, a month later.
const MONTH: TimeDelta = TimeDelta::days(30);

/// A kind of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposable {
    /// Sign-ups whose address nobody has proven, or that no operator has approved.
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
    /// Second factors that somebody began to set up.
    UnconfirmedFactors,
    /// What was counted of failed logins and the like.
    Attempts,
    /// From where somebody has logged in.
    LoginSources,
    /// Letters that could not be sent while anybody wanted them.
    Letters,
    /// Answers of requests with an `Idempotency-Key`.
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

    /// How long it is kept when it is over, or, where it has no end of its own, after it was made.
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

/// Removes what is over of a kind at `now`, batch by batch. Any number of replicas may do so: what
/// one is about to remove, the others pass by. Returns how many.
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

/// What is a tenant's goes in a transaction of the tenant, with its audit rows.
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
