//! The reader of the change log.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{counter, gauge, histogram};
use policy::host::BaseDomain;
use policy::id::{SiteId, TenantId};
use service::flags::DatabaseUrl;
use service::jobs::{JobError, JobHandle};
use store::change::{self, Change};
use store::seal::SecretsKey;
use store::{Reader, SnapshotTx, StoreError, desired};
use tracing::{Instrument as _, info, warn};

use super::pending::{Pending, Taken};
use super::publisher::{Publisher, Serving};
use super::read::{self, SITES_PER_STEP};
use super::{load, report, spans};
use crate::freshness::{Source, Ticket};
use crate::translate;

/// The longest time between two readings of the log, and so the cost of a lost notification.
const POLL: Duration = Duration::from_secs(1);
/// The most entries of the log that are read at once.
const CHANGES_PER_READING: u32 = 10_000;
/// The pause after an error, doubled with each that follows: an outage is over for us at most 5 s
/// after it ended.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LAST_DELAY: Duration = Duration::from_secs(5);
/// One connection to listen, one to read.
const CONNECTIONS: u32 = 2;

/// The database to follow, and the settings for reading it.
#[derive(Clone, Debug)]
pub struct Followed {
    /// The connection string.
    pub database_url: DatabaseUrl,
    /// The key that secrets in the database are sealed with. Without it they are as good as absent.
    pub secrets_key: Option<SecretsKey>,
    /// The base domain of the deployment.
    pub base_domain: BaseDomain,
}

/// Follows one database: reads its change log, and has a [`Publisher`] serve what has changed.
#[derive(Debug)]
pub struct Follower {
    followed: Followed,
    publisher: Publisher,
    reader: Option<Reader>,
    /// The changes that were read and are not applied; `None` before the first load, and when the
    /// log has lost what follows.
    pending: Option<Pending>,
    /// The change through which all is applied, as the streams were last told.
    reached: i64,
    /// A question of streams whether all is applied, and through which change that has to be.
    asked: Option<(Ticket, i64)>,
    /// True once the JWK Sets and addresses of earlier runs were taken over.
    restored: bool,
    /// The start of the clock by which changes wait.
    epoch: Instant,
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
    /// A follower that has not read anything.
    pub fn new(followed: Followed, serving: Serving) -> Self {
        Self {
            followed,
            publisher: Publisher::new(serving),
            reader: None,
            pending: None,
            reached: 0,
            asked: None,
            restored: false,
            epoch: Instant::now(),
            delay: FIRST_DELAY,
        }
    }

    /// Follows the database for ever. Errors are logged, and it tries again.
    ///
    /// # Errors
    /// [`StoreError::UnsafeRole`], which ends the program: no waiting makes that good.
    pub async fn run(mut self, job: JobHandle) -> Result<(), JobError> {
        let cells = Arc::clone(self.publisher.cells());
        cells.set_platform(translate::platform(&self.followed.base_domain));
        cells.freshness().follow();
        loop {
            let error = self.follow(&job).await;
            cells.freshness().failed();
            job.failed();
            if matches!(error, StoreError::UnsafeRole { .. }) {
                return Err(JobError::fatal(error));
            }
            counter!(report::FOLLOW_ERRORS).increment(1);
            let retry_after_ms = u64::try_from(self.delay.as_millis()).unwrap_or(u64::MAX);
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            warn!(
                %error,
                cause,
                retry_after_ms,
                "PostgreSQL cannot be followed; what is known goes on being served"
            );
            tokio::time::sleep(self.delay).await;
            self.delay = (self.delay * 2).min(LAST_DELAY);
        }
    }

    /// Follows until something fails.
    async fn follow(&mut self, job: &JobHandle) -> StoreError {
        match self.try_follow(job).await {
            Err(StoreError::ChangesLost { seq }) => {
                warn!(
                    seq,
                    "the change log does not reach back far enough; everything is read again"
                );
                self.pending = None;
                StoreError::ChangesLost { seq }
            }
            Err(error) => error,
            Ok(never) => match never {},
        }
    }

