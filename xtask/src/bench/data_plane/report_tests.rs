use super::{BARE, CALLOUTS, Mode, OURS, OURS_SMALL, Report, Sample, Series, median, spread};

fn series(id: &'static str, totals_us: &[f64]) -> Series {
    let sample = |total_us: &f64| Sample {
        envoy_us: total_us - 1.0,
        others_us: 1.0,
        upstream_us: 5.0,
        requests_per_second: 1_000.0,
        p50_ms: 1.0,
        p99_ms: 2.0,
    };
    Series {
        id,
        title: id.to_owned(),
        mode: Mode::Direct,
        concurrency: 1,
        rounds: totals_us.iter().map(sample).collect(),
    }
}

#[test]
fn what_is_added_is_compared_round_by_round() {
    // The machine was slower in the second round, and for both alike.
    let report = Report::of(Vec::new(), vec![series(BARE, &[20.0, 30.0, 20.0]), series(OURS, &[29.0, 39.0, 30.0])]);
    let ours = &report.lines[1];
    assert_eq!((ours.total_us, ours.added_us, ours.added_us_spread), (30.0, 9.0, 1.0));
    assert_eq!((ours.total_us_min, ours.added_us_min), (29.0, 9.0));
    assert_eq!(report.verdicts.len(), 1);
    assert!(report.verdicts[0].met);
}

#[test]
fn every_bar_has_a_verdict() {
    let series =
        vec![series(BARE, &[20.0]), series(OURS, &[31.0]), series(OURS_SMALL, &[30.0]), series(CALLOUTS, &[140.0])];
    let report = Report::of(Vec::new(), series);
    let verdicts: Vec<bool> = report.verdicts.iter().map(|verdict| verdict.met).collect();
    // 11 us; 31/30 and 11/10; 120/11.
    assert_eq!(verdicts, [false, true, true, true]);
}

#[test]
fn medians_and_spreads() {
    assert_eq!((median(vec![3.0, 1.0, 2.0]), median(vec![4.0, 1.0, 2.0, 3.0]), median(Vec::new())), (2.0, 2.5, 0.0));
    assert_eq!((spread(&[3.0, 1.0, 2.0]), spread(&[])), (2.0, 0.0));
}
