//! Limits on guessing passwords that let nobody lock others out.
//!
//! Failures are counted in the database, so that limits hold over all replicas, for a quarter of an
//! hour from the first:
//!
//! - for an account from one source: it stops guesses of one account's password;
//! - for one source: it stops one password from being tried on many accounts;
//! - for an account from all sources: it only slows tries down. A limit would let anybody with an
//!   address lock its owner out.
//!
//! A source that has logged in to the account lately is known: tries from elsewhere, and tries
//! there on other accounts, do not stop it. Addresses without an account are counted alike, so that
//! a limit does not tell if there is one.

use std::net::IpAddr;
use std::time::Duration;

use axum::http::header;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};
use store::PlatformTx;
use store::account::AccountId;
use store::attempt::{self, Attempt, Count};
use uuid::Uuid;

use crate::http::problem::Problem;
use crate::http::problem::accounts::TOO_OFTEN;

/// The time for which failures count.
pub const WINDOW: TimeDelta = TimeDelta::minutes(15);
/// The failures of an account from one source: enough for a person with several passwords in mind.
pub const PER_ACCOUNT_AND_SOURCE: i32 = 10;
/// The failures of one source: an office has one address.
pub const PER_SOURCE: i32 = 100;
/// The failures of an account from sources that are not known, from which on tries are slowed down.
pub const SLOW_AFTER: i32 = 30;
/// The delay: it makes guessing a hundred times as slow, and hardly bothers a person with the
/// password.
pub const SLOWED_BY: Duration = Duration::from_secs(1);
/// The failures of a second factor, wherever they come from: a code has six digits. Only a caller
/// with the password gets here.
pub const PER_FACTOR: i32 = 5;
/// The time for which a source stays known.
pub const KNOWN_FOR: TimeDelta = TimeDelta::days(30);

/// A try that was let through, and counts as a failure until it is forgiven.
#[derive(Debug)]
pub struct Try {
    counts: Vec<Count>,
    /// True if the caller has to wait first.
    pub slowed: bool,
}

impl Try {
    /// Counts a try to log in, or refuses it.
    pub async fn begin(
        tx: &mut PlatformTx,
        email: &str,
        account: Option<AccountId>,
        source: Option<IpAddr>,
        now: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        let source = source.map(attempt::network_of);
        // An absent account is looked for all the same, so that it takes as long.
        let account = account.unwrap_or(AccountId(Uuid::nil()));
        let known = match source {
            Some(source) => attempt::is_known(tx, account, source, now - KNOWN_FOR).await?,
            None => false,
        };
        let place = source.map(|source| source.to_string()).unwrap_or_default();
        let pair = subject(&[email, &place]);
        let mut counts =
            vec![Count { kind: "login", subject: pair, limit: Some(PER_ACCOUNT_AND_SOURCE) }];
        if !known {
            counts.push(Count { kind: "login_account", subject: subject(&[email]), limit: None });
            counts.push(Count {
                kind: "login_source",
                subject: subject(&[&place]),
                limit: Some(PER_SOURCE),
            });
        }
        let failures = taken(attempt::take(tx, &counts, WINDOW, now).await?, now)?;
        let slowed = failures.get(1).is_some_and(|failures| *failures > SLOW_AFTER);
        Ok(Self { counts, slowed })
    }

    /// Counts a try of a second factor, or refuses it.
    pub async fn of_factor(
        tx: &mut PlatformTx,
        account: AccountId,
        now: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        Self::of_kind(tx, "factor", &account.to_string(), PER_FACTOR, now).await
    }

    /// Counts a try of another kind for this subject, or refuses it.
    pub async fn of_kind(
        tx: &mut PlatformTx,
        kind: &'static str,
        who: &str,
        limit: i32,
        now: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        let counts = vec![Count { kind, subject: subject(&[who]), limit: Some(limit) }];
        taken(attempt::take(tx, &counts, WINDOW, now).await?, now)?;
        Ok(Self { counts, slowed: false })
    }

    /// It was no failure.
    pub async fn forgive(&self, tx: &mut PlatformTx) -> Result<(), Problem> {
        Ok(attempt::forgive(tx, &self.counts).await?)
    }
}

fn taken(attempt: Attempt, now: DateTime<Utc>) -> Result<Vec<i32>, Problem> {
    match attempt {
        Attempt::Taken(failures) => Ok(failures),
        Attempt::Refused { until } => {
            let seconds = (until - now).num_seconds().saturating_add(1);
            Err(TOO_OFTEN
                .because(format!("Try again in {seconds} seconds."))
                .with_header(header::RETRY_AFTER, seconds.to_string()))
        }
    }
}

/// A digest of texts, each framed by its length: no two lists have the same.
fn subject(texts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize().into()
}
