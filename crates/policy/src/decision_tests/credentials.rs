use super::*;
use crate::header_name::CREDENTIAL;
use crate::signature;

fn status(settings: Value, headers: &[(&str, &str)]) -> u32 {
    World::new(settings, [json!({}), json!({})])
        .with_consumer(json!({}), json!({}))
        .with_issuer(json!({}))
        .ask(10, headers)
        .status()
}

/// The headers of a signed request for `GET /v1/orders` with a nonce.
fn signed(created_s: u64, nonce: &str) -> [(&'static str, String); 2] {
    let parameters = format!(
        r#"("@method" "@authority" "@path" "@query");created={created_s};keyid="{}";nonce="{nonce}""#,
        KeyId(uuid(1))
    );
    let headers: [(&str, &[u8]); 4] = [
        (":method", b"GET"),
        (":authority", b"one.example"),
        (":path", b"/v1/orders"),
        (":scheme", b"https"),
    ];
    let base = signature::base(&headers, &parameters).expect("a base");
    let mac = Hmac::<Sha256>::new_from_slice(SECRET)
        .expect("a key")
        .chain_update(base)
        .finalize()
        .into_bytes();
    let mac = base64::engine::general_purpose::STANDARD.encode(mac);
    [("signature-input", format!("s={parameters}")), ("signature", format!("s=:{mac}:"))]
}

#[test]
fn a_credential_that_the_site_does_not_forward_is_moved_to_where_envoy_removes_it() {
    let bearer = format!("Bearer {}", key(1).reveal());
    for forward in [false, true] {
        let mut world = World::plain();
        world.site_one().forward_credentials = forward;
        let asked = world.ask(0, &[("authorization", &bearer)]);
        let moved = [format!("{CREDENTIAL}+={bearer}"), "-authorization".to_owned()];
        assert_eq!(asked.edits, if forward { vec![] } else { moved.to_vec() });
        // As the filter sees it when Envoy has loaded the routes, and the request begins again.
        let again = world.ask(0, &[(CREDENTIAL, &bearer)]);
        assert_eq!((again.status(), again.edits), (200, Vec::new()));
    }
    let one = key(1);
    let asked =
        World::plain().ask(0, &[("x-api-key", one.reveal()), ("authorization", "Basic dTpw")]);
    assert!(asked.edits.is_empty(), "what is not ours stays: {:?}", asked.edits);
}

#[test]
fn a_key_in_the_query_never_goes_on_and_is_known_again() {
    let settings = json!({"key_sources": [{"in": "query", "name": "key"}]});
    let mut world = World::new(settings, [json!({}), json!({})]);
    world.site_one().forward_credentials = true;
    let path = format!("/v1/orders?a=1&key={}", key(1).reveal());
    let asked = world.ask(0, &[(":path", &path)]);
    let bearer = format!("Bearer {}", key(1).reveal());
    assert_eq!(asked.edits, [":path=/v1/orders?a=1".to_owned(), format!("{CREDENTIAL}+={bearer}")]);
    assert_eq!(world.ask(0, &[(":path", "/v1/orders?a=1"), (CREDENTIAL, &bearer)]).status(), 200);
    assert_eq!(
        world.ask(0, &[(":path", "/v1/orders?a=1"), ("authorization", &bearer)]).status(),
        403
    );
}

#[test]
fn public_routes_need_nothing_and_the_others_still_do() {
    let mut world = World::new(json!({}), [json!({"auth": "none"}), json!({})]);
    let asked = world.ask(0, &[(":path", "/v1/orders/7")]);
    assert_eq!((asked.status(), asked.who.consumer), (200, None));
    assert_eq!(world.ask(0, &[]).status(), 403);
    assert_eq!(world.ask(0, &[(":path", "/none")]).status(), 403);
    let mut world =
        World::new(json!({"auth": "none"}), [json!({"auth": {"any_of": ["key"]}}), json!({})]);
    assert_eq!(world.ask(0, &[(":path", "/v1/orders/7")]).status(), 403);
    assert_eq!(world.ask(0, &[]).status(), 200);
    assert_eq!(world.ask(0, &[(":path", "/none")]).refusal, Some(Refusal::NoRoute));
}

#[test]
fn a_public_route_is_public_whatever_scopes_its_api_asks_for() {
    let mut world = World::new(json!({}), [json!({"auth": "none"}), json!({})]);
    *world.site_one().apis.get_mut(&ApiId(uuid(1))).expect("the API") =
        serde_json::from_value(json!({"scopes": ["read"]})).expect("settings");
    assert_eq!(world.ask(0, &[(":path", "/v1/orders/7")]).status(), 200);
    assert_eq!(
        world.ask(0, &[("x-api-key", key(1).reveal())]).status(),
        403,
        "the API's other routes ask for it"
    );
}

#[test]
fn any_of_and_all_of_are_what_they_say() {
    let (key, token) = (key(1).reveal().to_owned(), token(json!({"sub": "app-1"})));
    let signed = signed(10, "n");
    let all: [Vec<(&str, &str)>; 3] = [
        vec![("x-api-key", &key)],
        vec![("authorization", &token)],
        signed.iter().map(|(name, value)| (*name, value.as_str())).collect(),
    ];
    let names = ["key", "jwt", "signature"];
    for presented in 0..8_usize {
        let has = |method: usize| presented & (1 << method) != 0;
        let headers: Vec<_> =
            (0..3).filter(|method| has(*method)).flat_map(|method| all[method].clone()).collect();
        for wanted in 1..8_usize {
            let wants = |method: usize| wanted & (1 << method) != 0;
            let methods: Vec<_> =
                (0..3).filter(|method| wants(*method)).map(|method| names[method]).collect();
            let expected = |let_go| if let_go { 200 } else { 403 };
            assert_eq!(
                status(json!({"auth": {"any_of": methods}}), &headers),
                expected(presented & wanted != 0),
                "any of {methods:?} with {headers:?}"
            );
            assert_eq!(
                status(json!({"auth": {"all_of": methods}}), &headers),
                expected(presented & wanted == wanted),
                "all of {methods:?} with {headers:?}"
            );
        }
    }
}

#[test]
fn all_credentials_have_to_be_of_one_consumer() {
    let settings = json!({"auth": {"all_of": ["key", "jwt"]}});
    let mut world = World::new(settings, [json!({}), json!({})])
        .with_issuer(json!({"require_consumer": false}));
    let mut other = record(1, key(7).digest(), CredentialKind::ApiKey);
    other.consumer = ConsumerId(uuid(99));
    world.keys.push(other);
    let (mine, others, token) = (key(1), key(7), token(json!({"sub": "app-1"})));
    assert_eq!(
        world.ask(10, &[("x-api-key", mine.reveal()), ("authorization", &token)]).status(),
        200
    );
    assert_eq!(
        world.ask(10, &[("x-api-key", others.reveal()), ("authorization", &token)]).status(),
        403
    );
    let nobody = super::token(json!({"sub": "nobody"}));
    let asked = world.ask(10, &[("x-api-key", mine.reveal()), ("authorization", &nobody)]);
    assert_eq!((asked.status(), asked.who.consumer), (200, Some(ConsumerId(uuid(1)))));
}

#[test]
fn a_token_is_of_the_consumer_that_lists_its_subject() {
    let ask = |world: World, claims| {
        let mut world = world;
        let asked = world.ask(10, &[("authorization", &token(claims))]);
        (asked.status(), asked.who.consumer)
    };
    let world = |more| {
        World::new(json!({"auth": {"any_of": ["jwt"]}}), [json!({}), json!({})]).with_issuer(more)
    };
    assert_eq!(ask(world(json!({})), json!({"sub": "app-1"})), (200, Some(ConsumerId(uuid(1)))));
    assert_eq!(ask(world(json!({})), json!({"sub": "app-2"})), (403, None));
    assert_eq!(ask(world(json!({})), json!({})), (403, None));
    assert_eq!(
        ask(world(json!({"require_consumer": false})), json!({"sub": "app-2"})),
        (200, None)
    );
    assert_eq!(ask(world(json!({})), json!({"sub": "app-1", "exp": -100})), (403, None));
    assert_eq!(
        ask(world(json!({"audiences": ["us"]})), json!({"sub": "app-1", "aud": "them"})),
        (403, None)
    );
}

#[test]
fn claims_become_headers_and_such_headers_of_clients_never_pass() {
    let settings = json!({"auth": {"any_of": ["jwt", "key"]}});
    let issuer = json!({"upstream_headers": {"X-User": "email", "X-Org": "org.id"}});
    let mut world = World::new(settings, [json!({}), json!({"auth": "none"})]).with_issuer(issuer);
    let token = token(json!({"sub": "app-1", "email": "a@b.example"}));
    let forged = [("x-user", "root"), ("x-org", "root")];
    let asked = world
        .ask(10, &[&[(":path", "/v1/orders/1"), ("authorization", &token)], &forged[..]].concat());
    let expected = [format!("{CREDENTIAL}+={token}"), "-authorization".to_owned()];
    let headers = ["-x-user", "-x-org", "x-user=a@b.example"].map(str::to_owned);
    assert_eq!(asked.edits, [&expected[..], &headers].concat());
    assert_eq!(world.ask(10, &forged).edits, ["-x-user", "-x-org"], "on a public route");
}

#[test]
fn scopes_come_from_consumer_key_and_token() {
    let routes = || [json!({"scopes": ["read", "write"]}), json!({})];
    let path = (":path", "/v1/orders/1");
    let one = key(1).reveal().to_owned();
    let ask = |consumer, key| {
        World::new(json!({}), routes())
            .with_consumer(consumer, key)
            .ask(0, &[path, ("x-api-key", &one)])
            .status()
    };
    assert_eq!(ask(json!({"scopes": ["read"]}), json!({"scopes": ["write"]})), 200);
    assert_eq!(ask(json!({"scopes": ["read"]}), json!({})), 403);
    assert_eq!(ask(json!({}), json!({"scopes": ["read", "writ"]})), 403);
    let settings = json!({"auth": {"any_of": ["jwt"]}, "challenges": true});
    let mut world = World::new(settings, routes()).with_issuer(json!({}));
    let with = |scope: &str| token(json!({"sub": "app-1", "scope": scope}));
    assert_eq!(world.ask(10, &[path, ("authorization", &with("write admin read"))]).status(), 200);
    let asked = world.ask(10, &[path, ("authorization", &with("write"))]);
    assert_eq!(asked.refusal, Some(Refusal::InsufficientScope("read write".to_owned())));
}

#[test]
fn challenges_tell_a_missing_credential_from_a_wrong_one() {
    let ask = |headers: &[(&str, &str)]| {
        World::new(json!({"challenges": true}), [json!({}), json!({})]).ask(0, headers).refusal
    };
    assert_eq!(ask(&[]), Some(Refusal::Unauthenticated { presented: false }));
    assert_eq!(ask(&[("x-api-key", "junk")]), Some(Refusal::Unauthenticated { presented: true }));
}

#[test]
fn a_signature_is_accepted_once_and_only_while_it_is_fresh() {
    let settings =
        json!({"auth": {"any_of": ["signature"]}, "signatures": {"max_age_seconds": 60}});
    let mut world =
        World::new(settings, [json!({}), json!({})]).with_consumer(json!({}), json!({}));
    let mut ask = |now_s, headers: [(&'static str, String); 2]| {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        world.ask(now_s, &headers).status()
    };
    assert_eq!(ask(100, signed(100, "a")), 200);
    assert_eq!(ask(100, signed(100, "a")), 403, "replayed");
    assert_eq!(ask(100, signed(100, "b")), 200);
    assert_eq!(ask(200, signed(100, "c")), 403, "too old");
    let mut changed = signed(100, "d");
    changed[0].1 = changed[0].1.replace("\"d\"", "\"e\"");
    assert_eq!(ask(100, changed), 403, "changed");
}

#[test]
fn addresses_are_let_in_by_site_consumer_and_key() {
    let one = key(1).reveal().to_owned();
    let list = json!({"ip": {"allow": ["192.0.2.0/24"], "deny": ["192.0.2.9"]}});
    for place in 0..3 {
        let at = |wanted| if place == wanted { list.clone() } else { json!({}) };
        let mut world = World::new(at(0), [json!({}), json!({})]).with_consumer(at(1), at(2));
        for (address, status) in
            [("192.0.2.1", 200), ("192.0.2.9", 403), ("198.51.100.1", 403), ("2001:db8::1", 403)]
        {
            world.address = Some(address.parse().expect("an address"));
            assert_eq!(
                world.ask(0, &[("x-api-key", &one)]).status(),
                status,
                "{address} at place {place}"
            );
        }
        world.address = None;
        assert_eq!(
            world.ask(0, &[("x-api-key", &one)]).status(),
            403,
            "an unknown address at place {place}"
        );
    }
}

#[test]
fn what_a_record_promises_and_is_not_there_refuses() {
    let one = key(1).reveal().to_owned();
    let mut world = World::plain();
    world.keys[0].has_details = true;
    assert_eq!(world.ask(0, &[("x-api-key", &one)]).status(), 403);
    let mut world = World::plain();
    world.keys[0].plan = 7;
    assert_eq!(world.ask(0, &[("x-api-key", &one)]).refusal, Some(Refusal::NotReady));
    let mut world = World::plain();
    world.keys[0].kind = CredentialKind::Subject;
    assert_eq!(world.ask(0, &[("x-api-key", &one)]).status(), 403, "a record of another kind");
}
