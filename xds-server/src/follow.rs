//! Keeps the snapshots of all cells equal to the database: everything once, then what the change log says.
//!
//! The log is read from the last sequence number that was applied, so nothing is missed, whatever happens to connections;
//! notifications only say when to look. While PostgreSQL is away the snapshot stays as it is and goes on being served.

mod load;
mod placed;
mod publish;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{counter, gauge, histogram};
use policy::id::{SiteId, TenantId};
use store::change::{self, Change, Logged};
use store::seal::SecretsKey;
use store::{Reader, SnapshotTx, StoreError, desired};
use tracing::{info, warn};

use self::placed::Placed;
use self::publish::{SITES_PER_STEP, Step};
use crate::cells::Cells;
use crate::config::{BaseDomain, DatabaseUrl};
use crate::dns::Book;
use crate::grpc::{Stop, stopped};
use crate::jwks::Keyring;
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

/// What is followed.
#[derive(Clone, Debug)]
pub struct Followed {
    /// Where the database is.
    pub database_url: DatabaseUrl,
    /// What the secrets in it are sealed with. Without it they are as good as absent.
    pub secrets_key: Option<SecretsKey>,
    /// The base domain of the deployment.
    pub base_domain: BaseDomain,
}

/// Follows one database.
pub struct Follower {
    followed: Followed,
    cells: Arc<Cells>,
    keyring: Arc<Keyring>,
    book: Arc<Book>,
    reader: Option<Reader>,
    /// The last change that is in the snapshot; `None` before the first load, and when the log has lost what follows.
    applied: Option<i64>,
    placed: Placed,
    /// The sites that cannot be translated, and keep what they had.
    quarantined: BTreeSet<SiteId>,
    delay: Duration,
}

impl Followed {
    async fn connect(&self) -> Result<Reader, StoreError> {
        let reader = Reader::connect(self.database_url.reveal(), CONNECTIONS).await?;
        Ok(match &self.secrets_key {
            Some(key) => reader.with_secrets_key(key.clone()),
            None => reader,
        })
    }
}

impl Follower {
    /// A follower that fills these cells, tells the keyring which issuers there are, and the book which names upstreams have.
    pub fn new(followed: Followed, cells: Arc<Cells>, keyring: Arc<Keyring>, book: Arc<Book>) -> Self {
        Self {
            followed,
            cells,
            keyring,
            book,
            reader: None,
            applied: None,
            placed: Placed::default(),
            quarantined: BTreeSet::new(),
            delay: FIRST_DELAY,
        }
    }

    /// Follows the database until told to stop. Errors are logged, and it tries again.
    ///
    /// # Errors
    /// [`StoreError::UnsafeRole`]: no waiting makes that good.
    pub async fn run(mut self, stop: Stop) -> Result<(), StoreError> {
        self.cells.set_platform(translate::platform(self.followed.base_domain.as_str()));
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
            None => self.reader.insert(self.followed.connect().await?).clone(),
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
            let named = Changes::of(&logged);
            let changed = self.apply(&mut snapshot, &named).await?;
            self.applied = Some(last);
            self.cells.reached(last);
            gauge!(report::LAST_SEQ).set(last as f64);
            histogram!(report::APPLY_DURATION).record(start.elapsed());
            let oldest = logged.iter().map(|logged| logged.at).min();
            // Clocks of two machines: a negative lag is none.
            let lag = oldest.and_then(|oldest| oldest.elapsed().ok()).unwrap_or_default();
            histogram!(report::CHANGE_LAG).record(lag);
            let (sites, buckets, consumers) = (named.sites.len(), named.buckets.len(), named.consumers.len());
            info!(seq = last, sites, buckets, consumers, changed, "applied changes");
        }
    }

    /// Reads again what has changed, and serves it. Returns how many resources are others now.
    async fn apply(&mut self, snapshot: &mut SnapshotTx, named: &Changes) -> Result<usize, StoreError> {
        if named.cells {
            self.cells.set_existing(desired::cells(snapshot).await?);
        }
        let mut changed = 0;
        for ids in named.sites.chunks(SITES_PER_STEP as usize) {
            let step = self.read_sites(snapshot, ids).await?;
            changed += self.publish(step);
        }
        if !named.listeners.is_empty() {
            let read = desired::listeners(snapshot, Some(&named.listeners)).await?;
            let with: BTreeSet<_> = read.iter().map(|listeners| listeners.tenant).collect();
            let gone = named.listeners.iter().filter(|tenant| !with.contains(tenant));
            let gone = gone.map(|tenant| Owner::Listeners(*tenant)).collect();
            changed += self.publish(Step { listeners: read, gone, ..Step::default() });
        }
        // Together: a key that says that there is more to know of its consumer, and what there is.
        let mut step = Step::default();
        if !named.consumers.is_empty() {
            let read = desired::consumers(snapshot, &named.consumers).await?;
            read.omitted.iter().for_each(report::omitted);
            step.consumers = read.buckets;
        }
        if !named.buckets.is_empty() {
            step.buckets = desired::buckets(snapshot, &named.buckets).await?;
        }
        Ok(changed + self.publish(step))
    }
}

/// What a piece of the log names, each once.
#[derive(Debug, Default)]
struct Changes {
    sites: Vec<SiteId>,
    buckets: Vec<u16>,
    consumers: Vec<u16>,
    listeners: Vec<TenantId>,
    /// Whether cells were made or removed.
    cells: bool,
}

impl Changes {
    fn of(logged: &[Logged]) -> Self {
        let all: BTreeSet<_> = logged.iter().map(|logged| logged.change).collect();
        let mut named = Self::default();
        for change in all {
            match change {
                Change::Site(site) => named.sites.push(site),
                Change::Keys(bucket) => named.buckets.push(bucket),
                Change::Consumers(bucket) => named.consumers.push(bucket),
                Change::Cells => named.cells = true,
                Change::Listeners(tenant) => named.listeners.push(tenant),
            }
        }
        named
    }
}
