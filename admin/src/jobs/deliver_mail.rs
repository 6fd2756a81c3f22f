//! Empties the outbox.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use policy::desired::Secret;
use service::jobs::JobHandle;
use store::account;
use store::email_token::{self, Purpose};
use store::seal::SecretsKey;
use store::{Actor, PlatformTx, Store, StoreError, outbox, signup};
use thiserror::Error;
use uuid::Uuid;

use crate::mail::{Letter, Links, Smtp, SmtpError};
use crate::secret::{EmailToken, NoRandomness};

/// The time between two looks into the outbox: a person who waits for a letter notices no more.
const EVERY: Duration = Duration::from_secs(1);
/// The life of a token for another password.
const RESET_GOOD: TimeDelta = TimeDelta::hours(1);

/// The reason why the outbox could not be emptied.
#[derive(Debug, Error)]
pub enum MailerError {
    /// The database failed.
    #[error("the outbox cannot be read")]
    Store(#[from] StoreError),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// Sends the letters of the outbox. Any number of replicas may do so.
#[derive(Clone, Debug)]
pub struct Mailer {
    store: Store,
    secrets: Arc<SecretsKey>,
    smtp: Smtp,
    links: Links,
    clock: fn() -> DateTime<Utc>,
}

impl Mailer {
    /// Nothing happens before [`Mailer::run`].
    pub fn new(
        store: Store,
        secrets: Arc<SecretsKey>,
        smtp: Smtp,
        links: Links,
        clock: fn() -> DateTime<Utc>,
    ) -> Self {
        Self { store, secrets, smtp, links, clock }
    }

    /// Sends letters for ever.
    pub async fn run(self, job: JobHandle) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let outcome = self.empty().await;
            job.note(&outcome);
            match outcome {
                Ok(0) => {}
                Ok(sent) => tracing::debug!(sent, "sent letters"),
                Err(error) => tracing::warn!(%error, "no letters can be sent"),
            }
        }
    }

    /// Sends the letters that are due, and returns their number.
    pub async fn empty(&self) -> Result<u64, MailerError> {
        let actor = Actor::system("post");
        let mut sent = 0;
        loop {
            let now = (self.clock)();
            let mut tx = self.store.platform(&actor).await?;
            let taken = outbox::take(&mut tx, &self.secrets, now).await?;
            tx.commit().await?;
            let Some(taken) = taken else { return Ok(sent) };
            let done = match serde_json::from_slice(&taken.content.0) {
                Ok(letter) => self.deliver(taken.id, letter, now).await?,
                // Sealed with another key, or written by another release: it cannot be read any
                // more.
                Err(_) => true,
            };
            if done {
                let mut tx = self.store.platform(&actor).await?;
                outbox::remove(&mut tx, taken.id).await?;
                tx.commit().await?;
                sent += 1;
            }
        }
    }

    /// Sends a letter; returns true if the letter is done.
    async fn deliver(
        &self,
        id: Uuid,
        letter: Letter,
        now: DateTime<Utc>,
    ) -> Result<bool, MailerError> {
        let ready = match letter {
            Letter::ResetRequest { email } => self.reset(id, &email, now).await?,
            Letter::Signup { id: signup } => self.welcome(id, signup).await?,
            ready => Some(ready),
        };
        let Some(Letter::Ready { to, subject, text }) = ready else { return Ok(true) };
        match self.smtp.send(id, &to, &subject, text, now).await {
            Ok(()) => Ok(true),
            Err(SmtpError::Later(error)) => {
                tracing::warn!(letter = %id, %error, "a letter is sent later");
                Ok(false)
            }
            Err(error) => {
                tracing::warn!(letter = %id, %error, "a letter is given up");
                Ok(true)
            }
        }
    }

    /// Makes a token for a new password, if there is an account, and writes it into the letter, so
    /// that another try sends the same text.
    async fn reset(
        &self,
        id: Uuid,
        email: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Letter>, MailerError> {
        let mut tx = self.store.platform(&Actor::system("post")).await?;
        let Some(found) = account::by_email(&mut tx, email).await? else { return Ok(None) };
        let token = EmailToken::generate()?;
        let account = found.account;
        email_token::create(&mut tx, account.id, Purpose::Reset, &token.digest(), RESET_GOOD, now)
            .await?;
        self.written(tx, id, Letter::reset(account.email, &self.links, token.reveal())).await
    }

    /// Makes a token for a sign-up, unless the address has an account.
    async fn welcome(&self, id: Uuid, signup: Uuid) -> Result<Option<Letter>, MailerError> {
        let mut tx = self.store.platform(&Actor::system("post")).await?;
        let held = match signup::lock(&mut tx, signup).await {
            Err(StoreError::NotFound { .. }) => return Ok(None),
            held => held?,
        };
        if account::by_email(&mut tx, &held.email).await?.is_some() {
            signup::delete(&mut tx, &held, "signup.refuse").await?;
            return self.written(tx, id, Letter::has_account(held.email)).await;
        }
        let token = EmailToken::generate()?;
        signup::note_token(&mut tx, signup, &token.digest()).await?;
        self.written(tx, id, Letter::verify(held.email, &self.links, token.reveal())).await
    }

    /// Stores the text of a letter.
    async fn written(
        &self,
        mut tx: PlatformTx,
        id: Uuid,
        letter: Letter,
    ) -> Result<Option<Letter>, MailerError> {
        if let Ok(content) = serde_json::to_vec(&letter) {
            outbox::rewrite(&mut tx, &self.secrets, id, &Secret(content)).await?;
        }
        tx.commit().await?;
        Ok(Some(letter))
    }
}
