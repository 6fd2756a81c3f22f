//! The jobs of the running program end, one after the other: those that can be restarted are, and
//! the program stays ready; the others end the program with an error that names them.

mod program;

use std::collections::BTreeSet;

use program::{Deployment, Program};

/// The jobs that are restarted.
const RESTARTED: [&str; 12] = [
    "dns_saver",
    "dns_worker",
    "follower",
    "idle_watch",
    "jwks_saver",
    "jwks_worker",
    "metrics_upkeep",
    "recorder",
    "state_writer",
    "tls_watch",
    "usage_writer",
    "validation",
];

/// The jobs whose end is that of the program.
const ESSENTIAL: [&str; 2] = ["ads_server", "observe_server"];

/// The job that is done once PostgreSQL was read.
const DONE: &str = "stored_state";

#[tokio::test]
async fn every_job_is_supervised() {
    let deployment = Deployment::start().await;
    // An earlier run has left a state on the disk.
    let first = deployment.program().await;
    first.stored().await;
    assert!(first.stop().await.success());

    let program = deployment.program().await;
    let names: BTreeSet<_> = program.readyz().await.jobs.into_keys().collect();
    let known = RESTARTED.iter().chain(&ESSENTIAL).chain([&DONE]);
    assert_eq!(names, known.map(ToString::to_string).collect(), "add a new job to this test");
    program.phase_of(DONE, "done").await;

    for job in RESTARTED {
        program.inject(job, "panic");
        is_restarted(&program, job, 1).await;
    }
    assert!(program.log().contains("a fault was injected"));
    for job in RESTARTED {
        program.inject(job, "end");
    }
    for job in RESTARTED {
        is_restarted(&program, job, 2).await;
    }

    // All of them work again: a change arrives, and is stored.
    deployment.change().await;
    program.stored().await;
    assert!(program.stop().await.success(), "a signal ends it well\n{}", program.log());
    deployment.end().await;
}

#[tokio::test]
async fn the_end_of_an_essential_job_is_that_of_the_program() {
    let deployment = Deployment::start().await;
    for job in ESSENTIAL {
        for (fault, says) in [
            ("end", format!("the job `{job}` has ended, though it should run as long")),
            ("panic", format!("the job `{job}` has panicked: a fault was injected")),
        ] {
            let program = deployment.program().await;
            program.inject(job, fault);
            let status = program.ended().await;
            assert_eq!(status.code(), Some(1), "{job} {fault}\n{}", program.log());
            assert!(program.log().contains(&says), "{job} {fault}\n{}", program.log());
        }
    }
    deployment.end().await;
}

/// Waits until a job runs again, so many times restarted. The program is ready all the time, and
/// says meanwhile that the job does not run.
async fn is_restarted(program: &Program, job: &str, times: u64) {
    let status = program.phase_of(job, "running").await;
    if status.restarts < times {
        program.restarted(job, times).await;
    }
    let metrics = program.metrics().await;
    for (name, value) in [
        ("tenantry_job_running", 1),
        ("tenantry_job_restarts_total", times),
        ("tenantry_job_failures_total", times),
    ] {
        let line = format!("{name}{{job=\"{job}\"}} {value}");
        assert!(metrics.contains(&line), "no `{line}` in\n{metrics}");
    }
}
