//! Limits and quotas, over all workers of an Envoy.

use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::Method;
use serde_json::json;
use stack::Stack;
use tenantry_tests::{THING, Things, eventually, finish, gateway::Answer, load::Load, settled};

#[tokio::test]
async fn a_plan_limits_each_of_its_consumers_and_says_so() {
    let things = Things::start(Stack::builder("plan")).await;
    let limits = json!({ "limits": [{ "name": "burst", "requests": 3, "per": "hour" }] });
    let plan = things.site.make("plans", json!({ "name": "small", "settings": limits })).await;
    let mut keys = Vec::new();
    for name in ["one", "two"] {
        let consumer = things.site.consumer(json!({ "name": name, "plan_id": plan["id"] })).await;
        keys.push(things.site.key_of(&consumer, json!({})).await);
    }
    for key in &keys {
        let answer = eventually(
            "the key",
            || things.get_with(&key.text),
            |answer: &Answer| answer.status == 200,
        )
        .await;
        let field = answer.header("ratelimit").expect("a RateLimit header");
        assert!(field.starts_with(r#""burst";r=2;t="#), "{field}");
        assert_eq!(answer.header("ratelimit-policy"), Some(r#""burst";q=3;w=3600"#));
        // A limit header of the upstream is not passed on beside ours, or clients would not know
        // which one to obey.
        let told =
            [("x-api-key", key.text.as_str()), ("x-echo-header", r#"ratelimit="own";r=99;t=1"#)];
        let answer = things.send(Method::GET, THING, &told).await;
        assert_eq!(answer.status, 200);
        let fields: Vec<&str> = answer
            .headers
            .get_all("ratelimit")
            .iter()
            .map(|field| field.to_str().expect("text"))
            .collect();
        assert!(matches!(*fields, [field] if field.starts_with(r#""burst";r=1;t="#)), "{fields:?}");
        assert_eq!(things.get_with(&key.text).await.status, 200);
        let refused = things.get_with(&key.text).await;
        refused.assert_problem(429);
        assert!(
            refused.header("ratelimit").is_some_and(|field| field.starts_with(r#""burst";r=0;t="#)),
            "{refused:?}"
        );
        let problem = refused.json();
        assert_eq!(problem["violated-policies"], json!(["burst"]));
        assert!(problem["reset_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{problem}");
        let retry: u32 = refused
            .header("retry-after")
            .and_then(|value| value.parse().ok())
            .expect("Retry-After");
        assert!((1..=1200).contains(&retry), "{retry}");
    }
    assert_eq!(
        things.get_with(&things.key.text).await.status,
        200,
        "who has no plan is not limited"
    );
    finish(things.stack).await;
}

/// Many connections, so that all four workers take part.
#[tokio::test]
async fn a_quota_is_exact_over_all_workers() {
    const QUOTA: u64 = 500;
    let things = Things::start(Stack::builder("quota").concurrency(4)).await;
    let quota = json!({ "quotas": [{ "name": "monthly", "requests": QUOTA, "per": "month" }] });
    let consumer = things.site.consumer(json!({ "name": "limited", "settings": quota })).await;
    let key = things.site.key_of(&consumer, json!({})).await;
    settled(&things.gateways, &things.site.hostname, THING, &key.text, 200).await;
    things.upstream.clear();
    let load = Load::start(things.gateways[0].address(), &things.site.hostname, THING, &key.text);
    eventually(
        "the end of the quota",
        || async { things.upstream.total() },
        |total| *total >= QUOTA - 50,
    )
    .await;
    // Nearly all of the quota is used up at the first refusal; until then a load that ends takes
    // counted requests with it.
    eventually("a refusal", || things.get_with(&key.text), |answer: &Answer| answer.status == 429)
        .await;
    load.warm_up().await;
    load.stop().await;
    // Tokens that other workers have leased and do not use come back within two ticks, so the rest
    // of the quota can be used.
    let rest = || async {
        let answer = things.get_with(&key.text).await;
        (answer.status, things.upstream.total())
    };
    let used_up = |(status, total): &(u16, u64)| *status == 429 && *total >= QUOTA - 1;
    let (_, total) = eventually("all of the quota", rest, used_up).await;
    // At least one request was counted before the upstream began to count.
    assert!(total < QUOTA, "{total} of {QUOTA} requests, and at least one before, got through");
    finish(things.stack).await;
}

#[tokio::test]
async fn a_tenant_has_no_more_requests_under_way_than_it_may() {
    let things = Things::start(Stack::builder("concurrency").concurrency(2)).await;
    // Another setting of the tenant shows that Envoy knows this one.
    let never_reached = json!({ "name": "known", "requests": 1_000_000, "per": "hour" });
    things.tenant.set(json!({ "max_concurrent_requests": 3, "limits": [never_reached] })).await;
    let known = |answer: &Answer| {
        answer.header("ratelimit-policy").is_some_and(|field| field.starts_with(r#""known";"#))
    };
    eventually("the limit", || things.get_with(&things.key.text), known).await;
    things.upstream.clear();
    let held = [("x-api-key", things.key.text.as_str()), ("x-echo-hold", "1")];
    let refused = AtomicU64::new(0);
    let all = (0..12).map(|_| async {
        let answer = things.send(Method::GET, THING, &held).await;
        refused.fetch_add(u64::from(answer.status == 429), Ordering::Relaxed);
        answer.status
    });
    let release = async {
        let counts =
            || std::future::ready((things.upstream.total(), refused.load(Ordering::Relaxed)));
        let counts = eventually("the fate of all requests", counts, |(let_in, refused)| {
            let_in + refused == 12
        })
        .await;
        things.upstream.release();
        counts
    };
    let (statuses, (let_in, refused)) = tokio::join!(futures::future::join_all(all), release);
    assert!((1..=3).contains(&let_in), "{let_in} at once");
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count() as u64;
    assert_eq!((count(200), count(429)), (let_in, refused), "{statuses:?}");
    eventually("room again", || things.get_with(&things.key.text), |answer| answer.status == 200)
        .await;
    finish(things.stack).await;
}
