//! The task that writes the served state to disk. It follows the cells as a stream does, so that it
//! stores every change of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use metrics::{counter, gauge, histogram};
use policy::cell::CellName;
use service::jobs::JobHandle;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::task::{JoinError, spawn_blocking};
use tracing::{error, info};

use super::files::{Journal, StateDir, StateError};
use super::record::{Commit, Entry};
use super::report;
use super::restore::mark;
use crate::cells::Cells;
use crate::hub::{Hub, Notice};
use crate::resource::{Resource, ResourceType};
use crate::snapshot::Owner;

/// The time for which changes are gathered for one transaction. After a kill of this program, an
/// Envoy that starts for the first time may lack so much, as long as PostgreSQL is away.
const GATHER: Duration = Duration::from_millis(250);
/// A journal that is larger than this and than its base is replaced by a new base.
const MIN_COMPACTED_BYTES: u64 = 16 * 1024 * 1024;
/// The pause after an error of the disk, doubled with each that follows.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LAST_DELAY: Duration = Duration::from_secs(60);

/// Why a round of writing ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    State(#[from] StateError),
    #[error("the task that writes has ended")]
    Task(#[from] JoinError),
}

/// The next action after a look at the cells.
enum Next {
    /// To append this.
    Append(Vec<Stored>, Commit),
    /// To write everything anew: something was missed, or there are other cells.
    Begin,
}

/// A resource on its way to the disk; without content it is gone.
struct Stored {
    cell: CellName,
    kind: ResourceType,
    name: String,
    content: Option<(Owner, Arc<Resource>)>,
}

impl Stored {
    fn entry(&self) -> Entry<'_> {
        let content =
            self.content.as_ref().map(|(owner, resource)| (*owner, resource.body.value.as_slice()));
        Entry { cell: self.cell.as_str(), kind: self.kind, name: &self.name, content }
    }
}

/// Writes the served state to a directory.
#[derive(Debug)]
pub struct Writer {
    dir: Arc<StateDir>,
    cells: Arc<Cells>,
}

/// The cells that are followed.
struct FollowedCells {
    existing: BTreeSet<CellName>,
    notices: BTreeMap<CellName, Receiver<Notice>>,
    seq: i64,
}

impl Writer {
    /// A writer to this directory; one at a time.
    pub fn new(dir: Arc<StateDir>, cells: Arc<Cells>) -> Self {
        Self { dir, cells }
    }

    /// Writes until told to stop; changes up to then are written. It begins when everything was
    /// read from the database: the stored state is the last good one until then.
    pub async fn run(self, job: JobHandle) {
        tokio::select! {
            () = job.stopped() => return,
            () = self.cells.freshness().from_database() => {}
        }
        let mut delay = FIRST_DELAY;
        loop {
            let start = Instant::now();
            let Err(ended) = self.write(&job).await else { return };
            job.failed();
            counter!(report::STATE_ERRORS).increment(1);
            let cause = std::error::Error::source(&ended).map(ToString::to_string);
            error!(error = %ended, cause, "what is served cannot be stored; it is tried again");
            if start.elapsed() > LAST_DELAY {
                delay = FIRST_DELAY;
            }
            tokio::select! {
                () = job.stopped() => return,
                () = tokio::time::sleep(delay) => {}
            }
            delay = (delay * 2).min(LAST_DELAY);
        }
    }

    /// Writes until told to stop, or until something fails.
    async fn write(&self, job: &JobHandle) -> Result<(), Ended> {
        let (mut journal, mut followed) = self.begin().await?;
        loop {
            job.succeeded();
            let stopping = tokio::select! {
                () = job.stopped() => true,
                () = tokio::time::sleep(GATHER) => false,
            };
            let before = followed.seq;
            match self.look(&mut followed) {
                Next::Append(changed, commit) if changed.is_empty() && commit.seq == before => {}
                Next::Append(changed, commit) => {
                    let start = Instant::now();
                    journal = spawn_blocking(move || {
                        journal.append(changed.iter().map(Stored::entry), commit)?;
                        Ok::<_, StateError>(journal)
                    })
                    .await??;
                    histogram!(report::STATE_WRITE_DURATION).record(start.elapsed());
                    tell(&journal, commit);
                }
                Next::Begin => (journal, followed) = self.begin().await?,
            }
            if stopping {
                return Ok(());
            }
            if journal.len_bytes() > journal.base_len_bytes().max(MIN_COMPACTED_BYTES) {
                (journal, followed) = self.begin().await?;
            }
        }
    }

