//! The figures: a table for people, JSON for programs, and whether the bars are met.

use serde::Serialize;

use super::measure::{MODES, Mode, Sample, Series};

/// The full path adds at most this to a request, in microseconds of CPU time.
const MOST_ADDED_US: f64 = 10.0;
/// With a million keys it costs at most this times what it costs with a hundred.
const MOST_GROWTH: f64 = 1.15;
/// Call-outs add at least this many times the time that the filter adds.
const LEAST_ADVANTAGE: f64 = 10.0;

pub(super) const BARE: &str = "bare";
pub(super) const OURS: &str = "ours";
pub(super) const OURS_SMALL: &str = "ours_small";
/// The routes of the sites of [`OURS_SMALL`], without the filter.
pub(super) const OURS_ROUTES: &str = "ours_routes";
pub(super) const BARE_WITHOUT_LOG: &str = "bare_without_log";
/// [`OURS_SMALL`] without an access log.
pub(super) const OURS_WITHOUT_LOG: &str = "ours_without_log";
/// The calls of Envoy that ours makes, and nothing else.
pub(super) const CALLS: &str = "calls";
pub(super) const CALLOUTS: &str = "ext_authz_ratelimit";

/// A line of the table.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    id: &'static str,
    title: String,
    mode: Mode,
    concurrency: u32,
    /// Medians over the rounds; the spread is from the smallest to the largest. What else goes on
    /// at the machine only ever adds, so that the smallest is nearest to the truth.
    total_us: f64,
    total_us_min: f64,
    total_us_spread: f64,
    envoy_us: f64,
    others_us: f64,
    upstream_us: f64,
    /// Over the bare variant of the same round.
    added_us: f64,
    /// The smallest total over the smallest of the bare variant.
    added_us_min: f64,
    added_us_spread: f64,
    requests_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// The result of one bar.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    bar: String,
    mode: Mode,
    concurrency: u32,
    measured: f64,
    met: bool,
}

/// All that a run has found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) what: Vec<String>,
    pub(super) lines: Vec<Line>,
    pub(super) verdicts: Vec<Verdict>,
    pub(super) series: Vec<Series>,
}

impl Report {
    pub(super) fn of(what: Vec<String>, series: Vec<Series>) -> Self {
        let lines: Vec<Line> = series.iter().map(|one| line(one, bare_of(one, &series))).collect();
        let ways = MODES.iter().flat_map(|mode| [1, 2].map(|concurrency| (*mode, concurrency)));
        let verdicts =
            ways.flat_map(|(mode, concurrency)| bars(&series, mode, concurrency)).collect();
        Self { what, lines, verdicts, series }
    }

    pub(super) fn print(&self) {
        for line in &self.what {
            println!("{line}");
        }
        for (mode, concurrency) in
            MODES.iter().flat_map(|mode| [1, 2].map(|concurrency| (*mode, concurrency)))
        {
            let of = |line: &&Line| (line.mode, line.concurrency) == (mode, concurrency);
            if !self.lines.iter().any(|line| of(&line)) {
                continue;
            }
            let how =
                if mode == Mode::Direct { "Envoy answers itself" } else { "an upstream answers" };
            println!("\n{how}, --concurrency {concurrency}; CPU time in us a request");
            println!(
                "{:<64} {:>13} {:>6} {:>13} {:>6} {:>7} {:>8} {:>8} {:>8} {:>8}",
                "",
                "CPU, median",
                "least",
                "over bare",
                "least",
                "others",
                "upstream",
                "req/s",
                "p50 ms",
                "p99 ms"
            );
            self.lines.iter().filter(of).for_each(Line::print);
        }
        println!();
        for verdict in &self.verdicts {
            let met = if verdict.met { "met    " } else { "NOT MET" };
            println!(
                "{met} {} = {:.2} ({:?}, {} worker(s))",
                verdict.bar, verdict.measured, verdict.mode, verdict.concurrency
            );
        }
    }
}

impl Line {
    fn print(&self) {
        println!(
            "{:<64} {:>6.1} ±{:>5.1} {:>6.1} {:>6.1} ±{:>5.1} {:>6.1} {:>7.1} {:>8.1} {:>8.0} \
             {:>8.2} {:>8.2}",
            self.title,
            self.total_us,
            self.total_us_spread / 2.0,
            self.total_us_min,
            self.added_us,
            self.added_us_spread / 2.0,
            self.added_us_min,
            self.others_us,
            self.upstream_us,
            self.requests_per_second,
            self.p50_ms,
            self.p99_ms
        );
    }
}

