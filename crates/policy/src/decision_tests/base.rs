use super::*;

#[test]
fn a_key_on_its_sites_host_is_let_go_with_its_identity() {
    let one = key(1);
    let asked = World::plain().ask(
        0,
        &[
            (":authority", "One.example:80"),
            (":path", "/v1/orders/7?x=1"),
            ("x-api-key", one.reveal()),
        ],
    );
    assert_eq!(asked.refusal, None);
    let who = Who {
        site: Some((TenantId(uuid(10)), SiteId(uuid(1)))),
        route: Some(RouteId(uuid(100))),
        consumer: Some(ConsumerId(uuid(1))),
        key: Some(KeyId(uuid(1))),
    };
    assert_eq!(asked.who, who);
    assert!(asked.edits.is_empty(), "{:?}", asked.edits);
}

#[test]
fn on_the_shared_host_the_key_tells_the_site() {
    for number in [1_u8, 2] {
        let key = key(number);
        let asked =
            World::plain().ask(0, &[(":authority", "api.example"), ("x-api-key", key.reveal())]);
        assert_eq!(asked.who.site.map(|(_, site)| site), Some(SiteId(uuid(number.into()))));
        assert_eq!(asked.status(), 200);
    }
}

#[test]
fn a_suspended_tenant_is_refused_whatever_the_credential_and_no_other_is() {
    let (one, two) = (key(1), key(2));
    let mut world = World::plain();
    world.site_one().tenant_settings.suspended = true;
    for headers in [&[][..], &[("x-api-key", one.reveal())], &[("x-api-key", "junk")]] {
        let asked = world.ask(
            0,
            &[&[(":authority", "one.example"), (":path", "/v1/orders/7")], headers].concat(),
        );
        assert_eq!((asked.status(), asked.refusal), (403, Some(Refusal::Suspended)));
    }
    let asked = world.ask(0, &[(":authority", "api.example"), ("x-api-key", two.reveal())]);
    assert_eq!(asked.refusal, None);
    world.site_one().tenant_settings.suspended = false;
    let asked = world.ask(
        0,
        &[(":authority", "one.example"), (":path", "/v1/orders/7"), ("x-api-key", one.reveal())],
    );
    assert_eq!(asked.refusal, None);
}

#[test]
fn an_unknown_host_is_not_found_whatever_the_credential() {
    let one = key(1);
    for host in ["other.example", "gone.example", "", "one.example,two.example"] {
        for key in [&[][..], &[("x-api-key", one.reveal())], &[("x-api-key", "junk")]] {
            let asked = World::plain().ask(0, &[&[(":authority", host)], key].concat());
            assert_eq!(asked.refusal, Some(Refusal::UnknownHost), "{host}");
        }
    }
}

#[test]
fn every_failure_to_authenticate_is_the_same_refusal() {
    let keys = [key(2), key(9), key(3)].map(|key| key.reveal().to_owned());
    for path in ["/v1/orders", "/none", "/%2F"] {
        for host in ["one.example", "api.example"] {
            for key in [None, Some("junk"), Some(keys[1].as_str()), Some(&keys[2])] {
                let key: Vec<_> = key.map(|key| ("x-api-key", key)).into_iter().collect();
                let asked = World::plain()
                    .ask(0, &[&[(":authority", host), (":path", path)], &key[..]].concat());
                assert_eq!(asked.refusal, Some(Refusal::Forbidden), "{host} {path}");
            }
        }
        let asked = World::plain().ask(0, &[(":path", path), ("x-api-key", &keys[0])]);
        assert_eq!(asked.refusal, Some(Refusal::Forbidden), "another site's key at {path}");
    }
}

#[test]
fn an_expired_key_is_refused_on_either_kind_of_host() {
    for host in ["one.example", "api.example"] {
        let key = key(1);
        let headers = [(":authority", host), ("x-api-key", key.reveal())];
        assert_eq!(World::plain().ask(999_999, &headers).status(), 200);
        assert_eq!(World::plain().ask(1_000_000, &headers).refusal, Some(Refusal::Forbidden));
    }
}

#[test]
fn only_who_is_authenticated_learns_of_paths_and_methods() {
    let key = key(1);
    let refused = |method, path| {
        let headers = [(":method", method), (":path", path), ("x-api-key", key.reveal())];
        World::plain().ask(0, &headers).refusal
    };
    assert_eq!(refused("GET", "/v1/other"), Some(Refusal::NoRoute));
    assert_eq!(refused("GET", "/v1/orders/a%2Fb"), Some(Refusal::MalformedPath));
    let allowed = Methods::named("GET").expect("a method");
    assert_eq!(refused("PUT", "/v1/orders"), Some(Refusal::MethodNotAllowed(allowed)));
    assert_eq!(refused("BREW", "/v1/orders"), Some(Refusal::MethodNotAllowed(allowed)));
}

#[test]
fn answers_are_problem_details_with_the_status_that_is_sent() {
    let fields = RateLimitFields { limit: Vec::new(), policy: Vec::new() };
    let limited = crate::refusal::RateLimited {
        policy: "burst".to_owned(),
        retry_after_s: "1".to_owned(),
        reset_at_ms: 0,
        fields,
    };
    let refusals = [
        Refusal::NotReady,
        Refusal::UnknownHost,
        Refusal::Suspended,
        Refusal::Forbidden,
        Refusal::Unauthenticated { presented: true },
        Refusal::InsufficientScope("a b".to_owned()),
        Refusal::MalformedPath,
        Refusal::NoRoute,
        Refusal::MethodNotAllowed(Methods::ALL),
        Refusal::RateLimited(Box::new(limited)),
        Refusal::TooManyAtOnce,
        Refusal::Overloaded,
        Refusal::BodyTooLarge { max_bytes: 7 },
    ];
    for refusal in refusals {
        let answer = refusal.answer();
        let body: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(body.get("status"), Some(&json!(answer.status)), "{refusal:?}");
        assert!(answer.headers.contains(&("content-type", "application/problem+json".to_owned())));
    }
}
