//! Logging in.
//!
//! An address without an account is answered like a wrong password, after the same work: the same
//! queries, and a comparison with a hash of nobody's. Only the right password shows that an account
//! asks for a second factor: without it, accounts with one and without cannot be told apart.

use chrono::{DateTime, Utc};
use store::account::{self, Account, Credentials};
use store::session::{self, NewSession};
use store::{PlatformTx, attempt};

use super::attempts::{self, Try};
use super::second_factor::Proof;
use super::{SESSION_LIFETIME, Tokens, refresh};
use crate::app::App;
use crate::http::problem::Problem;
use crate::http::problem::accounts::{
    EMAIL_UNVERIFIED, INVALID_CODE, INVALID_CREDENTIALS, MFA_REQUIRED,
};
use crate::http::visitor::Visitor;
use crate::identity::password::Password;

/// Opens a session for the right password of an account.
pub async fn login(
    app: &App,
    visitor: &Visitor,
    email: &str,
    password: Password,
    proof: &Proof,
) -> Result<Tokens, Problem> {
    let now = (app.clock)();
    let (attempt, found) = begin(app, visitor, email, now).await?;
    let hash = found.as_ref().and_then(|found| found.password.clone());
    let same = app.passwords.verify(password, hash).await?;
    let Some(found) = found.as_ref().filter(|_| same) else {
        let account = found.map(|found| found.account.id);
        let mut tx = app.store.platform(&visitor.nobody()).await?;
        account::login_failed(&mut tx, account, "password").await?;
        tx.commit().await?;
        return Err(INVALID_CREDENTIALS.problem());
    };
    let id = found.account.id;
    let mut tx = app.store.platform(&visitor.somebody(id)).await?;
    attempt.forgive(&mut tx).await?;
    if !found.account.mfa {
        return open(app, visitor, tx, found, now).await;
    }
    tx.commit().await?;
    if proof.is_empty() {
        return Err(MFA_REQUIRED.problem());
    }
    let attempt = Proof::begin(app, &visitor.nobody(), id, now).await?;
    let mut tx = app.store.platform(&visitor.somebody(id)).await?;
    if !proof.take(app, &mut tx, id, now).await? {
        drop(tx);
        let mut tx = app.store.platform(&visitor.nobody()).await?;
        account::login_failed(&mut tx, Some(id), "factor").await?;
        tx.commit().await?;
        return Err(INVALID_CODE.problem());
    }
    attempt.forgive(&mut tx).await?;
    open(app, visitor, tx, found, now).await
}

/// Counts the try, and finds the account.
async fn begin(
    app: &App,
    visitor: &Visitor,
    email: &str,
    now: DateTime<Utc>,
) -> Result<(Try, Option<Credentials>), Problem> {
    let email = account::canonical_email(email);
    let mut tx = app.store.platform(&visitor.nobody()).await?;
    let found = account::by_email(&mut tx, &email).await?;
    let id = found.as_ref().map(|found| found.account.id);
    let attempt = Try::begin(&mut tx, &email, id, visitor.source, now).await?;
    tx.commit().await?;
    if attempt.slowed {
        // Nothing is held meanwhile, no connection and no core.
        tokio::time::sleep(attempts::SLOWED_BY).await;
    }
    Ok((attempt, found))
}

/// Opens the session, if the account is unchanged since the password was compared.
async fn open(
    app: &App,
    visitor: &Visitor,
    mut tx: PlatformTx,
    found: &Credentials,
    now: DateTime<Utc>,
) -> Result<Tokens, Problem> {
    let Account { id, verified_at, mfa, .. } = found.account;
    let locked = account::lock(&mut tx, id).await?;
    if locked.password != found.password || locked.account.mfa != mfa {
        return Err(INVALID_CREDENTIALS.problem());
    }
    if verified_at.is_none() {
        tx.commit().await?;
        return Err(EMAIL_UNVERIFIED.problem());
    }
    if let Some(source) = visitor.source {
        attempt::note_good(&mut tx, id, source, now).await?;
    }
    let session = NewSession {
        id: store::new_id(),
        account: id,
        mfa,
        source: visitor.source,
        user_agent: visitor.user_agent.clone(),
        expires_at: now + SESSION_LIFETIME,
    };
    let (token, drawn) = refresh::draw(now, session.expires_at)?;
    let session = session::create(&mut tx, session, &drawn, now).await?;
    let tokens = Tokens::issue(app, id.0, session.id, &token, drawn.expires_at).await?;
    tx.commit().await?;
    Ok(tokens)
}
