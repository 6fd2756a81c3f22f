//! The background jobs of both programs: each is ended in turn, and the program says so.
//!
//! The programs of a test run are built with `fault-injection` ([`service::jobs::faults`]), because
//! this crate asks for it; those that ship are built without.

use std::collections::BTreeMap;
use std::path::Path;

use service::jobs::faults::{PANIC, VARIABLE};
use stack::Stack;
use stack::build;
use stack::service::Service;
use tempfile::TempDir;
use tenantry_tests::{eventually, finish};

/// The jobs that run, by the program's own metrics, with the number of restarts of each.
async fn running(url: &str) -> BTreeMap<String, u64> {
    let text = get(&format!("{url}/metrics")).await;
    let of = |metric: &str| -> BTreeMap<String, u64> {
        let prefix = format!("{metric}{{job=\"");
        let values = text.lines().filter_map(|line| line.strip_prefix(&prefix)?.split_once("\"} "));
        values.map(|(job, value)| (job.to_owned(), value.parse().expect("a number"))).collect()
    };
    let restarts = of("tenantry_job_restarts_total");
    let running = of("tenantry_job_running").into_iter().filter(|(_, runs)| *runs == 1);
    running.map(|(job, _)| (job.clone(), restarts[&job])).collect()
}

/// The body of an answer, whatever its status; empty if there is none.
async fn get(url: &str) -> String {
    match reqwest::get(url).await {
        Ok(answer) => answer.text().await.unwrap_or_default(),
        Err(_) => String::new(),
    }
}

/// The lines of a log that have all of these texts.
fn lines(log: &Path, texts: &[&str]) -> usize {
    let log = std::fs::read_to_string(log).expect("a log");
    log.lines().filter(|line| texts.iter().all(|text| line.contains(text))).count()
}

/// Ends each job of a program in turn, by a panic and by a return. A job that can is started again,
/// and the program says so; without another the program ends, with the job's name.
async fn end_each_job(program: &mut Service, url: &str, faults: &TempDir) -> [Vec<String>; 2] {
    let (mut restarted, mut fatal) = (Vec::new(), Vec::new());
    let all = eventually("jobs run", || running(url), |jobs| !jobs.is_empty()).await;
    for job in all.keys() {
        let named = format!("\"job\":\"{job}\"");
        for fault in ["panic", "end"] {
            let log = program.launch.log.clone();
            let line = match fault {
                "panic" => "the job has panicked; it is started again",
                _ => "the job has ended unasked; it is started again",
            };
            let said = lines(&log, &[line, &named]);
            let before = running(url).await[job];
            let file = faults.path().join(format!("{job}.{fault}"));
            std::fs::write(&file, "").expect("a fault");
            eventually(&format!("{job} has its {fault}"), || async { file.exists() }, |is| !is)
                .await;
            let after =
                || async { (program.exited().is_some(), running(url).await.get(job).copied()) };
            let (ended, _) = eventually(
                &format!("{job} is started again, or the program ends"),
                after,
                |(ended, restarts)| *ended || *restarts == Some(before + 1),
            )
            .await;
            if !ended {
                assert_eq!(lines(&log, &[line, &named]), said + 1, "{job}: {line}");
                restarted.push(format!("{job}.{fault}"));
                continue;
            }
            let status = program.exited().expect("an end");
            assert_eq!(status.code(), Some(1), "{job}: {status}");
            let how = match fault {
                "panic" => format!("the job `{job}` has panicked: {PANIC}"),
                _ => format!("the job `{job}` has ended, though"),
            };
            assert!(lines(&log, &[&how]) > 0, "{how} is not in {}", log.display());
            fatal.push(format!("{job}.{fault}"));
            program.start().await.unwrap_or_else(|error| panic!("{error:?}"));
            eventually("jobs run", || running(url), |jobs| jobs.contains_key(job)).await;
        }
    }
    [restarted, fatal]
}

#[tokio::test]
async fn each_job_of_admin_is_noticed_when_it_ends() {
    let faults = tempfile::tempdir().expect("a folder");
    let mut stack = Stack::builder("jobs-admin")
        .envoys(0)
        .without_xds_and_envoys()
        .admin_env(VARIABLE, &faults.path().to_string_lossy())
        .start()
        .await
        .unwrap_or_else(|error| panic!("{error:?}"));
    let url = stack.api.base().to_owned();
    let [restarted, fatal] = end_each_job(&mut stack.admin, &url, &faults).await;
    eprintln!("restarted: {restarted:?}\nfatal: {fatal:?}");
    assert!(!restarted.is_empty(), "admin has jobs that restart");
    finish(stack).await;
}

#[tokio::test]
async fn each_job_of_xds_server_is_noticed_when_it_ends() {
    let faults = tempfile::tempdir().expect("a folder");
    let mut stack = Stack::builder("jobs-xds")
        .envoys(0)
        .without_xds_and_envoys()
        .state_on_disk()
        .xds_env(VARIABLE, &faults.path().to_string_lossy())
        .start()
        .await
        .unwrap_or_else(|error| panic!("{error:?}"));
    stack.xds.start().await.unwrap_or_else(|error| panic!("{error:?}"));
    let url = format!("http://{}", stack.xds_http);
    let [restarted, fatal] = end_each_job(&mut stack.xds, &url, &faults).await;
    eprintln!("restarted: {restarted:?}\nfatal: {fatal:?}");
    assert!(!restarted.is_empty(), "xds-server has jobs that restart");
    assert!(!fatal.is_empty(), "xds-server has jobs that it cannot do without");
    finish(stack).await;
}

#[tokio::test]
async fn readiness_names_a_job_that_waits_for_its_restart() {
    let [of_admin, of_xds] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let mut stack = Stack::builder("jobs-ready")
        .envoys(0)
        .without_xds_and_envoys()
        .admin_env(VARIABLE, &of_admin.path().to_string_lossy())
        .xds_env(VARIABLE, &of_xds.path().to_string_lossy())
        .start()
        .await
        .unwrap_or_else(|error| panic!("{error:?}"));
    stack.xds.start().await.unwrap_or_else(|error| panic!("{error:?}"));
    let programs =
        [(stack.api.base().to_owned(), &of_admin), (format!("http://{}", stack.xds_http), &of_xds)];
    for (url, faults) in programs {
        let job = "metrics_upkeep";
        let readyz = format!("{url}/readyz");
        let ready = || get(&readyz);
        let at_first = ready().await;
        assert!(at_first.contains(job) && !at_first.contains("restarting"), "{at_first}");
        std::fs::write(faults.path().join(format!("{job}.panic")), "").expect("a fault");
        eventually("the restart is shown", ready, |body: &String| body.contains("restarting"))
            .await;
        eventually("the job runs again", ready, |body: &String| !body.contains("restarting")).await;
    }
    finish(stack).await;
}

#[test]
fn programs_that_ship_are_built_without_faults() {
    // As the release is built (`stack::build::Profile::Release`): by package.
    let output = build::cargo()
        .args(["tree", "--locked", "--package", "admin", "--package", "xds-server"])
        .args(["--edges", "normal,features", "--prefix", "none"])
        .output()
        .expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8_lossy(&output.stdout);
    assert!(tree.contains("tenantry-service"), "{tree}");
    assert!(!tree.contains("fault-injection"), "a feature of tests is in the programs");
}
