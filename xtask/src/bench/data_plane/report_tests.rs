use super::{
    BARE, BARE_WITHOUT_LOG, CALLOUTS, Mode, OURS, OURS_ROUTES, OURS_SMALL, OURS_WITHOUT_LOG,
    Report, Sample, Series, median, spread,
};

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
    let report = Report::of(
        Vec::new(),
        vec![series(BARE, &[20.0, 30.0, 20.0]), series(OURS, &[29.0, 39.0, 30.0])],
    );
    let ours = &report.lines[1];
    assert_eq!((ours.total_us, ours.added_us, ours.added_us_spread), (30.0, 9.0, 1.0));
    assert_eq!((ours.total_us_min, ours.added_us_min), (29.0, 9.0));
    assert_eq!(report.verdicts.len(), 1);
    assert!(report.verdicts[0].met);
}

#[test]
fn every_bar_has_a_verdict() {
    let series = [
        (BARE, 20.0),
        (BARE_WITHOUT_LOG, 15.0),
        (OURS, 31.0),
        (OURS_SMALL, 30.0),
        (OURS_ROUTES, 25.0),
        (OURS_WITHOUT_LOG, 24.0),
        (CALLOUTS, 140.0),
    ];
    let report =
        Report::of(Vec::new(), series.map(|(id, total_us)| self::series(id, &[total_us])).into());
    let verdicts: Vec<(f64, bool)> =
        report.verdicts.iter().map(|verdict| (verdict.measured, verdict.met)).collect();
    let ratios =
        [(31.0 / 30.0, true), (11.0 / 10.0, true), (120.0 / 11.0, true), (120.0 / 5.0, true)];
    assert_eq!(verdicts, [&[(11.0, false), (9.0, true)][..], &ratios].concat());
}

#[test]
fn medians_and_spreads() {
    assert_eq!(
        (median(vec![3.0, 1.0, 2.0]), median(vec![4.0, 1.0, 2.0, 3.0]), median(Vec::new())),
        (2.0, 2.5, 0.0)
    );
    assert_eq!((spread(&[3.0, 1.0, 2.0]), spread(&[])), (2.0, 0.0));
}
