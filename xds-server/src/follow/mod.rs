//! Keeps the snapshots of all cells equal to the database: everything once, then what the change
//! log says.
//!
//! The log is read from the last sequence number that was read, so nothing is missed, whatever
//! happens to connections; notifications only say when to look. What was read is applied in steps
//! that are fair to all tenants ([`pending`]). While PostgreSQL is away the snapshot stays as it is
//! and goes on being served.

mod load;
mod pending;
mod placed;
mod publish;
pub(crate) mod report;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{counter, gauge, histogram};
use policy::id::{SiteId, TenantId};
use store::change::{self, Change};
use store::seal::SecretsKey;
use store::{Reader, SnapshotTx, StoreError, desired};
use tracing::{info, warn};

use self::pending::{Pending, Taken};
use self::placed::Placed;
use self::publish::{SITES_PER_STEP, Step};
use crate::base_domain::BaseDomain;
use crate::cells::Cells;
use crate::database_url::DatabaseUrl;
use crate::dns::Book;
use crate::freshness::Ticket;
use crate::jwks::Keyring;
use crate::quarantine::Quarantine;
use crate::snapshot::Owner;
use crate::stop::{Stop, stopped};
use crate::translate;
use crate::validate::Pool;

/// How long the log goes unread without a notification. It is what a lost notification costs.
const POLL: Duration = Duration::from_secs(1);
/// The most entries of the log that are read at once.
const CHANGES_PER_READING: u32 = 10_000;
/// How long to wait after an error, doubled with each that follows: an outage is over for us at
/// most 5 s after it ended.
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
    quarantine: Arc<Quarantine>,
    validation: Option<Arc<Pool>>,
    reader: Option<Reader>,
    /// The changes that were read and are not applied; `None` before the first load, and when the
    /// log has lost what follows.
    pending: Option<Pending>,
    /// What the streams were last told to be applied.
    reached: i64,
    /// A question of streams whether all is applied, and through which change that has to be.
    asked: Option<(Ticket, i64)>,
    /// Whether the JWK Sets and addresses of earlier runs were taken over.
    restored: bool,
    /// The time of what waits is counted from here.
    epoch: Instant,
    placed: Placed,
    /// The sites that have something other than their newest resources.
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
    /// A follower that fills these cells with what the quarantine lets through, tells the keyring
    /// which issuers there are, and the book which names upstreams have.
    pub fn new(
        followed: Followed,
        cells: Arc<Cells>,
        keyring: Arc<Keyring>,
        book: Arc<Book>,
        quarantine: Arc<Quarantine>,
    ) -> Self {
        Self {
            followed,
            cells,
            keyring,
            book,
            quarantine,
            validation: None,
            reader: None,
            pending: None,
            reached: 0,
            asked: None,
            restored: false,
            epoch: Instant::now(),
            placed: Placed::default(),
            quarantined: BTreeSet::new(),
            delay: FIRST_DELAY,
        }
    }

    /// Has Envoys look at every site that it serves.
    pub fn validated_by(self, pool: Option<Arc<Pool>>) -> Self {
        Self { validation: pool, ..self }
    }

    /// Follows the database until told to stop. Errors are logged, and it tries again.
    ///
    /// # Errors
    /// [`StoreError::UnsafeRole`]: no waiting makes that good.
    pub async fn run(mut self, stop: Stop) -> Result<(), StoreError> {
        self.cells.set_platform(translate::platform(self.followed.base_domain.as_str()));
        self.cells.freshness().follow();
        loop {
            let error = tokio::select! {
                () = stopped(stop.clone()) => return Ok(()),
                error = self.follow() => error,
            };
            self.cells.freshness().failed();
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

    async fn try_follow(&mut self) -> Result<std::convert::Infallible, StoreError> {
        let reader = match &self.reader {
            Some(reader) => reader.clone(),
            None => self.reader.insert(self.followed.connect().await?).clone(),
        };
        let cells = Arc::clone(&self.cells);
        // Before anything is read, so that no change falls between.
        let mut listener = change::listen(&reader).await?;
        if self.pending.is_none() {
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
                    () = cells.freshness().question() => self.catch_up(&reader).await?,
                    () = tokio::time::sleep(self.idle()) => self.catch_up(&reader).await?,
                }
            }
        }
    }

    /// Applies what the log has and what of it is due ([`pending`]).
    async fn catch_up(&mut self, reader: &Reader) -> Result<(), StoreError> {
        loop {
            let start = Instant::now();
            let begun = self.cells.freshness().begin();
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
                // Asked only for what may belong to such a site: they may be many.
                let of_sites = !named.buckets.is_empty() || !named.consumers.is_empty();
                let waiting = if of_sites { pending.sites_beside(&taken) } else { BTreeSet::new() };
                let changed = self.apply(&mut snapshot, &named, &waiting, seq).await?;
                self.applied(&taken, &named, changed, start);
            }
            self.tell();
            if taken.changes.is_empty() && !more {
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

    /// Says how far this is, to whom it concerns.
    fn tell(&mut self) {
        let Some(pending) = &self.pending else { return };
        let reached = pending.reached();
        if reached != self.reached {
            self.reached = reached;
            self.cells.reached(reached);
            gauge!(report::LAST_SEQ).set(reached as f64);
        }
        gauge!(report::WAITING).set(pending.len() as f64);
        if let Some((begun, _)) = self.asked.take_if(|(_, seq)| *seq <= reached) {
            self.cells.freshness().done(begun);
        }
    }

    /// How long there is nothing to do, unless there is news.
    fn idle(&self) -> Duration {
        let due_ms = self.pending.as_ref().and_then(Pending::due_ms);
        due_ms.map_or(POLL, |due_ms| {
            Duration::from_millis(due_ms.saturating_sub(self.now_ms())).min(POLL)
        })
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Reads again what has changed, and serves it. Returns how many resources are others now.
    /// Sites whose own changes wait may have been placed elsewhere, which counts for what belongs
    /// to them now. `seq` is the last change that is in what is read.
    async fn apply(
        &mut self,
        snapshot: &mut SnapshotTx,
        named: &Changes,
        waiting: &BTreeSet<SiteId>,
        seq: i64,
    ) -> Result<usize, StoreError> {
        if named.cells {
            self.cells.set_existing(desired::cells(snapshot).await?);
        }
        let mut changed = 0;
        for ids in named.sites.chunks(SITES_PER_STEP as usize) {
            let step = self.read_sites(snapshot, ids, seq).await?;
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
        let of_keys =
            step.buckets.iter().flat_map(|bucket| bucket.keys.iter().map(|record| record.site));
        let of_consumers = step
            .consumers
            .iter()
            .flat_map(|bucket| bucket.consumers.iter().map(|consumer| consumer.site));
        let moving: BTreeSet<_> =
            of_keys.chain(of_consumers).filter(|site| waiting.contains(site)).collect();
        if !moving.is_empty() {
            let moving: Vec<_> = moving.into_iter().collect();
            for (site, (_, cells)) in desired::placements(snapshot, &moving).await? {
                self.placed.put(site, cells);
            }
        }
        Ok(changed + self.publish(step))
    }
}

/// What a step consists of, each once.
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
