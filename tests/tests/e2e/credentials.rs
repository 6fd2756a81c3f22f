//! Places of credentials, and the credentials that a route asks for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::json;
use stack::Stack;
use tenantry_tests::{THING, Things, echo, eventually, finish, gateways, start, tenant::Tenant};

/// Holds for the first request of a site, which Envoy begins anew when it has loaded the routes,
/// and for later ones.
#[tokio::test]
async fn a_key_is_taken_where_the_site_says_and_stays_at_the_gateway() {
    let stack = start(Stack::builder("key-places")).await;
    let upstream = echo("things");
    let tenant = Tenant::create(&stack.api, "Acme").await;
    let gateway = gateways(&stack)[0].clone();
    for (number, source) in [
        json!({"in": "basic"}),
        json!({"in": "header", "name": "X-App"}),
        json!({"in": "query", "name": "key"}),
    ]
    .into_iter()
    .enumerate()
    {
        let site = tenant.site(&format!("acme-{number}")).await;
        site.serve_things(upstream.addr).await;
        site.set(json!({ "key_sources": [source] })).await;
        let key = site.key("app").await;
        let basic = format!("Basic {}", STANDARD.encode(format!("anyone:{}", key.text)));
        let path = if number == 2 {
            format!("{THING}?a=1&key={}&b=2", key.text)
        } else {
            THING.to_owned()
        };
        let header = match number {
            0 => vec![("authorization", basic.as_str())],
            1 => vec![("x-app", key.text.as_str())],
            _ => vec![],
        };
        let ask = || gateway.send(Method::GET, &site.hostname, &path, &header);
        for temperature in ["cold", "warm"] {
            let answer = eventually(temperature, ask, |answer| answer.status == 200).await;
            assert!(!answer.body.contains("tnt_"), "{source}, {temperature}: {}", answer.body);
            assert_eq!(
                (answer.upstream_saw("authorization"), answer.upstream_saw("x-app")),
                (None, None)
            );
            assert_eq!(answer.upstream_saw("x-tenantry-credential"), None);
            let expected = if number == 2 { "/1?a=1&b=2" } else { "/1" };
            assert_eq!(answer.json()["path"], expected);
        }
        let elsewhere =
            gateway.send(Method::GET, &site.hostname, THING, &[("x-api-key", &key.text)]).await;
        elsewhere.assert_problem(403);
    }
    for received in upstream.received() {
        assert!(
            !format!("{received:?}").contains("tnt_"),
            "an earlier request carried the key: {received:?}"
        );
    }
    let log = std::fs::read_to_string(&stack.envoys[0].service.launch.log).expect("the log");
    assert!(!log.contains("tnt_"), "a key is in Envoy's log");
    finish(stack).await;
}

#[tokio::test]
async fn public_routes_are_open_and_the_others_are_not() {
    let things = Things::start(Stack::builder("public")).await;
    things.version.route_with(&["GET"], "/open/door", json!({ "auth": "none" })).await;
    let open = || things.send(Method::GET, "/things/v1/open/door", &[]);
    let answer = eventually("the open door", open, |answer| answer.status == 200).await;
    assert_eq!(answer.upstream_saw("x-tenantry-site"), Some(things.site.id.clone()));
    assert_eq!(answer.upstream_saw("x-tenantry-consumer"), None);
    let forged = [("x-tenantry-consumer", "forged")];
    let answer = things.send(Method::GET, "/things/v1/open/door", &forged).await;
    assert_eq!(answer.upstream_saw("x-tenantry-consumer"), None);
    things.send(Method::GET, THING, &[]).await.assert_problem(403);
    things.send(Method::GET, "/things/v1/open/window", &[]).await.assert_problem(403);
    finish(things.stack).await;
}

#[tokio::test]
async fn scopes_are_asked_for_and_the_site_may_say_so() {
    let things = Things::start(Stack::builder("scopes")).await;
    things.version.route_with(&["POST"], "/{id}", json!({ "scopes": ["things:write"] })).await;
    let writer =
        things.site.key_with("writer", json!({ "settings": { "scopes": ["things:write"] } })).await;
    let write = async |key: &str| things.send(Method::POST, THING, &[("x-api-key", key)]).await;
    eventually("the writer", || write(&writer.text), |answer| answer.status == 200).await;
    write(&things.key.text).await.assert_problem(403);
    things.site.set(json!({ "challenges": true })).await;
    let challenged = eventually("a challenge", || write(""), |answer| answer.status == 401).await;
    assert_eq!(
        challenged.header("www-authenticate"),
        Some(r#"Bearer realm="api", error="invalid_token""#)
    );
    let answer = things.send(Method::POST, THING, &[]).await;
    assert_eq!(answer.header("www-authenticate"), Some(r#"Bearer realm="api""#));
    let answer = write(&things.key.text).await;
    answer.assert_problem(403);
    let expected = r#"Bearer realm="api", error="insufficient_scope", scope="things:write""#;
    assert_eq!(answer.header("www-authenticate"), Some(expected));
    finish(things.stack).await;
}
