use proptest::prelude::*;
use prost::Message as _;

use super::{super::Window, *};

const WINDOW: Bounds = Bounds { start_ms: 1_000, end_ms: 61_000 };

fn grant(requests: u64, burst: u32) -> LeaseGrant {
    LeaseGrant {
        requests,
        burst,
        window_start_ms: 1_000,
        expires_ms: 9_000,
        fallback_ppm: 250_000,
        ..LeaseGrant::default()
    }
}

fn quota(requests: u64) -> Measure {
    Measure::Quota { requests, window: Window::Minute }
}

fn rate(requests: u32, burst: u32) -> Measure {
    Measure::Rate { requests, per_ms: 1_000, burst }
}

#[test]
fn a_grant_caps_the_limit_and_never_lifts_it() {
    assert_eq!(granted(quota(100), &grant(30, 0), Some(WINDOW), 2_000), quota(30));
    assert_eq!(granted(quota(100), &grant(300, 0), Some(WINDOW), 2_000), quota(100));
    assert_eq!(granted(rate(100, 50), &grant(30, 20), None, 2_000), rate(30, 20));
    assert_eq!(granted(rate(100, 50), &grant(u64::MAX, u32::MAX), None, 2_000), rate(100, 50));
}

#[test]
fn without_a_valid_grant_the_fallback_counts() {
    assert_eq!(granted(quota(103), &grant(30, 0), Some(WINDOW), 9_000), quota(25));
    let next = Bounds { start_ms: 61_000, end_ms: 121_000 };
    assert_eq!(granted(quota(103), &grant(30, 0), Some(next), 8_999), quota(25));
    assert_eq!(granted(rate(100, 50), &grant(30, 20), None, 9_000), rate(25, 12));
    let whole = LeaseGrant { fallback_ppm: u32::MAX, ..grant(30, 0) };
    assert_eq!(granted(quota(u64::MAX), &whole, Some(WINDOW), 9_000), quota(u64::MAX));
}

#[test]
fn messages_come_back_as_they_were_sent() {
    let counter = LeaseUse {
        limit: u64::MAX,
        subject: vec![1; 16],
        window_start_ms: 1_000,
        admitted: 7,
        refused: 1,
    };
    let report = LeaseReport { boot_id: vec![2; 16], sequence: 3, counters: vec![counter] };
    assert_eq!(LeaseReport::decode(&*report.encode_to_vec()), Ok(report));
    assert_eq!(LeaseGrant::decode(&*grant(30, 20).encode_to_vec()), Ok(grant(30, 20)));
}

proptest! {
    #[test]
    fn any_grant_allows_no_more_than_the_limit(
        bytes in prop::collection::vec(any::<u8>(), 0..64),
        requests: u32,
        now_ms: u64,
    ) {
        if let Ok(grant) = LeaseGrant::decode(&*bytes) {
            let most = u64::from(requests);
            let by_quota = granted(quota(most), &grant, Some(WINDOW), now_ms);
            prop_assert!(by_quota.total() <= most);
            let by_rate = granted(rate(requests, requests), &grant, None, now_ms);
            prop_assert!(by_rate.total() <= most);
        }
        let _ = LeaseReport::decode(&*bytes);
    }
}
