//! The age of the served state, compared with the database.
//!
//! A client that connects may come from another replica, and may have newer resources than this
//! one. So a stream asks, before it sends anything, that the change log is read again: the client's
//! state was committed before that. If that cannot be done soon, PostgreSQL is away, and it is
//! unknown which state is newer. The client then keeps its state until it is known.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::{describe_gauge, gauge};
use tokio::sync::{Notify, watch};

/// A gauge: 1 while the served state was stored by an earlier run, and was not read from PostgreSQL
/// yet.
const FROM_DISK: &str = "tenantry_xds_from_disk";
/// A gauge: 1 if PostgreSQL could be read when that was last tried.
const CONNECTED: &str = "tenantry_xds_postgresql_connected";

/// The time for which a stream waits for the log to be read: far more than a reading takes, and
/// little beside the time in which a client connects again.
const PATIENCE: Duration = Duration::from_secs(2);

/// A question, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// The source of the served state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// Nothing is served yet.
    #[default]
    Nothing,
    /// It was stored by an earlier run of this program.
    Disk {
        /// Every change of the log up to this number is in it.
        seq: i64,
        /// The time of storing, in milliseconds since 1970.
        at_ms: u64,
    },
    /// It was read from PostgreSQL.
    Database,
}

/// The questions of streams, and the answers of the follower.
#[derive(Debug)]
pub struct Freshness {
    /// True if a database is followed: otherwise nothing can be newer than the served state.
    followed: AtomicBool,
    asked: Mutex<u64>,
    question: Notify,
    /// Every question up to this was answered.
    answered: watch::Sender<u64>,
    /// True if the last attempt to read the log failed.
    away: watch::Sender<bool>,
    source: watch::Sender<Source>,
}

impl Default for Freshness {
    fn default() -> Self {
        Self {
            followed: AtomicBool::new(false),
            asked: Mutex::new(1),
            question: Notify::new(),
            answered: watch::Sender::new(0),
            away: watch::Sender::new(false),
            source: watch::Sender::default(),
        }
    }
}

impl Freshness {
    /// Says that a database is followed from now on, and was not read yet.
    pub fn follow(&self) {
        self.followed.store(true, Ordering::Relaxed);
    }

    /// Asks; the answer counts from now on.
    pub fn ask(&self) -> Ticket {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        *asked += 1;
        self.question.notify_one();
        Ticket(*asked)
    }

    /// Waits for the answer. It may never come.
    pub async fn answered(&self, ticket: Ticket) {
        // The sender lives as long as `self`, so that this cannot fail.
        let _ = self.answered.subscribe().wait_for(|answered| *answered >= ticket.0).await;
    }

    /// Waits for the answer as long as a client can be kept waiting; returns true if it came. While
    /// PostgreSQL is known to be away it does not wait.
    pub async fn answered_soon(&self, ticket: Ticket) -> bool {
        if !self.followed.load(Ordering::Relaxed) {
            return true;
        }
        let mut away = self.away.subscribe();
        tokio::select! {
            biased;
            () = self.answered(ticket) => true,
            _ = away.wait_for(|away| *away) => false,
            () = tokio::time::sleep(PATIENCE) => false,
        }
    }

    /// The questions that are answered by a reading of the log that begins now.
    pub fn begin(&self) -> Ticket {
        Ticket(*self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says that a reading has ended, and that its changes are served.
    pub fn done(&self, begun: Ticket) {
        self.answered.send_if_modified(|answered| {
            let more = *answered < begun.0;
            *answered = begun.0.max(*answered);
            more
        });
        self.away.send_if_modified(std::mem::take);
        gauge!(CONNECTED).set(1.0);
    }

    /// Says that the log cannot be read.
    pub fn failed(&self) {
        self.away.send_if_modified(|away| !std::mem::replace(away, true));
        gauge!(CONNECTED).set(0.0);
    }

    /// Returns true if the last attempt to read the log succeeded. Before the first attempt it is
    /// false.
    pub fn is_connected(&self) -> bool {
        *self.answered.borrow() > 0 && !*self.away.borrow()
    }

    /// Waits until the log cannot be read.
    pub async fn lost(&self) {
        // The sender lives as long as `self`, so that this cannot fail.
        let _ = self.away.subscribe().wait_for(|away| *away).await;
    }

    /// The source of the served state.
    pub fn source(&self) -> Source {
        *self.source.borrow()
    }

    /// Sets the source of the served state.
    pub fn set_source(&self, source: Source) {
        self.source.send_replace(source);
        gauge!(FROM_DISK).set(if matches!(source, Source::Disk { .. }) { 1.0 } else { 0.0 });
    }

    /// Waits until it comes from the database.
    pub async fn from_database(&self) {
        // The sender lives as long as `self`, so that this cannot fail.
        let _ = self.source.subscribe().wait_for(|source| *source == Source::Database).await;
    }

    /// Waits until somebody asks.
    pub async fn question(&self) {
        self.question.notified().await;
    }
}

/// Gives the metrics their help texts and first values.
pub(crate) fn describe() {
    describe_gauge!(
        FROM_DISK,
        "1 while what is served was stored by an earlier run, and was not read from PostgreSQL yet"
    );
    describe_gauge!(CONNECTED, "1 while PostgreSQL can be read");
    gauge!(FROM_DISK).set(0.0);
    gauge!(CONNECTED).set(0.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_newer_than_what_no_database_is_behind() {
        let freshness = Freshness::default();
        assert!(freshness.answered_soon(freshness.ask()).await);
    }

    #[tokio::test]
    async fn a_reading_answers_what_was_asked_before_it_began() {
        let freshness = Freshness::default();
        freshness.follow();
        freshness.done(freshness.begin());
        let before = freshness.ask();
        freshness.question().await;
        let begun = freshness.begin();
        let meanwhile = freshness.ask();
        freshness.done(begun);
        assert!(freshness.answered_soon(before).await);
        assert!(
            tokio::time::timeout(Duration::from_millis(20), freshness.answered(meanwhile))
                .await
                .is_err()
        );
        freshness.done(freshness.begin());
        assert!(freshness.answered_soon(meanwhile).await);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_database_that_is_known_to_be_away() {
        let freshness = Freshness::default();
        freshness.follow();
        assert!(!freshness.is_connected(), "before the first reading");
        freshness.done(freshness.begin());
        assert!(freshness.is_connected());
        freshness.failed();
        let ticket = freshness.ask();
        assert!(!freshness.answered_soon(ticket).await);
        freshness.done(freshness.begin());
        assert!(freshness.is_connected() && freshness.answered_soon(ticket).await);
    }
}
