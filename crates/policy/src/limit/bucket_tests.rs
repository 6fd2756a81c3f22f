use proptest::prelude::*;

use super::*;

const RATE: Rate = Rate { requests: 10, per_ms: 1_000, burst: 320 };

#[test]
fn the_chunk_shrinks_with_what_is_left() {
    let mut bucket = Bucket::at(None, RATE, 0);
    let chunks: Vec<_> = std::iter::from_fn(|| bucket.take(128)).collect();
    assert_eq!(chunks[..4], [20, 18, 17, 16]);
    assert_eq!(chunks[chunks.len() - 31..], [1; 31]);
    assert_eq!(chunks.iter().sum::<u32>(), 320);
}

#[test]
fn what_is_held_does_not_come_back_with_time_but_with_its_epochs() {
    let mut bucket = Bucket::at(None, RATE, 0);
    assert_eq!(bucket.take(20), Some(20));
    let level = |bucket: &Bucket, now_ms| {
        RATE.level(Bucket::at(Some(bucket.entry()), RATE, now_ms).deficit)
    };
    assert_eq!(level(&bucket, 0), 300);
    assert_eq!(level(&bucket, 100), 301);
    assert_eq!(level(&bucket, 2 * EPOCH_MS - 1), 301);
    assert_eq!(level(&bucket, 2 * EPOCH_MS + 100), 302);
    assert_eq!(level(&bucket, 2 * EPOCH_MS + 1_900), 320);
}

#[test]
fn a_lease_that_ends_gives_back_what_it_did_not_use() {
    let mut bucket = Bucket::at(None, RATE, 0);
    bucket.take(20);
    bucket.end(Lease { size: 19, left: 15, at_ms: 0 });
    assert_eq!(RATE.level(bucket.deficit), 315);
    bucket.end(Lease { size: 19, left: 19, at_ms: 0 });
    assert_eq!(RATE.level(bucket.deficit), 320, "never more than a full bucket");
}

#[test]
fn a_lease_that_is_forgotten_gives_nothing_back() {
    let mut bucket = Bucket::at(None, RATE, 0);
    bucket.take(20);
    let mut bucket = Bucket::at(Some(bucket.entry()), RATE, 2 * EPOCH_MS);
    let before = bucket;
    bucket.end(Lease { size: 19, left: 19, at_ms: 0 });
    assert_eq!(bucket, before);
}

#[test]
fn a_new_period_keeps_the_missing_tokens() {
    let mut bucket = Bucket::at(None, RATE, 5_000);
    for _ in 0..7 {
        bucket.take(1);
    }
    for per_ms in [1, 333, 60_000] {
        let rate = Rate { per_ms, ..RATE };
        assert_eq!(rate.level(Bucket::at(Some(bucket.entry()), rate, 5_000).deficit), 313);
    }
}

#[test]
fn the_wait_is_to_the_next_token() {
    let mut bucket = Bucket::at(None, RATE, 0);
    assert_eq!(bucket.wait_ms(), 0);
    bucket.take(1);
    assert_eq!(bucket.wait_ms(), 100);
    assert_eq!(Bucket::at(Some(bucket.entry()), RATE, 70).wait_ms(), 30);
    assert_eq!(Rate { requests: 0, ..RATE }.wait_ms(1), u64::MAX);
    assert_eq!(Rate { burst: 0, ..RATE }.wait_ms(0), u64::MAX);
}

proptest! {
    #[test]
    fn an_entry_is_absence_when_it_says_so(
        requests in 1u32..100, per_ms in 1u32..100_000, burst in 1u32..1_000,
        takes in prop::collection::vec((0u64..30_000, 1u32..128), 1..20),
    ) {
        let rate = Rate { requests, per_ms, burst };
        let mut bucket = Bucket::at(None, rate, 0);
        for (advance_ms, wanted) in takes {
            bucket = Bucket::at(Some(bucket.entry()), rate, bucket.at_ms + advance_ms);
            bucket.take(wanted);
        }
        let entry = bucket.entry();
        prop_assert_eq!(Bucket::at(Some(entry), rate, entry.until_ms).deficit, 0);
        if entry.until_ms > bucket.at_ms {
            let before = Bucket::at(Some(entry), rate, entry.until_ms - 1);
            prop_assert!(before.deficit > 0 || entry.until_ms.is_multiple_of(EPOCH_MS));
        }
    }

    #[test]
    fn the_order_of_looks_makes_no_difference(
        requests in 1u32..100,
        burst in 16u32..1_000,
        looks in prop::collection::vec(0u64..9_000, 0..10),
        wanted in 1u32..128,
    ) {
        let rate = Rate { requests, per_ms: 1_000, burst };
        let mut bucket = Bucket::at(None, rate, 1);
        while bucket.take(wanted).is_some() {}
        let (mut now_ms, mut looked) = (1, bucket);
        for look in looks {
            now_ms += look;
            looked = Bucket::at(Some(looked.entry()), rate, now_ms);
        }
        prop_assert_eq!(looked.deficit, Bucket::at(Some(bucket.entry()), rate, now_ms).deficit);
    }

    #[test]
    fn any_entry_is_a_bucket(
        amount: u64,
        at_ms: u64,
        until_ms: u64,
        scale: u32,
        held: [u32; 2],
        now_ms: u64,
        burst: u32,
    ) {
        let rate = Rate { burst, ..RATE };
        let entry = Entry { until_ms, at_ms, amount, scale, held };
        let mut bucket = Bucket::at(Some(entry), rate, now_ms);
        bucket.end(Lease { size: 5, left: 5, at_ms: now_ms });
        prop_assert!(bucket.take(3).is_none_or(|taken| taken <= burst));
        bucket.entry();
    }
}
