use proptest::prelude::*;

use super::*;

const MINUTE_MS: u64 = 60_000;
const HOUR: Duration = Duration::from_secs(3600);
const BOUNDS: Bounds = Bounds {
    in_flight: 64,
    per_tenant: 4,
    first_delay: Duration::from_secs(1),
    last_delay: Duration::from_secs(5 * 60),
};

fn url(number: u32) -> Arc<str> {
    format!("https://issuer-{number}.example.com/keys").into()
}

fn tenant(number: u128) -> TenantId {
    TenantId(policy::id::Uuid::from_u128(number))
}

fn of(numbers: &[u128]) -> BTreeSet<TenantId> {
    numbers.iter().copied().map(tenant).collect()
}

fn started(scheduler: &mut Scheduler, now_ms: u64) -> Vec<Arc<str>> {
    std::iter::from_fn(|| scheduler.start(now_ms)).collect()
}

#[test]
fn a_new_url_is_due_at_once_and_read_once_for_all_its_tenants() {
    let mut scheduler = Scheduler::new(BOUNDS);
    scheduler.want(&url(1), of(&[1]), None, 5);
    scheduler.want(&url(1), of(&[1, 2]), None, 5);
    assert_eq!(scheduler.wake_ms(), Some(5));
    assert_eq!(started(&mut scheduler, 5), [url(1)]);
    assert_eq!((scheduler.wake_ms(), scheduler.len()), (None, 1));
}

#[test]
fn a_set_that_is_known_is_read_again_when_it_ends() {
    let mut scheduler = Scheduler::new(BOUNDS);
    let known = |minutes: u64| Known { age: Duration::from_secs(60 * minutes), lifetime: HOUR };
    scheduler.want(&url(1), of(&[1]), Some(known(20)), 0);
    scheduler.want(&url(2), of(&[1]), Some(known(90)), 0);
    assert_eq!(started(&mut scheduler, 0), [url(2)], "its time was over while nobody looked");
    assert_eq!(scheduler.wake_ms(), Some(40 * MINUTE_MS));
    assert_eq!(started(&mut scheduler, 40 * MINUTE_MS - 1), [] as [Arc<str>; 0]);
    assert_eq!(started(&mut scheduler, 40 * MINUTE_MS), [url(1)]);
}

#[test]
fn a_set_is_read_again_in_the_last_tenth_of_its_lifetime() {
    for (random, minutes) in [(0, 60), (u64::MAX, 54)] {
        let mut scheduler = Scheduler::new(BOUNDS);
        scheduler.want(&url(1), of(&[1]), None, 0);
        started(&mut scheduler, 0);
        assert!(scheduler.done(&url(1), HOUR, 0, random));
        let at_ms = scheduler.wake_ms().unwrap();
        assert!((minutes * MINUTE_MS..=60 * MINUTE_MS).contains(&at_ms), "{at_ms}");
        assert_eq!((at_ms == 60 * MINUTE_MS, scheduler.failing()), (random == 0, 0));
    }
}

#[test]
fn failures_wait_longer_each_time_up_to_five_minutes_and_a_success_ends_that() {
    let most_ms =
        [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000];
    for share in [1, 2] {
        let mut scheduler = Scheduler::new(BOUNDS);
        scheduler.want(&url(1), of(&[1]), None, 0);
        let mut now_ms = 0;
        for most_ms in most_ms {
            assert_eq!(started(&mut scheduler, now_ms), [url(1)]);
            // No jitter, and all of it.
            scheduler.failed(&url(1), now_ms, if share == 1 { 0 } else { most_ms / 2 });
            assert_eq!(scheduler.wake_ms(), Some(now_ms + most_ms / share));
            now_ms += most_ms / share;
        }
        assert_eq!((scheduler.failing(), scheduler.failures(&url(1))), (1, 11));
        started(&mut scheduler, now_ms);
        scheduler.done(&url(1), HOUR, now_ms, 0);
        assert_eq!((scheduler.failing(), scheduler.failures(&url(1))), (0, 0));
    }
}

#[test]
fn slow_urls_of_one_tenant_hold_up_no_other() {
    let mut scheduler = Scheduler::new(BOUNDS);
    for number in 0..1000 {
        scheduler.want(&url(number), of(&[1]), None, 0);
    }
    scheduler.want(&url(5000), of(&[2]), None, 0);
    // One that both use is not held up either.
    scheduler.want(&url(5001), of(&[1, 2]), None, 0);
    let first = started(&mut scheduler, 0);
    assert_eq!(first.len(), BOUNDS.per_tenant + 2);
    assert!(first.contains(&url(5000)) && first.contains(&url(5001)));
    assert_eq!(scheduler.wake_ms(), None);
    scheduler.failed(&first[0], 0, 0);
    assert_eq!(started(&mut scheduler, 0).len(), 1, "the next one of the first tenant");
}

