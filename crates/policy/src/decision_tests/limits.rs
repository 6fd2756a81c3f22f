use super::*;

fn once(name: &str, by: Value) -> Value {
    json!({"limits": [{"name": name, "requests": 1, "per": "hour", "by": by}]})
}

fn ask(world: &mut World, headers: &[(&str, &str)]) -> Option<String> {
    let one = key(1);
    match world.ask(10, &[&[("x-api-key", one.reveal())], headers].concat()).refusal {
        None => None,
        Some(Refusal::RateLimited(limited)) => Some(limited.policy),
        Some(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_limit_counts_wherever_it_is_set_and_is_named() {
    for place in ["tenant", "site", "api", "route", "plan", "consumer", "key"] {
        let at = |wanted| if place == wanted { once(place, json!([])) } else { json!({}) };
        let mut world = World::new(at("site"), [json!({}), at("route")])
            .with_consumer(at("consumer"), at("key"))
            .with_plan(at("plan"));
        world.site_one().tenant_settings = serde_json::from_value(at("tenant")).expect("settings");
        *world.site_one().apis.get_mut(&ApiId(uuid(1))).expect("the API") =
            serde_json::from_value(at("api")).expect("settings");
        assert_eq!(ask(&mut world, &[]), None, "{place}");
        assert_eq!(ask(&mut world, &[]).as_deref(), Some(place));
    }
}

#[test]
fn what_the_platform_plan_allows_counts_beside_what_is_set_and_in_utc() {
    let mut world = World::new(json!({}), [json!({}), json!({})]);
    let quota = json!({"quotas": [{"name": "platform-plan", "requests": 5, "per": "month"}]});
    world.site_one().tenant_settings = serde_json::from_value(quota).expect("settings");
    world.site_one().tenant_settings.platform =
        PlatformRequests { per_second: None, per_month: Some(2) };
    assert_eq!(ask(&mut world, &[]), None);
    assert_eq!(ask(&mut world, &[]), None);
    assert_eq!(ask(&mut world, &[]).as_deref(), Some("platform-plan"));
    // A tenant that changed its calendar would begin its month anew.
    let rules = SitePolicy::of(world.site_one(), Vec::new()).limits;
    assert_eq!(rules.iter().map(|rule| rule.in_utc).collect::<Vec<_>>(), [true, false]);
    assert_ne!(rules[0].id, rules[1].id);
    world.site_one().tenant_settings.platform =
        PlatformRequests { per_second: Some(1), per_month: None };
    assert_eq!(ask(&mut world, &[]), None, "three of five are used of what is set");
    assert_eq!(ask(&mut world, &[]).as_deref(), Some("platform-plan"), "one in a second");
}

#[test]
fn counters_are_told_apart_by_what_the_limit_says() {
    let header = |value| [("x-device", value)];
    let mut world =
        World::new(once("device", json!([{"header": "X-Device"}])), [json!({}), json!({})]);
    assert_eq!(ask(&mut world, &header("a")), None);
    assert_eq!(ask(&mut world, &header("b")), None);
    assert_eq!(ask(&mut world, &header("a")).as_deref(), Some("device"));
    assert_eq!(ask(&mut world, &[]), None);
    assert_eq!(
        ask(&mut world, &[]).as_deref(),
        Some("device"),
        "requests without it share a counter"
    );

    let mut world = World::new(once("route", json!(["route", "consumer"])), [json!({}), json!({})]);
    assert_eq!(ask(&mut world, &[]), None);
    assert_eq!(ask(&mut world, &[(":path", "/v1/orders/1")]), None);
    assert_eq!(ask(&mut world, &[(":path", "/v1/orders/2")]).as_deref(), Some("route"));

    let mut world = World::new(once("address", json!(["client_ip"])), [json!({}), json!({})]);
    for (address, refused) in [
        ("192.0.2.1", false),
        ("192.0.2.2", false),
        ("192.0.2.1", true),
        ("2001:db8::1", false),
        ("2001:db8::2", true),
    ] {
        world.address = Some(address.parse().expect("an address"));
        assert_eq!(ask(&mut world, &[]).is_some(), refused, "{address}");
    }
}

#[test]
fn a_claim_tells_counters_apart() {
    let mut settings = once("org", json!([{"claim": "org"}]));
    settings["auth"] = json!({"any_of": ["jwt"]});
    let mut world = World::new(settings, [json!({}), json!({})]).with_issuer(json!({}));
    let mut ask = |org| {
        world.ask(10, &[("authorization", &token(json!({"sub": "app-1", "org": org})))]).status()
    };
    assert_eq!([ask("a"), ask("b"), ask("a")], [200, 200, 429]);
}

#[test]
fn each_consumer_has_its_own_share_of_a_plan_unless_the_plan_says_otherwise() {
    for (by, second) in [(json!([]), 200), (json!(["plan"]), 429)] {
        let mut world = World::plain().with_plan(once("tier", by.clone()));
        let mut other = record(1, key(7).digest(), CredentialKind::ApiKey);
        other.consumer = ConsumerId(uuid(99));
        other.plan = 5;
        world.keys.push(other);
        let (one, seven) = (key(1), key(7));
        assert_eq!(world.ask(10, &[("x-api-key", one.reveal())]).status(), 200);
        assert_eq!(world.ask(10, &[("x-api-key", seven.reveal())]).status(), second, "{by}");
    }
}

#[test]
fn what_is_refused_for_other_reasons_takes_no_tokens() {
    let mut world = World::new(once("site", json!([])), [json!({}), json!({"scopes": ["never"]})]);
    let one = key(1);
    for headers in [
        &[][..],
        &[("x-api-key", one.reveal())],
        &[(":path", "/none"), ("x-api-key", one.reveal())],
    ] {
        assert!(matches!(world.ask(10, headers).status(), 403 | 404));
    }
    assert_eq!(ask(&mut world, &[(":path", "/v1/orders/1")]), None);
    assert_eq!(ask(&mut world, &[(":path", "/v1/orders/1")]).as_deref(), Some("site"));
}

#[test]
fn the_headers_name_the_tightest_limit_and_the_refusal_says_when() {
    let settings = json!({
        "limits": [{"name": "burst", "requests": 10, "per": "second"}],
        "quotas": [{"name": "daily", "requests": 2, "per": "day"}],
    });
    let mut world = World::new(settings, [json!({}), json!({})]);
    let one = key(1);
    let mut ask = || world.ask(10, &[("x-api-key", one.reveal())]);
    let fields = ask().rate_limit.expect("the fields");
    assert_eq!(fields.limit, br#""daily";r=1;t=86390"#);
    assert_eq!(fields.policy, br#""daily";q=2;w=86400"#);
    ask();
    let Some(Refusal::RateLimited(limited)) = ask().refusal else { panic!("not refused") };
    assert_eq!((limited.policy.as_str(), limited.retry_after_s.as_str()), ("daily", "86390"));
    let answer = Refusal::RateLimited(limited).answer();
    assert!(answer.body.contains(r#""reset_at":"1970-01-02T00:00:00Z""#), "{}", answer.body);
    assert!(
        answer.headers.contains(&("ratelimit", r#""daily";r=0;t=86390"#.to_owned())),
        "{:?}",
        answer.headers
    );
}

#[test]
fn a_site_can_keep_its_limits_to_itself_until_they_refuse() {
    let mut settings = once("quiet", json!([]));
    settings["rate_limit_headers"] = json!("refused");
    let mut world = World::new(settings, [json!({}), json!({})]);
    let one = key(1);
    assert_eq!(world.ask(10, &[("x-api-key", one.reveal())]).rate_limit, None);
    assert_eq!(ask(&mut world, &[]).as_deref(), Some("quiet"));
}