fn bare_of<'a>(one: &Series, all: &'a [Series]) -> Option<&'a Series> {
    all.iter().find(|other| {
        (other.id, other.mode, other.concurrency) == (BARE, one.mode, one.concurrency)
    })
}

fn line(series: &Series, bare: Option<&Series>) -> Line {
    let median_of = |value: fn(&Sample) -> f64| median(series.rounds.iter().map(value).collect());
    let totals: Vec<f64> = series.rounds.iter().map(Sample::total_us).collect();
    let added = bare.map(|bare| added(series, bare)).unwrap_or_default();
    let bare_totals: Vec<f64> =
        bare.iter().flat_map(|bare| &bare.rounds).map(Sample::total_us).collect();
    Line {
        id: series.id,
        title: series.title.clone(),
        mode: series.mode,
        concurrency: series.concurrency,
        total_us_min: least(&totals),
        added_us_min: if bare.is_none() { 0.0 } else { least(&totals) - least(&bare_totals) },
        total_us_spread: spread(&totals),
        total_us: median(totals),
        envoy_us: median_of(|sample| sample.envoy_us),
        others_us: median_of(|sample| sample.others_us),
        upstream_us: median_of(|sample| sample.upstream_us),
        added_us_spread: spread(&added),
        added_us: median(added),
        requests_per_second: median_of(|sample| sample.requests_per_second),
        p50_ms: median_of(|sample| sample.p50_ms),
        p99_ms: median_of(|sample| sample.p99_ms),
    }
}

/// Microseconds that one variant takes more than another of the same rounds: both have met with the
/// same of the machine's other work.
fn added(one: &Series, base: &Series) -> Vec<f64> {
    one.rounds
        .iter()
        .zip(&base.rounds)
        .map(|(one, base)| one.total_us() - base.total_us())
        .collect()
}

/// The bars, as far as there are the variants that they are about.
fn bars(all: &[Series], mode: Mode, concurrency: u32) -> Vec<Verdict> {
    let find =
        |id| all.iter().find(|one| (one.id, one.mode, one.concurrency) == (id, mode, concurrency));
    let more = |one, base| find(one).zip(find(base)).map(|(one, base)| median(added(one, base)));
    let total = |id| find(id).map(|one| median(one.rounds.iter().map(Sample::total_us).collect()));
    let times =
        |one: Option<f64>, other: Option<f64>| one.zip(other).map(|(one, other)| one / other);
    let (ours, callouts) = (more(OURS, BARE), more(CALLOUTS, BARE));
    let at_most =
        |bar: String, most: f64, measured: Option<f64>| (bar, measured, measured <= Some(most));
    let at_least =
        |bar: String, least: f64, measured: Option<f64>| (bar, measured, measured >= Some(least));
    let growth =
        |of: &str| format!("all the keys cost at most {MOST_GROWTH} times 100 keys, by {of}");
    let advantage = format!("ext_authz and ratelimit add at least {LEAST_ADVANTAGE} times as much");
    let adds = format!("the full path adds at most {MOST_ADDED_US} us to bare");
    let verdicts = [
        at_most(adds.clone(), MOST_ADDED_US, ours),
        at_most(
            format!("{adds}, no access log"),
            MOST_ADDED_US,
            more(OURS_WITHOUT_LOG, BARE_WITHOUT_LOG),
        ),
        at_most(growth("what it takes"), MOST_GROWTH, times(total(OURS), total(OURS_SMALL))),
        at_most(growth("what it adds"), MOST_GROWTH, times(ours, more(OURS_SMALL, BARE))),
        at_least(advantage.clone(), LEAST_ADVANTAGE, times(callouts, ours)),
        at_least(
            format!("{advantage}, each over its own routes"),
            LEAST_ADVANTAGE,
            times(callouts, more(OURS_SMALL, OURS_ROUTES)),
        ),
    ];
    let measured = |(bar, measured, met): (String, Option<f64>, bool)| {
        measured.map(|measured| Verdict { bar, mode, concurrency, measured, met })
    };
    verdicts.into_iter().filter_map(measured).collect()
}

/// Zero for no figures: then there was nothing to compare with.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match (figures.get(middle), figures.len() % 2) {
        (Some(upper), 0) => figures.get(middle - 1).map_or(*upper, |lower| (lower + upper) / 2.0),
        (middle, _) => middle.copied().unwrap_or_default(),
    }
}

fn least(figures: &[f64]) -> f64 {
    figures.iter().copied().reduce(f64::min).unwrap_or_default()
}

fn spread(figures: &[f64]) -> f64 {
    let largest = figures.iter().copied().reduce(f64::max);
    let smallest = figures.iter().copied().reduce(f64::min);
    largest.zip(smallest).map_or(0.0, |(largest, smallest)| largest - smallest)
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