#[test]
fn all_together_are_bounded() {
    let mut scheduler = Scheduler::new(BOUNDS);
    for number in 0..1000 {
        scheduler.want(&url(number), of(&[number.into()]), None, 0);
    }
    let first = started(&mut scheduler, 0);
    assert_eq!((first.len(), scheduler.wake_ms()), (BOUNDS.in_flight, None));
    scheduler.done(&first[0], HOUR, 0, 0);
    assert_eq!(scheduler.wake_ms(), Some(0));
    assert_eq!(started(&mut scheduler, 0).len(), 1);
}

#[test]
fn what_nobody_uses_is_forgotten() {
    let mut scheduler = Scheduler::new(BOUNDS);
    for number in [1, 2] {
        scheduler.want(&url(number), of(&[1]), None, 0);
    }
    assert_eq!(scheduler.start(0), Some(url(1)));
    for number in [1, 2] {
        scheduler.want(&url(number), BTreeSet::new(), None, 0);
    }
    assert_eq!(scheduler.start(0), None);
    assert!(!scheduler.done(&url(1), HOUR, 0, 0), "its result is nobody's any more");
    assert!(scheduler.is_empty() && scheduler.wake_ms().is_none());
}

#[test]
fn what_is_wanted_again_while_it_is_under_way_is_not_read_twice() {
    let mut scheduler = Scheduler::new(BOUNDS);
    scheduler.want(&url(1), of(&[1]), None, 0);
    assert_eq!(scheduler.start(0), Some(url(1)));
    scheduler.want(&url(1), BTreeSet::new(), None, 0);
    scheduler.want(&url(1), of(&[2]), None, 0);
    assert_eq!(scheduler.start(0), None);
    assert!(scheduler.done(&url(1), HOUR, 0, 0));
}

proptest! {
    /// For all orders of events, the bounds hold, and in the end every URL that is wanted is read
    /// again and again.
    #[test]
    fn nothing_that_is_wanted_is_ever_lost(
        steps in proptest::collection::vec((0_u32..40, 0_u8..6, any::<u64>()), 0..600),
    ) {
        let mut scheduler = Scheduler::new(BOUNDS);
        let mut wanted: BTreeMap<Arc<str>, BTreeSet<TenantId>> = BTreeMap::new();
        let mut under_way: Vec<Arc<str>> = Vec::new();
        let mut now_ms = 0;
        for (number, what, random) in steps {
            match what {
                0 | 1 => {
                    // Few tenants, so that they are at their bounds.
                    let tenants = of(&[u128::from(random % 3), u128::from(random / 3 % 3)]);
                    scheduler.want(&url(number), tenants.clone(), None, now_ms);
                    wanted.insert(url(number), tenants);
                }
                2 => {
                    scheduler.want(&url(number), BTreeSet::new(), None, now_ms);
                    wanted.remove(&url(number));
                }
                3 if !under_way.is_empty() => {
                    let ended = under_way.swap_remove(random as usize % under_way.len());
                    if random % 2 == 0 {
                        scheduler.failed(&ended, now_ms, random);
                    } else {
                        let is_wanted = scheduler.done(&ended, HOUR, now_ms, random);
                        prop_assert_eq!(is_wanted, wanted.contains_key(&ended));
                    }
                }
                4 => now_ms += random % (2 * MINUTE_MS),
                _ => {}
            }
            for url in started(&mut scheduler, now_ms) {
                prop_assert!(wanted.contains_key(&url));
                prop_assert!(!under_way.contains(&url));
                under_way.push(url);
            }
            prop_assert!(scheduler.load.values().all(|load| *load <= BOUNDS.per_tenant));
            prop_assert_eq!(scheduler.load.values().sum::<usize>(), under_way.len());
        }
        let mut read = BTreeSet::new();
        for _ in 0..200 {
            for url in under_way.drain(..) {
                scheduler.done(&url, HOUR, now_ms, 0);
            }
            under_way = started(&mut scheduler, now_ms);
            read.extend(under_way.iter().cloned());
            if under_way.is_empty() {
                let Some(at_ms) = scheduler.wake_ms() else { break };
                if at_ms > now_ms + 60 * MINUTE_MS || read.len() == wanted.len() { break }
                now_ms = at_ms;
            }
        }
        prop_assert_eq!(read, wanted.into_keys().collect::<BTreeSet<_>>());
    }
}
