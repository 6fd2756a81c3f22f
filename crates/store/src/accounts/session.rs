//! Sessions of people: a login on one device, and the family of its refresh tokens.
//!
//! A refresh token is good once (RFC 9700 section 4.14.2). Presenting it gives its one successor,
//! to any number of requests at the same time, and again for a short while, because the answer may
//! have been lost. A later presentation comes from a thief, or from the person after a thief: they
//! cannot be told apart, so the session ends.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::accounts::account::{self, AccountId};
use crate::base::audit::{Audited, Entry};
use crate::base::error::StoreError;
use crate::base::page::Page;
use crate::base::queries::{prunes, rows};
use crate::base::tx::PlatformTx;

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id, which access tokens carry.
    pub id: Uuid,
    /// The account that logged in.
    pub account: AccountId,
    /// The time at which a second factor was given.
    pub mfa_at: Option<DateTime<Utc>>,
    /// The address of the client at the login.
    pub source: Option<IpAddr>,
    /// The name that the client gave itself, 200 characters at most.
    pub user_agent: Option<String>,
    /// The time of the login.
    pub created_at: DateTime<Utc>,
    /// The time of the last refresh.
    pub last_used_at: DateTime<Utc>,
    /// The time at which it ends at the latest.
    pub expires_at: DateTime<Utc>,
    /// The time at which it was ended.
    pub revoked_at: Option<DateTime<Utc>>,
}

rows! { ($) session_rows =
    "id, account_id, mfa_at, host(source)
         AS source, user_agent, created_at, last_used_at, expires_at,
     revoked_at"
    => |row| Session {
        id: row.id,
        account: AccountId(row.account_id),
        mfa_at: row.mfa_at,
        source: row.source.and_then(|source| source.parse().ok()),
        user_agent: row.user_agent,
        created_at: row.created_at,
        last_used_at: row.last_used_at,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
    }
}

impl Audited for Session {
    fn form(&self) -> Value {
        json!({
            "account_id": self.account.0,
            "mfa": self.mfa_at.is_some(),
            "source": self.source,
            "user_agent": self.user_agent,
            "expires_at": self.expires_at,
            "revoked_at": self.revoked_at,
        })
    }
}

/// The fields of a new session.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The id, which its first access token has already.
    pub id: Uuid,
    /// See [`Session::account`].
    pub account: AccountId,
    /// True if a second factor was given.
    pub mfa: bool,
    /// See [`Session::source`].
    pub source: Option<IpAddr>,
    /// See [`Session::user_agent`].
    pub user_agent: Option<String>,
    /// See [`Session::expires_at`].
    pub expires_at: DateTime<Utc>,
}

/// A new refresh token, in the form of the database.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// SHA-256 of the token.
    pub digest: [u8; 32],
    /// The time until which it may be exchanged.
    pub expires_at: DateTime<Utc>,
}

/// The outcome of presenting a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// It was exchanged for the new token.
    Done(Session),
    /// It was exchanged a moment ago: give this successor again.
    Again {
        /// The session.
        session: Session,
        /// The successor, as it was sealed then.
        sealed: Vec<u8>,
    },
    /// It was exchanged before, so the session has ended with this. Commit it.
    Reused,
    /// There is none such, or it or its session has ended.
    Unknown,
}

const NOT_FOUND: StoreError = StoreError::NotFound { what: "session" };

/// Begins a session, with its first refresh token.
pub async fn create(
    tx: &mut PlatformTx,
    new: NewSession,
    token: &Drawn,
    now: DateTime<Utc>,
) -> Result<Session, StoreError> {
    let session = session_rows!(
        "INSERT INTO sessions
             (id, account_id, mfa_at, source, user_agent, created_at, last_used_at, expires_at)
         VALUES ($1, $2, $3, $4::text::inet, $5, $6, $6, $7) RETURNING";
        new.id,
        new.account.0,
        new.mfa.then_some(now),
        new.source.map(|source| source.to_string()),
        new.user_agent,
        now,
        new.expires_at
    )
    .fetch_one(tx.conn())
    .await?;
    insert_token(tx, new.id, token, now).await?;
    account::audit(tx, new.account, Entry::created("session.create", session.id, &session)).await?;
    Ok(session)
}

/// Reads a session of an account.
pub async fn get(tx: &mut PlatformTx, account: AccountId, id: Uuid) -> Result<Session, StoreError> {
    session_rows!("SELECT", "FROM sessions WHERE account_id = $1 AND id = $2"; account.0, id)
        .fetch_optional(tx.conn())
        .await?
        .ok_or(NOT_FOUND)
}

