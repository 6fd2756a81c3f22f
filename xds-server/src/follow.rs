//! Keeps the snapshot equal to the database: everything once, then what the change log says.
//!
//! The log is read from the last sequence number that was applied, so nothing is missed, whatever happens to connections;
//! notifications only say when to look. While PostgreSQL is away the snapshot stays as it is and goes on being served.

mod load;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{counter, gauge, histogram};
use policy::id::SiteId;
use store::change::{self, Change, Logged};
use store::{Reader, StoreError, desired};
use tracing::{info, warn};

use crate::grpc::{Stop, stopped};
use crate::hub::Hub;
use crate::report;
use crate::snapshot::Owner;
use crate::translate;

/// How long the log goes unread without a notification. It is what a lost notification costs.
const POLL: Duration = Duration::from_secs(1);
/// The most entries of the log that one step takes in.
const CHANGES_PER_STEP: u32 = 10_000;
/// How long to wait after an error, doubled with each that follows: an outage is over for us at most 5 s after it ended.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LAST_DELAY: Duration = Duration::from_secs(5);
/// One connection to listen, one to read.
const CONNECTIONS: u32 = 2;

/// Follows one database.
pub struct Follower {
    database_url: String,
    base_domain: String,
    hub: Arc<Hub>,
    reader: Option<Reader>,
    /// The last change that is in the snapshot; `None` before the first load, and when the log has lost what follows.
    applied: Option<i64>,
    /// The sites that cannot be translated, and keep what they had.
    quarantined: BTreeSet<SiteId>,
    delay: Duration,
}

impl Follower {
    /// A follower of the database at this URL, of a deployment with this base domain.
    pub fn new(database_url: String, base_domain: String, hub: Arc<Hub>) -> Self {
        Self {
            database_url,
            base_domain,
            hub,
            reader: None,
            applied: None,
            quarantined: BTreeSet::new(),
            delay: FIRST_DELAY,
        }
    }

    /// Follows the database until told to stop. Errors are logged, and it tries again.
    ///
    /// # Errors
    /// [`StoreError::UnsafeRole`]: no waiting makes that good.
    pub async fn run(mut self, stop: Stop) -> Result<(), StoreError> {
        self.hub.apply(vec![(Owner::Platform, translate::platform(&self.base_domain))]);
        loop {
            let error = tokio::select! {
                () = stopped(stop.clone()) => return Ok(()),
                error = self.follow() => error,
            };
            if matches!(error, StoreError::UnsafeRole { .. }) {
                return Err(error);
            }
            counter!(report::FOLLOW_ERRORS).increment(1);
            let retry_after_ms = u64::try_from(self.delay.as_millis()).unwrap_or(u64::MAX);
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            warn!(%error, cause, retry_after_ms, "PostgreSQL cannot be followed; what is known goes on being served");
            tokio::select! {
                () = stopped(stop.clone()) => return Ok(()),
                () = tokio::time::sleep(self.delay) => {}
            }
            self.delay = (self.delay * 2).min(LAST_DELAY);
        }
    }

    /// Follows until something fails.
    async fn follow(&mut self) -> StoreError {
        match self.try_follow().await {
            Err(StoreError::ChangesLost { seq }) => {
                warn!(seq, "the change log does not reach back far enough; everything is read again");
                self.applied = None;
                StoreError::ChangesLost { seq }
            }
            Err(error) => error,
            Ok(never) => match never {},
        }
    }

    async fn try_follow(&mut self) -> Result<std::convert::Infallible, StoreError> {
        let reader = match &self.reader {
            Some(reader) => reader.clone(),
            None => self.reader.insert(Reader::connect(&self.database_url, CONNECTIONS).await?).clone(),
        };
        // Before anything is read, so that no change falls between.
        let mut listener = change::listen(&reader).await?;
        if self.applied.is_none() {
            self.load(&reader).await?;
        }
        loop {
            self.catch_up(&reader).await?;
            self.delay = FIRST_DELAY;
            // The wait is not started anew at each poll: it may be in the middle of a message.
            let woken = listener.wait();
            tokio::pin!(woken);
            loop {
                tokio::select! {
                    result = &mut woken => {
                        result?;
                        break;
                    }
                    () = tokio::time::sleep(POLL) => self.catch_up(&reader).await?,
                }
            }
        }
    }

    /// Applies what the log has after the last change that was applied. Many changes of one site are one.
    async fn catch_up(&mut self, reader: &Reader) -> Result<(), StoreError> {
        loop {
            let start = Instant::now();
            let Some(applied) = self.applied else { return Ok(()) };
            let mut snapshot = reader.snapshot().await?;
            let logged = snapshot.changes_since(applied, CHANGES_PER_STEP).await?;
            let Some(last) = logged.last().map(|logged| logged.seq) else { return Ok(()) };
            let (sites, buckets) = split(&logged);
            let mut groups = self.read_sites(&mut snapshot, &sites).await?;
            for bucket in desired::buckets(&mut snapshot, &buckets).await? {
                groups.push((Owner::Bucket(bucket.bucket), translate::bucket(&bucket).into_iter().collect()));
            }
            let changed = self.hub.apply(groups).len();
            self.applied = Some(last);
            gauge!(report::LAST_SEQ).set(last as f64);
            histogram!(report::APPLY_DURATION).record(start.elapsed());
            let oldest = logged.iter().map(|logged| logged.at).min();
            // Clocks of two machines: a negative lag is none.
            let lag = oldest.and_then(|oldest| oldest.elapsed().ok()).unwrap_or_default();
            histogram!(report::CHANGE_LAG).record(lag);
            info!(seq = last, sites = sites.len(), buckets = buckets.len(), changed, "applied changes");
        }
    }
}

/// The sites and the buckets that a piece of the log names, each once.
fn split(logged: &[Logged]) -> (Vec<SiteId>, Vec<u16>) {
    let (mut sites, mut buckets) = (BTreeSet::new(), BTreeSet::new());
    for entry in logged {
        match entry.change {
            Change::Site(site) => {
                sites.insert(site);
            }
            Change::Keys(bucket) => {
                buckets.insert(bucket);
            }
            // Buckets of consumers are not served yet.
            Change::Consumers(_) => {}
        }
    }
    (sites.into_iter().collect(), buckets.into_iter().collect())
}
