//! Cells that workers share, with arbitrary contents.

use policy::id::{SiteId, Uuid};
use policy::limit::{Cells, Check, Limit, Limiter, Measure, Seed, Verdict, Window, Zone};
use policy::nonce::{Outcome, accept};

const NOW_MS: u64 = 1_700_000_000_000;
/// The number of requests that each limit of the target allows at one moment.
const ALLOWED: u32 = 5;

/// A store that has one value under every name, as if somebody had written it.
struct Planted {
    value: Option<Vec<u8>>,
    cas: u32,
}

impl Cells for Planted {
    fn read(&mut self, _: &str) -> Option<(Vec<u8>, u32)> {
        self.value.clone().map(|value| (value, self.cas))
    }

    fn write(&mut self, _: &str, value: &[u8], cas: Option<u32>) -> bool {
        let fits = cas == self.value.is_some().then_some(self.cas);
        if fits {
            self.value = Some(value.to_vec());
            self.cas += 1;
        }
        fits
    }
}

/// A byte of seconds, then the bytes of a nonce cell. Whatever is in the cell, a nonce is accepted
/// once, a refusal changes nothing, and the cell stays within its bounds.
pub fn nonce_cell(data: &[u8]) {
    let Some((seconds, value)) = data.split_first() else { return };
    let site = SiteId(Uuid::from_u128(1));
    let until_ms = NOW_MS + 1000 + u64::from(*seconds) * 1000;
    let mut cells = Planted { value: Some(value.to_vec()), cas: 1 };
    for nonce in ["a", "b"] {
        let before = cells.value.clone();
        match accept(&mut cells, site, "k", nonce, until_ms, NOW_MS) {
            Outcome::Accepted => {
                assert!(cells.value.as_ref().is_some_and(|value| value.len() <= 4200));
                for now_ms in [NOW_MS, until_ms - 1, until_ms, 0, u64::MAX] {
                    let again = accept(&mut cells, site, "k", nonce, until_ms, now_ms);
                    assert_eq!(again, Outcome::Replayed, "at {now_ms}");
                }
            }
            Outcome::Replayed | Outcome::NoRoom => assert!(cells.value == before),
        }
    }
}

/// The bytes of a limit cell. Whatever is in the cell, two workers together admit no more at one
/// moment than the limit allows, for a rate and for a quota, and the cell that they leave behind is
/// within its bounds.
pub fn limit_cell(data: &[u8]) {
    let rate = Measure::Rate { requests: 1, per_ms: 60_000, burst: ALLOWED };
    let quota = Measure::Quota { requests: u64::from(ALLOWED), window: Window::Day };
    for measure in [rate, quota] {
        let limit = Limit::new(1, "l", measure);
        let zone = Zone::default();
        let checks = [Check { limit: &limit, subject: 0, zone: &zone }];
        let mut cells = Planted { value: Some(data.to_vec()), cas: 1 };
        let mut workers = [Limiter::new(Seed::new([7; 16])), Limiter::new(Seed::new([7; 16]))];
        let mut admitted = 0;
        for turn in 0..4 * ALLOWED as usize {
            match workers[turn % 2].admit(&checks, NOW_MS, &mut cells) {
                Verdict::Admitted(_) => admitted += 1,
                Verdict::Refused(standing) => assert_eq!(standing.limit, &limit),
            }
        }
        assert!(admitted <= ALLOWED, "{admitted} for {measure:?}");
        for worker in &mut workers {
            worker.flush(NOW_MS, &mut cells);
        }
        let len = cells.value.as_ref().map_or(0, Vec::len);
        assert!(len <= data.len().max(4096), "a cell of {len} bytes");
    }
}
