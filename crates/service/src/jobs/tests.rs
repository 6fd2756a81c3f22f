use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};

use super::{FatalEnd, JobError, JobHandle, JobPhase, JobSpec, JobStatus, Jobs};

/// Successes are all dated 7 seconds after 1970, and delays are whole: no jitter.
fn jobs() -> Jobs {
    Jobs::new(|| SystemTime::UNIX_EPOCH + Duration::from_secs(7), || 1.0)
}

fn status(jobs: &Jobs, name: &str) -> JobStatus {
    jobs.snapshot().jobs.into_iter().find(|status| status.job == name).unwrap()
}

/// The times of a job's starts, in seconds since the test's start.
#[derive(Clone, Default)]
struct Starts(Arc<Mutex<Vec<u64>>>);

impl Starts {
    fn note(&self, begun: Instant) {
        self.0.lock().unwrap().push(begun.elapsed().as_secs());
    }

    fn seconds(&self) -> Vec<u64> {
        self.0.lock().unwrap().clone()
    }
}

/// Collects what is logged in this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// The lines that have all of these texts.
    fn lines_with(&self, texts: &[&str]) -> usize {
        let bytes = self.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().filter(|line| texts.iter().all(|text| line.contains(text))).count()
    }
}

#[expect(clippy::panic, reason = "the panic is the subject of the tests")]
fn fall() {
    panic!("on purpose");
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_noticed_named_and_followed_by_a_restart() {
    let (log, _guard) = Log::start();
    let jobs = jobs();
    let runs = Arc::new(AtomicU32::new(0));
    jobs.spawn(JobSpec::new("recorder"), {
        let runs = Arc::clone(&runs);
        move |job: JobHandle| {
            let first = runs.fetch_add(1, Ordering::Relaxed) == 0;
            async move {
                if first {
                    fall();
                }
                job.succeeded();
                std::future::pending::<()>().await;
            }
        }
    });
    sleep(Duration::from_millis(500)).await;
    let waiting = status(&jobs, "recorder");
    assert_eq!(waiting.phase, JobPhase::Restarting);
    assert_eq!((waiting.failures, waiting.restarts, waiting.last_success_at_ms), (1, 0, None));
    assert!(!jobs.snapshot().healthy);
    assert!(jobs.snapshot().is_ready(), "requests can do without it");
    assert_eq!(log.lines_with(&["the job has panicked", "on purpose", "\"job\":\"recorder\""]), 1);

    sleep(Duration::from_secs(1)).await;
    let running = status(&jobs, "recorder");
    assert_eq!(running.phase, JobPhase::Running);
    assert_eq!((running.failures, running.restarts), (1, 1));
    assert_eq!(running.last_success_at_ms, Some(7000));
    assert!(jobs.snapshot().healthy);
}

#[tokio::test(start_paused = true)]
async fn the_delay_grows_and_is_reset_after_a_long_run() {
    let jobs = jobs();
    let (begun, starts) = (Instant::now(), Starts::default());
    jobs.spawn(JobSpec::new("resolver"), {
        let starts = starts.clone();
        move |_| {
            starts.note(begun);
            // The fourth run is a long one.
            let run = if starts.seconds().len() == 4 { 60 } else { 0 };
            async move {
                sleep(Duration::from_secs(run)).await;
                Err::<(), _>(io::Error::other("no network"))
            }
        }
    });
    sleep(Duration::from_secs(72)).await;
    assert_eq!(starts.seconds(), [0, 1, 3, 7, 68, 70]);
    assert_eq!(status(&jobs, "resolver").failures, 6);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_returns_unasked_is_started_again() {
    let jobs = jobs();
    let starts = Starts::default();
    let begun = Instant::now();
    jobs.spawn(JobSpec::new("outbox"), {
        let starts = starts.clone();
        move |_| {
            starts.note(begun);
            async {}
        }
    });
    sleep(Duration::from_millis(3500)).await;
    assert_eq!(starts.seconds(), [0, 1, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_before_the_future_is_made_is_noticed_too() {
    let jobs = jobs();
    jobs.spawn_essential(JobSpec::new("ads"), |_| {
        fall();
        async {}
    });
    let fatal = jobs.fatal().await;
    assert_eq!(fatal.to_string(), "the job `ads` has panicked: on purpose");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_essential_job_is_fatal() {
    let jobs = jobs();
    jobs.spawn_essential(JobSpec::new("ads").serving(), |_| async {
        sleep(Duration::from_secs(3)).await;
    });
    tokio::task::yield_now().await;
    assert!(jobs.snapshot().is_ready());
    let fatal = jobs.fatal().await;
    assert!(matches!(fatal, FatalEnd::Returned { job: "ads" }), "{fatal:?}");
    assert_eq!(status(&jobs, "ads").phase, JobPhase::Failed);
    assert!(!jobs.snapshot().is_ready());
}

#[tokio::test(start_paused = true)]
async fn an_error_of_an_essential_job_is_the_source_of_the_fatal_end() {
    let jobs = jobs();
    jobs.spawn_essential(JobSpec::new("ads"), |_| async {
        Err::<(), _>(io::Error::other("the port is taken"))
    });
    let fatal = jobs.fatal().await;
    assert_eq!(fatal.to_string(), "the job `ads` cannot go on");
    let source = std::error::Error::source(&fatal).unwrap();
    assert_eq!(source.to_string(), "the port is taken");
}

#[tokio::test(start_paused = true)]
async fn a_restarting_job_can_give_up() {
    let jobs = jobs();
    let runs = Arc::new(AtomicU32::new(0));
    jobs.spawn(JobSpec::new("follower"), {
        let runs = Arc::clone(&runs);
        move |_| {
            let run = runs.fetch_add(1, Ordering::Relaxed);
            async move {
                if run == 0 {
                    Err(io::Error::other("away"))?;
                }
                Err::<(), _>(JobError::fatal("the role may do too much"))
            }
        }
    });
    let fatal = jobs.fatal().await;
    assert!(matches!(fatal, FatalEnd::Failed { job: "follower", .. }), "{fatal:?}");
    assert_eq!(runs.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn the_work_of_a_job_may_be_done() {
    let jobs = jobs();
    jobs.spawn_once(JobSpec::new("restore"), |_| async { Ok::<(), io::Error>(()) });
    sleep(Duration::from_secs(1)).await;
    assert_eq!(status(&jobs, "restore").phase, JobPhase::Done);
    assert!(jobs.snapshot().healthy);

    jobs.spawn_once(JobSpec::new("fails"), |_| async { Err::<(), _>(io::Error::other("torn")) });
    assert!(matches!(jobs.fatal().await, FatalEnd::Failed { job: "fails", .. }));
}

#[tokio::test(start_paused = true)]
async fn a_serving_job_makes_the_program_unready_while_it_waits() {
    let jobs = jobs();
    jobs.spawn(JobSpec::new("acks").serving(), |_| async {
        sleep(Duration::from_secs(5)).await;
        fall();
    });
    sleep(Duration::from_secs(1)).await;
    assert!(jobs.snapshot().is_ready());
    sleep(Duration::from_millis(4500)).await;
    assert!(!jobs.snapshot().is_ready());
    sleep(Duration::from_secs(1)).await;
    assert!(jobs.snapshot().is_ready());
}

#[tokio::test(start_paused = true)]
async fn on_stop_jobs_are_dropped_or_finish_and_the_late_one_is_named() {
    let (log, _guard) = Log::start();
    let jobs = jobs();
    let finished = Arc::new(AtomicU32::new(0));
    jobs.spawn(JobSpec::new("prune"), |_| std::future::pending::<()>());
    jobs.spawn(JobSpec::new("saver").graceful(), {
        let finished = Arc::clone(&finished);
        move |job| {
            let finished = Arc::clone(&finished);
            async move {
                job.stopped().await;
                sleep(Duration::from_secs(2)).await;
                finished.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    jobs.spawn_essential(JobSpec::new("stuck").graceful(), |_| std::future::pending::<()>());
    jobs.spawn(JobSpec::new("failing"), |_| async { Err::<(), _>(io::Error::other("no")) });
    sleep(Duration::from_secs(1)).await;
    let begun = Instant::now();
    assert_eq!(jobs.shut_down(Duration::from_secs(5)).await, ["stuck"]);
    assert_eq!(begun.elapsed().as_secs(), 5);
    assert_eq!(finished.load(Ordering::Relaxed), 1);
    for ended in ["prune", "saver", "failing"] {
        assert_eq!(status(&jobs, ended).phase, JobPhase::Done, "{ended}");
    }
    assert_eq!(log.lines_with(&["did not end in time", "\"job\":\"stuck\""]), 1);
    // The second time there is nobody to wait for.
    assert!(jobs.shut_down(Duration::from_secs(5)).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_last_clone_takes_the_jobs_with_it() {
    let first = jobs();
    let second = first.clone();
    let ended = Arc::new(AtomicU32::new(0));
    first.spawn_essential(JobSpec::new("ads").graceful(), {
        let ended = Arc::clone(&ended);
        |job| async move {
            job.stopped().await;
            ended.fetch_add(1, Ordering::Relaxed);
        }
    });
    drop(first);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(ended.load(Ordering::Relaxed), 0);
    drop(second);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(ended.load(Ordering::Relaxed), 1);
}

#[tokio::test]
#[should_panic(expected = "two jobs are called `prune`")]
async fn names_are_unique() {
    let jobs = jobs();
    jobs.spawn(JobSpec::new("prune"), |_| std::future::pending::<()>());
    jobs.spawn(JobSpec::new("prune"), |_| std::future::pending::<()>());
}

#[tokio::test(start_paused = true)]
async fn the_state_is_in_metrics_and_in_json() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _guard = metrics::set_default_local_recorder(&recorder);
    super::describe_metrics();
    let jobs = jobs();
    jobs.spawn(JobSpec::new("outbox"), |job| async move {
        job.note::<(), ()>(&Ok(()));
        job.note::<(), ()>(&Err(()));
        job.backlog(3);
        sleep(Duration::from_secs(2)).await;
    });
    sleep(Duration::from_secs(1)).await;
    let has = |line: &str| {
        let text = metrics.render();
        assert!(text.lines().any(|each| each == line), "{line} is not in\n{text}");
    };
    has("tenantry_job_running{job=\"outbox\"} 1");
    has("tenantry_job_last_success_timestamp_seconds{job=\"outbox\"} 7");
    has("tenantry_job_failures_total{job=\"outbox\"} 1");
    has("tenantry_job_restarts_total{job=\"outbox\"} 0");
    has("tenantry_job_backlog{job=\"outbox\"} 3");
    assert_eq!(
        serde_json::to_value(jobs.snapshot()).unwrap(),
        serde_json::json!({"healthy": true, "jobs": [{
            "job": "outbox", "phase": "running", "last_success_at_ms": 7000,
            "failures": 1, "restarts": 0, "backlog": 3,
        }]})
    );
    assert_eq!(
        jobs.snapshot().to_string(),
        "outbox running failures=1 restarts=0 last_success_at_ms=7000 backlog=3\n"
    );

    sleep(Duration::from_millis(1500)).await;
    has("tenantry_job_running{job=\"outbox\"} 0");
    has("tenantry_job_failures_total{job=\"outbox\"} 2");
    sleep(Duration::from_secs(1)).await;
    has("tenantry_job_running{job=\"outbox\"} 1");
    has("tenantry_job_restarts_total{job=\"outbox\"} 1");
}