/// Reads a page of the sessions of an account that have not ended.
pub async fn list(
    tx: &mut PlatformTx,
    account: AccountId,
    page: Page,
    now: DateTime<Utc>,
) -> Result<Vec<Session>, StoreError> {
    Ok(session_rows!(
        "SELECT",
        "FROM sessions
         WHERE account_id = $1 AND revoked_at IS NULL AND expires_at > $2 AND id > $3
         ORDER BY id LIMIT $4";
        account.0,
        now,
        page.after(),
        page.limit()
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Ends a session. One that has ended stays as it is.
pub async fn revoke(
    tx: &mut PlatformTx,
    account: AccountId,
    id: Uuid,
    action: &'static str,
    now: DateTime<Utc>,
) -> Result<Session, StoreError> {
    let before = session_rows!(
        "SELECT", "FROM sessions WHERE account_id = $1 AND id = $2 FOR UPDATE"; account.0, id
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or(NOT_FOUND)?;
    if before.revoked_at.is_some() {
        return Ok(before);
    }
    let after =
        session_rows!("UPDATE sessions SET revoked_at = $2 WHERE id = $1 RETURNING"; id, now)
            .fetch_one(tx.conn())
            .await?;
    account::audit(tx, account, Entry::updated(action, id, &before, &after)).await?;
    Ok(after)
}

/// Ends all sessions of an account but one, and returns their number. The audit log has the cause,
/// and not each of them.
pub async fn revoke_all(
    tx: &mut PlatformTx,
    account: AccountId,
    except: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let revoked = sqlx::query!(
        "UPDATE sessions SET revoked_at = $3
         WHERE account_id = $1 AND id IS DISTINCT FROM $2 AND revoked_at IS NULL",
        account.0,
        except,
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(revoked.rows_affected())
}

/// Exchanges a refresh token for `successor`, unless it has a successor already. Requests that
/// present the token at the same time wait here for each other.
pub async fn exchange(
    tx: &mut PlatformTx,
    presented: &[u8; 32],
    successor: (&Drawn, &[u8]),
    retry: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Exchange, StoreError> {
    let held = sqlx::query!(
        "SELECT t.used_at, t.successor_sealed, t.expires_at AS token_expires_at,
                s.id, s.account_id, s.expires_at, s.revoked_at
         FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id
         WHERE t.digest = $1 FOR UPDATE",
        &presented[..]
    );
    let Some(held) = held.fetch_optional(tx.conn()).await? else { return Ok(Exchange::Unknown) };
    let account = AccountId(held.account_id);
    if held.revoked_at.is_some() || held.expires_at <= now || held.token_expires_at <= now {
        return Ok(Exchange::Unknown);
    }
    if let (Some(used_at), Some(sealed)) = (held.used_at, held.successor_sealed) {
        if now < used_at + retry {
            return Ok(Exchange::Again { session: get(tx, account, held.id).await?, sealed });
        }
        revoke(tx, account, held.id, "session.reuse", now).await?;
        return Ok(Exchange::Reused);
    }
    let (drawn, sealed) = successor;
    sqlx::query!(
        "UPDATE refresh_tokens SET used_at = $2, successor_sealed = $3 WHERE digest = $1",
        &presented[..],
        now,
        sealed
    )
    .execute(tx.conn())
    .await?;
    insert_token(tx, held.id, drawn, now).await?;
    let session =
        session_rows!("UPDATE sessions SET last_used_at = $2 WHERE id = $1 RETURNING"; held.id, now)
            .fetch_one(tx.conn())
            .await?;
    Ok(Exchange::Done(session))
}

/// Ends the session of a refresh token. Returns false if there is no such token.
pub async fn end(
    tx: &mut PlatformTx,
    presented: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let found = sqlx::query!(
        "SELECT s.id, s.account_id FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id
         WHERE t.digest = $1",
        &presented[..]
    );
    let Some(found) = found.fetch_optional(tx.conn()).await? else { return Ok(false) };
    revoke(tx, AccountId(found.account_id), found.id, "session.logout", now).await?;
    Ok(true)
}

prunes! {
    /// Removes `most` of the sessions at the most that ended before a time, with their tokens.
    prune: "sessions" by "id" where "least(revoked_at, expires_at) < $1";
}

prunes! {
    /// Removes `most` of the refresh tokens at the most that expired before a time. Their sessions
    /// may go on: an expired token is answered like an unknown one.
    prune_tokens: "refresh_tokens" by "digest" where "expires_at < $1";
}

async fn insert_token(
    tx: &mut PlatformTx,
    session: Uuid,
    token: &Drawn,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO refresh_tokens (digest, session_id, created_at, expires_at)
         VALUES ($1, $2, $3, $4)",
        &token.digest[..],
        session,
        now,
        token.expires_at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