    /// Writes everything.
    async fn begin(&self) -> Result<(Journal, FollowedCells), Ended> {
        let start = Instant::now();
        let existing = self.cells.existing();
        let mut followed =
            FollowedCells { existing: existing.clone(), notices: BTreeMap::new(), seq: i64::MAX };
        let mut all = Vec::new();
        for (cell, hub) in self.hubs() {
            // Before its content is read, so that nothing falls between.
            followed.notices.insert(cell.clone(), hub.follow());
            let snapshot = hub.snapshot();
            followed.seq = followed.seq.min(snapshot.seq());
            let entries = snapshot.entries().filter(|(owner, _)| *owner != Owner::Platform);
            all.extend(entries.map(|(owner, named)| Stored {
                cell: cell.clone(),
                kind: named.kind,
                name: named.name,
                content: Some((owner, named.resource)),
            }));
        }
        if followed.notices.is_empty() {
            followed.seq = 0;
        }
        let (dir, commit) = (Arc::clone(&self.dir), commit(followed.seq));
        let resources = all.len();
        let journal = spawn_blocking(move || {
            let marks = existing.iter().map(|cell| mark(cell.as_str()));
            dir.begin(marks.chain(all.iter().map(Stored::entry)), commit)
        });
        let journal = journal.await??;
        let duration_ms = start.elapsed().as_secs_f64() * 1000.0;
        info!(
            seq = commit.seq,
            resources,
            bytes = journal.base_len_bytes(),
            duration_ms,
            "stored everything"
        );
        tell(&journal, commit);
        Ok((journal, followed))
    }

    /// The changes since the last look.
    fn look(&self, followed: &mut FollowedCells) -> Next {
        let hubs: BTreeMap<_, _> = self.hubs().collect();
        if self.cells.existing() != followed.existing || !hubs.keys().eq(followed.notices.keys()) {
            return Next::Begin;
        }
        let mut changed = Vec::new();
        let mut seq = i64::MAX;
        for (cell, notices) in &mut followed.notices {
            let Some(hub) = hubs.get(cell) else { return Next::Begin };
            let mut names = BTreeSet::new();
            let mut reached = followed.seq;
            loop {
                match notices.try_recv() {
                    Ok(Notice::Changed(changed)) => names.extend(changed.iter().cloned()),
                    Ok(Notice::Reached(seq)) => reached = reached.max(seq),
                    // Use of sites changes nothing of the served state.
                    Ok(Notice::Used(_)) => {}
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Lagged(_) | TryRecvError::Closed) => return Next::Begin,
                }
            }
            seq = seq.min(reached);
            let snapshot = hub.snapshot();
            for (kind, name) in names {
                let content = snapshot
                    .owned(kind, &name)
                    .map(|(owner, resource)| (owner, Arc::clone(resource)));
                if content.as_ref().is_none_or(|(owner, _)| *owner != Owner::Platform) {
                    changed.push(Stored { cell: cell.clone(), kind, name, content });
                }
            }
        }
        if !followed.notices.is_empty() {
            followed.seq = seq;
        }
        Next::Append(changed, commit(followed.seq))
    }

    /// The cells that the database knows, or that have tenants, without those that only an Envoy
    /// has named.
    fn hubs(&self) -> impl Iterator<Item = (CellName, Arc<Hub>)> {
        let existing = self.cells.existing();
        let inhabited = |hub: &Hub| hub.snapshot().owners().any(|owner| owner != Owner::Platform);
        self.cells
            .hubs()
            .into_iter()
            .filter(move |(cell, hub)| existing.contains(cell) || inhabited(hub))
    }
}

fn commit(seq: i64) -> Commit {
    let now = service::ambient::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Commit { seq, at_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX) }
}

fn tell(journal: &Journal, commit: Commit) {
    gauge!(report::STATE_SEQ).set(commit.seq as f64);
    gauge!(report::STATE_BYTES).set((journal.base_len_bytes() + journal.len_bytes()) as f64);
}
