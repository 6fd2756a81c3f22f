//! The outbox: letters that wait to be sent.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use policy::desired::Secret;
use store::seal::SecretsKey;
use store::{PlatformTx, outbox};

use super::Letter;
use crate::http::problem::Problem;
use crate::http::problem::platform::NO_MAIL;
use crate::http::problem::request::INTERNAL;

/// The time in which a letter is tried to be sent: the life of its token.
const KEPT: TimeDelta = TimeDelta::hours(24);

/// Takes letters, if a mail server is configured. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbox {
    sends_mail: bool,
    secrets: Option<Arc<SecretsKey>>,
}

impl Outbox {
    /// An outbox that takes letters only if the operator has named a mail server.
    pub fn new(sends_mail: bool, secrets: Option<Arc<SecretsKey>>) -> Self {
        Self { sends_mail, secrets }
    }

    /// True if letters are sent.
    pub fn sends_mail(&self) -> bool {
        self.sends_mail
    }

    /// Puts a letter in the outbox.
    ///
    /// # Errors
    /// [`NO_MAIL`] if the operator has named no mail server, and `no-secrets-key` if there is no
    /// key to seal letters with.
    pub async fn put(
        &self,
        tx: &mut PlatformTx,
        letter: &Letter,
        now: DateTime<Utc>,
    ) -> Result<(), Problem> {
        if !self.sends_mail {
            return Err(NO_MAIL.problem());
        }
        let content = serde_json::to_vec(letter).map_err(|_| &INTERNAL)?;
        Ok(outbox::put(tx, self.secrets.as_deref(), &Secret(content), KEPT, now).await?)
    }
}
