//! The task that resolves the names that are due, and hands their addresses on.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use service::ambient;
use service::jobs::JobHandle;
use tokio::task::{Id, JoinSet};

use super::book::Book;
use super::report;
use super::resolve::{PermittedAddresses, Resolve};
use super::saver::{SavedAddresses, Saver};
use crate::cells::Cells;
use crate::schedule::{Bounds, Scheduler};

/// 64 tenants whose names take as long as the resolver has patience hold up no other. Each takes a
/// thread meanwhile, of the 512 that the runtime has for such things.
const BOUNDS: Bounds = Bounds {
    in_flight: 128,
    per_tenant: 2,
    first_delay: Duration::from_secs(1),
    last_delay: Duration::from_secs(60),
};
/// The time for which an answer is good while there are few names: twice Envoy's own default.
const FRESH: Duration = Duration::from_secs(10);
/// The most resolutions a second that refresh known names, over all names.
const PER_SECOND: u32 = 200;
/// The time between two updates of the metrics.
const TELL: Duration = Duration::from_secs(1);

/// The time for which an answer is good when there are so many names: 10 s, and from 2,000 names on
/// so long that no more than 200 a second are resolved again. The lifetime in a name's records is
/// ignored: it may be a day, or nothing at all.
pub fn pace(names: usize) -> Duration {
    let names = u32::try_from(names).unwrap_or(u32::MAX);
    FRESH.max(Duration::from_secs(1).saturating_mul(names) / PER_SECOND)
}

/// Resolves the names that the book has users for.
pub struct Worker {
    book: Arc<Book>,
    cells: Arc<Cells>,
    resolver: Arc<dyn Resolve>,
    saver: Arc<Saver>,
    scheduler: Scheduler,
    /// The last complaint about each name in the log, as long as something is wrong with it.
    complaints: BTreeMap<Arc<str>, String>,
    /// The scheduler's time is counted from here.
    epoch: Instant,
    under_way: JoinSet<(Arc<str>, io::Result<Vec<IpAddr>>)>,
    /// The names of the tasks that are under way.
    names: HashMap<Id, Arc<str>>,
}

impl Worker {
    /// A worker that puts addresses into the book and the cells, and gives them to the saver.
    pub fn new(
        book: Arc<Book>,
        cells: Arc<Cells>,
        resolver: Arc<dyn Resolve>,
        saver: Arc<Saver>,
    ) -> Self {
        Self {
            book,
            cells,
            resolver,
            saver,
            scheduler: Scheduler::new(BOUNDS),
            complaints: BTreeMap::new(),
            epoch: Instant::now(),
            under_way: JoinSet::new(),
            names: HashMap::new(),
        }
    }

    /// Works for ever. The first thing that it does is to ask for all names that are in use: a
    /// worker before it may have ended.
    pub async fn run(mut self, job: JobHandle) {
        self.book.demand_all();
        let mut tell = tokio::time::interval(TELL);
        loop {
            self.take_demands();
            self.start();
            let book = Arc::clone(&self.book);
            let wake =
                self.scheduler.wake_ms().map(|at_ms| self.epoch + Duration::from_millis(at_ms));
            tokio::select! {
                () = book.demanded() => {}
                () = until(wake) => {}
                _ = tell.tick() => report::dns_names(self.book.counts()),
                Some(ended) = self.under_way.join_next_with_id() => match ended {
                    Ok((task, (name, outcome))) => {
                        self.names.remove(&task);
                        self.ended(&name, outcome);
                        job.succeeded();
                    }
                    // It has panicked, and the log has the place. A resolution does not panic; if
                    // it does, it counts as failed.
                    Err(panicked) => if let Some(name) = self.names.remove(&panicked.id()) {
                        self.ended(&name, Err(io::ErrorKind::Other.into()));
                        job.failed();
                    },
                },
            }
        }
    }

    fn take_demands(&mut self) {
        let now_ms = self.now_ms();
        for demand in self.book.take_demands() {
            if demand.tenants.is_empty() {
                self.saver.add(&demand.name, SavedAddresses(None));
                self.complaints.remove(&demand.name);
            }
            self.scheduler.want(&demand.name, demand.tenants, None, now_ms);
        }
    }

    fn start(&mut self) {
        let now_ms = self.now_ms();
        while let Some(name) = self.scheduler.start(now_ms) {
            let resolution = self.resolver.resolve(Arc::clone(&name));
            let kept = Arc::clone(&name);
            // Not a job: the task ends with its resolution, or with the worker.
            let task = self.under_way.spawn(async move { (name, resolution.await) });
            self.names.insert(task.id(), kept);
        }
    }

    fn ended(&mut self, name: &Arc<str>, outcome: io::Result<Vec<IpAddr>>) {
        let now_ms = self.now_ms();
        let complaint = match outcome {
            Ok(found) => {
                let lifetime = pace(self.scheduler.len());
                if !self.scheduler.done(name, lifetime, now_ms, ambient::random()) {
                    return;
                }
                let PermittedAddresses { addresses, refusal } =
                    PermittedAddresses::of(found, self.book.rules());
                report::dns_resolved(refusal.is_some());
                if self.book.put(&self.cells, name, Some(addresses.clone())) {
                    self.saver.add(name, SavedAddresses(Some(addresses)));
                }
                refusal.map(|refusal| refusal.to_string())
            }
            Err(error) => {
                self.scheduler.failed(name, now_ms, ambient::random());
                report::dns_failed();
                self.book.put(&self.cells, name, None);
                Some(error.to_string())
            }
        };
        self.complain(name, complaint);
    }

    /// Logs once that something is wrong with a name: a fault that lasts for days is seen in the
    /// metrics.
    fn complain(&mut self, name: &Arc<str>, complaint: Option<String>) {
        match complaint {
            None => {
                self.complaints.remove(name);
            }
            Some(complaint) => {
                if self.complaints.get(name) != Some(&complaint) {
                    report::dns_complaint(name, &complaint);
                    self.complaints.insert(Arc::clone(name), complaint);
                }
            }
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Waits until then; for ever if there is no such time.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_names_there_are_the_longer_their_addresses_are_good() {
        assert_eq!([0, 1, 2_000, 20_000].map(pace), [10, 10, 10, 100].map(Duration::from_secs));
    }
}
