//! The task that reads the URLs that are due, and hands their sets on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::gauge;
use service::ambient;
use service::jobs::JobHandle;
use tokio::task::{Id, JoinSet};

use super::fetch::{FetchError, Fetched, Fetcher};
use super::keyring::Keyring;
use super::report;
use super::saver::{SavedSet, Saver};
use crate::cells::Cells;
use crate::schedule::{Bounds, Scheduler};

/// 16 tenants whose URLs all take the whole of the timeout hold up no other.
const BOUNDS: Bounds = Bounds {
    in_flight: 64,
    per_tenant: 4,
    first_delay: Duration::from_secs(1),
    last_delay: Duration::from_secs(5 * 60),
};

/// Reads the URLs that the keyring has users for.
#[derive(Debug)]
pub struct Worker {
    keyring: Arc<Keyring>,
    cells: Arc<Cells>,
    fetcher: Fetcher,
    saver: Arc<Saver>,
    scheduler: Scheduler,
    /// The scheduler's time is counted from here.
    epoch: Instant,
    under_way: JoinSet<Ended>,
    /// The URLs of the tasks that are under way.
    urls: HashMap<Id, Arc<str>>,
}

/// The end of a reading.
struct Ended {
    url: Arc<str>,
    took: Duration,
    outcome: Result<Fetched, FetchError>,
}

impl Worker {
    /// A worker that puts sets into the keyring and the cells, and gives them to the saver.
    pub fn new(
        keyring: Arc<Keyring>,
        cells: Arc<Cells>,
        fetcher: Fetcher,
        saver: Arc<Saver>,
    ) -> Self {
        Self {
            keyring,
            cells,
            fetcher,
            saver,
            scheduler: Scheduler::new(BOUNDS),
            epoch: Instant::now(),
            under_way: JoinSet::new(),
            urls: HashMap::new(),
        }
    }

    /// Works for ever. The first thing that it does is to ask for all URLs that are in use: a
    /// worker before it may have ended.
    pub async fn run(mut self, job: JobHandle) {
        self.keyring.demand_all();
        loop {
            self.take_demands();
            self.start();
            self.tell();
            let keyring = Arc::clone(&self.keyring);
            let wake =
                self.scheduler.wake_ms().map(|at_ms| self.epoch + Duration::from_millis(at_ms));
            tokio::select! {
                () = keyring.demanded() => {}
                () = until(wake) => {}
                Some(ended) = self.under_way.join_next_with_id() => match ended {
                    Ok((task, ended)) => {
                        self.urls.remove(&task);
                        self.ended(ended);
                        job.succeeded();
                    }
                    // It has panicked, and the log has the place. A reading does not panic; if it
                    // does, it counts as failed.
                    Err(panicked) => if let Some(url) = self.urls.remove(&panicked.id()) {
                        let now_ms = self.now_ms();
                        self.scheduler.failed(&url, now_ms, ambient::random());
                        job.failed();
                    },
                },
            }
        }
    }

    fn take_demands(&mut self) {
        let now_ms = self.now_ms();
        for demand in self.keyring.take_demands() {
            if demand.tenants.is_empty() {
                self.saver.add(&demand.url, SavedSet::Gone);
            }
            self.scheduler.want(&demand.url, demand.tenants, demand.known, now_ms);
        }
    }

    fn start(&mut self) {
        let now_ms = self.now_ms();
        while let Some(url) = self.scheduler.start(now_ms) {
            let fetcher = self.fetcher.clone();
            let kept = Arc::clone(&url);
            // Not a job: the task ends with its reading, or with the worker.
            let task = self.under_way.spawn(async move {
                let start = Instant::now();
                let outcome = fetcher.fetch(&url).await;
                Ended { url, took: start.elapsed(), outcome }
            });
            self.urls.insert(task.id(), kept);
        }
    }

    fn ended(&mut self, Ended { url, took, outcome }: Ended) {
        let now_ms = self.now_ms();
        let random = ambient::random();
        match outcome {
            Ok(Fetched { set, lifetime }) => {
                if self.scheduler.done(&url, lifetime, now_ms, random) {
                    let sites = self.keyring.put(&self.cells, &url, &set.text);
                    report::jwks_read(&url, took, &set, lifetime, sites);
                    self.saver.add(
                        &url,
                        SavedSet::Set { set: set.text, read_at: Instant::now(), lifetime },
                    );
                }
            }
            Err(error) => {
                self.scheduler.failed(&url, now_ms, random);
                report::jwks_failed(&url, took, &error, self.scheduler.failures(&url));
            }
        }
    }

    fn tell(&self) {
        gauge!(report::JWKS_URLS).set(self.scheduler.len() as f64);
        gauge!(report::JWKS_FAILING).set(self.scheduler.failing() as f64);
        gauge!(report::JWKS_MISSING).set(self.keyring.without_set() as f64);
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
