//! The Envoys that validate the served state, beside the way that changes take: nothing waits for
//! them.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use policy::id::{SiteId, TenantId};
use service::jobs::JobHandle;
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinError, JoinSet};

use super::queue::Queue;
use super::report;
use super::run::{Envoy, ValidateError};
use super::verdict::Verdict;
use crate::cells::Cells;
use crate::resource::Named;
use crate::snapshot::Owner;

/// The number of sites that one Envoy looks at. A run takes some hundred milliseconds, for any
/// number of resources.
const AT_ONCE: usize = 64;
/// The pause after an Envoy could not be run.
const PAUSE: Duration = Duration::from_secs(5);
/// The number of verdicts that may wait to be taken.
const VERDICTS: usize = 16;

/// The sites that Envoys are to look at.
#[derive(Debug, Default)]
pub struct Pool {
    queue: Mutex<Queue>,
    wake: Notify,
}

impl Pool {
    /// Has an Envoy look at a site, some time soon, as it is then.
    pub fn want(&self, tenant: TenantId, site: SiteId) {
        let mut queue = self.lock();
        queue.push(tenant, site);
        report::validations_waiting(queue.len());
        drop(queue);
        self.wake.notify_one();
    }

    /// Validates, with as many Envoys at once, for ever, and hands each refusal to `take`. Envoys
    /// that run when it is dropped are killed.
    ///
    /// # Errors
    /// The task of an Envoy has panicked. The sites that it looked at are looked at again when
    /// they change again.
    pub async fn run(
        self: Arc<Self>,
        envoy: Envoy,
        cells: Arc<Cells>,
        workers: NonZeroUsize,
        take: impl Fn(&Verdict),
        job: JobHandle,
    ) -> Result<(), JoinError> {
        let (verdicts, mut found) = mpsc::channel(VERDICTS);
        // A part of this job: the tasks are aborted when it ends.
        let mut tasks = JoinSet::new();
        for _ in 0..workers.get() {
            let worker = Worker {
                pool: Arc::clone(&self),
                envoy: envoy.clone(),
                cells: Arc::clone(&cells),
                verdicts: verdicts.clone(),
                job: job.clone(),
            };
            tasks.spawn(async move { worker.work().await });
        }
        loop {
            tokio::select! {
                Some(verdict) = found.recv() => take(&verdict),
                Some(ended) = tasks.join_next() => ended?,
            }
        }
    }

    async fn take(&self) -> Vec<(TenantId, SiteId)> {
        loop {
            {
                let mut queue = self.lock();
                let taken = queue.take(AT_ONCE);
                report::validations_waiting(queue.len());
                if queue.len() > 0 {
                    // For another worker: a notification is for one of them.
                    self.wake.notify_one();
                }
                if !taken.is_empty() {
                    return taken;
                }
            }
            self.wake.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A site as it is served.
struct Served {
    tenant: TenantId,
    site: SiteId,
    group: Vec<Named>,
}

struct Worker {
    pool: Arc<Pool>,
    envoy: Envoy,
    cells: Arc<Cells>,
    verdicts: mpsc::Sender<Verdict>,
    job: JobHandle,
}

impl Worker {
    async fn work(&self) {
        loop {
            let sites = self.pool.take().await;
            let served = sites.into_iter().map(|(tenant, site)| {
                let group = self.cells.group(Owner::Site(site));
                Served { tenant, site, group }
            });
            self.look(served.filter(|served| !served.group.is_empty()).collect()).await;
            self.job.backlog(self.pool.lock().len());
        }
    }

    /// Looks at all of them together, and at halves of a refused group, until it is one site.
    async fn look(&self, served: Vec<Served>) {
        let mut parts = vec![served];
        while let Some(mut part) = parts.pop() {
            let resources = part.iter().flat_map(|served| &served.group);
            let outcome =
                self.envoy.validate(resources.map(|named| (named.kind, &*named.resource))).await;
            report::validated(&outcome, part.len());
            match outcome {
                Ok(()) | Err(ValidateError::Refused { .. } | ValidateError::Crashed { .. }) => {
                    self.job.succeeded();
                }
                Err(_) => self.job.failed(),
            }
            match outcome {
                Ok(()) => {}
                Err(ValidateError::Run(_)) => {
                    tokio::time::sleep(PAUSE).await;
                    part.iter().for_each(|served| self.pool.want(served.tenant, served.site));
                }
                Err(_) if part.len() > 1 => {
                    let half = part.split_off(part.len() / 2);
                    parts.extend([half, part]);
                }
                // It is looked at when it changes again: another try now would keep others waiting.
                Err(ValidateError::Timeout) => {}
                Err(error) => self.tell(part, &error).await,
            }
        }
    }

    async fn tell(&self, part: Vec<Served>, error: &ValidateError) {
        for Served { site, group, .. } in part {
            let verdict = Verdict { site, group, reason: error.to_string() };
            // The verdict has no receiver when the program ends.
            let _ = self.verdicts.send(verdict).await;
        }
    }
}
