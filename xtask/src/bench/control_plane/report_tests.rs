use super::super::edit::{Kind, Measured};
use super::*;

fn run(sites: usize, keys: usize, latency_ms: f64, cpu_us: f64) -> Run {
    let memory =
        Memory { xds_server_mb: 500.0, xds_server_peak_mb: 900.0, envoy_mb: vec![300.0, 700.0] };
    let cold_start = ColdStart {
        xds_server_ready_s: 5.0,
        envoy_serving_s: vec![6.0, 16.0],
        memory: memory.clone(),
    };
    let measured =
        [Measured { kind: Kind::KeyRevoked, after_ms: vec![1.0, latency_ms], failures: 1 }];
    let editing =
        Cost { seconds: 1.0, xds_server_cpu_us: cpu_us, envoy_main_cpu_us: 0.0, sent_bytes: 100.0 };
    let costs = [Cost { seconds: 1.0, ..Cost::default() }, editing];
    Run::of(Scale { sites, keys }, 100, cold_start, [memory.clone(), memory], costs, &measured)
        .unwrap()
}

#[test]
fn an_edit_counts_until_the_last_envoy_obeys() {
    let run = run(100, 100, 7.0, 10.0);
    assert_eq!((run.everywhere.max_ms, run.failures, run.by_kind.len()), (7.0, 1, 1));
}

#[test]
fn bars_are_about_their_own_sizes_alone() {
    let of = |runs: &[Run]| {
        verdicts(runs)
            .into_iter()
            .map(|verdict| (verdict.measured, verdict.met))
            .collect::<Vec<_>>()
    };
    assert!(of(&[run(100, 10_000, 1.0, 10.0)]).is_empty());
    assert_eq!(of(&[run(10_000, 10, 60.0, 10.0)]), [(60.0, false)]);
    let both = [run(100, 10_000, 1.0, 10.0), run(10_000, 1_000_000, 50.0, 16.0)];
    let expected =
        [(50.0, true), (16.0, false), (900.0, true), (700.0, false), (1.6, false), (1.0, true)];
    assert_eq!(of(&both), expected);
}