    async fn try_follow(
        &mut self,
        job: &JobHandle,
    ) -> Result<std::convert::Infallible, StoreError> {
        let reader = match &self.reader {
            Some(reader) => reader.clone(),
            None => self.reader.insert(self.followed.connect().await?).clone(),
        };
        let cells = Arc::clone(self.publisher.cells());
        // Before anything is read, so that no change falls between.
        let mut listener = change::listen(&reader).await?;
        if self.pending.is_none() {
            self.load(&reader).await?;
        }
        loop {
            self.catch_up(&reader, job).await?;
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
                    () = cells.freshness().question() => self.catch_up(&reader, job).await?,
                    () = tokio::time::sleep(self.idle()) => self.catch_up(&reader, job).await?,
                }
            }
        }
    }

    /// Reads everything, serves it, and goes on from there.
    async fn load(&mut self, reader: &Reader) -> Result<(), StoreError> {
        let cells = Arc::clone(self.publisher.cells());
        let begun = cells.freshness().begin();
        if !self.restored {
            self.publisher.restore(reader).await?;
            self.restored = true;
        }
        let head = load::everything(reader, &mut self.publisher).await?;
        self.pending = Some(Pending::new(head));
        self.asked = None;
        self.reached = head;
        cells.reached(head);
        self.publisher.forget_restored();
        cells.freshness().set_source(Source::Database);
        cells.freshness().done(begun);
        cells.set_loaded();
        self.publisher.prune(reader).await;
        Ok(())
    }

    /// Applies the changes of the log that are due ([`super::pending`]).
    async fn catch_up(&mut self, reader: &Reader, job: &JobHandle) -> Result<(), StoreError> {
        loop {
            let start = Instant::now();
            let begun = self.publisher.cells().freshness().begin();
            let now_ms = self.now_ms();
            let Some(pending) = &mut self.pending else { return Ok(()) };
            let mut snapshot = reader.snapshot().await?;
            let logged = snapshot.changes_since(pending.read(), CHANGES_PER_READING).await?;
            let more = logged.len() == CHANGES_PER_READING as usize;
            pending.add(&logged, now_ms);
            if !more {
                self.asked.get_or_insert((begun, pending.read()));
            }
            let seq = pending.read();
            let taken = pending.take(now_ms);
            if !taken.changes.is_empty() {
                let named = Changes::of(&taken);
                // Asked only for steps with buckets: the sites may be many.
                let waiting = if named.has_buckets() {
                    pending.sites_beside(&taken)
                } else {
                    BTreeSet::new()
                };
                let spans = spans::of_step(pending, &taken, seq);
                let changed = self
                    .apply(&mut snapshot, &named, &waiting, seq)
                    .instrument(spans.step.clone())
                    .await?;
                drop(spans);
                self.applied(&taken, &named, changed, start);
            }
            self.tell(job);
            if taken.changes.is_empty() && !more {
                job.succeeded();
                return Ok(());
            }
        }
    }

    /// Notes that a step was applied.
    fn applied(&mut self, taken: &Taken, named: &Changes, changed: usize, start: Instant) {
        let now_ms = self.now_ms();
        let Some(pending) = &mut self.pending else { return };
        pending.done(taken, now_ms);
        histogram!(report::APPLY_DURATION).record(start.elapsed());
        // Clocks of two machines: a negative lag is none.
        let lag = taken.oldest.and_then(|oldest| oldest.elapsed().ok()).unwrap_or_default();
        histogram!(report::CHANGE_LAG).record(lag);
        let (sites, buckets, consumers) =
            (named.sites.len(), named.buckets.len(), named.consumers.len());
        let (seq, waiting) = (pending.reached(), pending.len());
        info!(seq, sites, buckets, consumers, changed, waiting, "applied changes");
    }

    /// Publishes progress.
    fn tell(&mut self, job: &JobHandle) {
        let Some(pending) = &self.pending else { return };
        let reached = pending.reached();
        if reached != self.reached {
            self.reached = reached;
            self.publisher.cells().reached(reached);
            gauge!(report::LAST_SEQ).set(reached as f64);
        }
        gauge!(report::WAITING).set(pending.len() as f64);
        job.backlog(pending.len());
        if let Some((begun, _)) = self.asked.take_if(|(_, seq)| *seq <= reached) {
            self.publisher.cells().freshness().done(begun);
        }
    }

    /// The time for which there is nothing to do, unless there is news.
    fn idle(&self) -> Duration {
        let due_ms = self.pending.as_ref().and_then(Pending::due_ms);
        due_ms.map_or(POLL, |due_ms| {
            Duration::from_millis(due_ms.saturating_sub(self.now_ms())).min(POLL)
        })
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Reads again what has changed, and serves it. Returns how many resources changed. `waiting`
    /// are the sites whose own changes wait, and `seq` is the last change that the snapshot has.
    async fn apply(
        &mut self,
        snapshot: &mut SnapshotTx,
        named: &Changes,
        waiting: &BTreeSet<SiteId>,
        seq: i64,
    ) -> Result<usize, StoreError> {
        if named.cells {
            self.publisher.cells().set_existing(desired::cells(snapshot).await?);
        }
        let mut changed = 0;
        for ids in named.sites.chunks(SITES_PER_STEP as usize) {
            changed += self.publisher.publish_sites(read::sites(snapshot, ids, seq).await?);
        }
        if !named.listeners.is_empty() {
            let read = read::listeners(snapshot, &named.listeners).await?;
            changed += self.publisher.publish_listeners(read);
        }
        if named.has_buckets() {
            let (consumers, keys) = (&named.consumers, &named.buckets);
            let read = read::credentials(snapshot, consumers, keys, waiting).await?;
            changed += self.publisher.publish_credentials(read);
        }
        Ok(changed)
    }
}

/// The content of a step, each item once.
#[derive(Debug, Default)]
struct Changes {
    sites: Vec<SiteId>,
    buckets: Vec<u16>,
    consumers: Vec<u16>,
    listeners: Vec<TenantId>,
    /// True if cells were made or removed.
    cells: bool,
}

impl Changes {
    fn has_buckets(&self) -> bool {
        !self.buckets.is_empty() || !self.consumers.is_empty()
    }

    fn of(taken: &Taken) -> Self {
        let all: BTreeSet<_> = taken.changes.iter().map(|(_, change)| *change).collect();
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
