//! Requests that try to make the filter, Envoy's routes and the upstream disagree about their site
//! and route.

use std::fmt::Write as _;

use serde_json::Value;
use stack::Stack;
use tenantry_tests::{
    echo, finish, gateways, raw, settled, start,
    tenant::{Key, Site, Tenant},
};

/// Two sites on one Envoy. In each, `/things/v1/open/{id}` and `/things/v1/secret` go to upstreams
/// of their own.
struct World {
    stack: Stack,
    acme: Owner,
    globex: Owner,
    _upstreams: Vec<stack::echo::Echo>,
}

struct Owner {
    site: Site,
    key: Key,
    routes: Vec<Value>,
}

async fn world(name: &str) -> World {
    let stack = start(Stack::builder(name)).await;
    let gateways = gateways(&stack);
    let mut upstreams = Vec::new();
    let mut owners = Vec::new();
    for name in ["acme", "globex"] {
        let upstream = echo(name);
        let site = Tenant::create(&stack.api, name).await.site(name).await;
        let upstream_id = site.upstream("u", upstream.addr).await;
        let version = site.version("/things", &upstream_id).await;
        version.route(&["GET"], "/open/{id}").await;
        version.route(&["GET"], "/secret").await;
        let key = site.key("app").await;
        settled(&gateways, &site.hostname, "/things/v1/secret", &key.text, 200).await;
        owners.push(Owner { site, key, routes: version.routes().await });
        upstreams.push(upstream);
    }
    let globex = owners.pop().expect("two owners");
    let acme = owners.pop().expect("two owners");
    World { stack, acme, globex, _upstreams: upstreams }
}

impl World {
    /// Sends a request line and header lines as they are, with acme's key.
    async fn send(&self, line: &str, headers: &[&str]) -> raw::RawAnswer {
        let mut request = format!("{line}\r\n");
        for header in headers {
            let _ = write!(request, "{header}\r\n");
        }
        let _ = write!(request, "X-API-Key: {}\r\nConnection: close\r\n\r\n", self.acme.key.text);
        raw::send(self.stack.envoys[0].settings.gateway, request.as_bytes()).await
    }

    /// The template of the route that the upstream was told; asserts that the site that it was told
    /// is acme's.
    fn route_of(&self, echo: &Value) -> String {
        assert_eq!(echo["upstream"], "acme", "{echo}");
        assert_eq!(echo["headers"]["x-tenantry-site"][0], self.acme.site.id.as_str(), "{echo}");
        let id = &echo["headers"]["x-tenantry-route"][0];
        let route = self.acme.routes.iter().find(|route| route["id"] == *id);
        route
            .and_then(|route| route["path"].as_str())
            .unwrap_or_else(|| panic!("not a route of acme: {echo}"))
            .to_owned()
    }
}

/// The outcome for a path: a route, with the path that the upstream gets, or a refusal by the
/// gateway.
enum Comes<'a> {
    To(&'a str, &'a str),
    Refused(&'a [u16]),
}
use Comes::{Refused, To};

#[tokio::test]
async fn a_path_is_what_the_upstream_gets_or_it_is_refused() {
    let world = world("path-games").await;
    let host = format!("Host: {}", world.acme.site.hostname);
    let cases = [
        ("/things/v1/secret", To("/secret", "/secret")),
        ("/things/v1//secret", To("/secret", "/secret")),
        ("//things/v1/secret", To("/secret", "/secret")),
        ("/things/./v1/secret", To("/secret", "/secret")),
        ("/things/v1/open/../secret", To("/secret", "/secret")),
        ("/things/v1/open/%2e%2e/secret", To("/secret", "/secret")),
        ("/things/v1/open/.%2E/secret", To("/secret", "/secret")),
        ("/things/v1/open/x?../secret", To("/open/{id}", "/open/x?../secret")),
        ("/things/v1/%73ecret", To("/secret", "/secret")),
        ("/things/v1/open/..secret", To("/open/{id}", "/open/..secret")),
        ("/things/v1/open/a;b=c", To("/open/{id}", "/open/a;b=c")),
        ("/things/v1/open/%20", To("/open/{id}", "/open/%20")),
        ("/things/v1/Secret", Refused(&[404])),
        ("/Things/v1/secret", Refused(&[404])),
        ("/things/v1/secret/", Refused(&[404])),
        ("/things/v1/open%2Fx", Refused(&[400])),
        ("/things/v1/open%2fx", Refused(&[400])),
        ("/things/v1/open/..%2Fsecret", Refused(&[400])),
        ("/things/v1/open/..%5Csecret", Refused(&[400])),
        ("/things/v1/open/%00", Refused(&[400])),
        ("/things/v1/open/%zz", Refused(&[400])),
        ("/../../things/v1/open", Refused(&[400, 404])),
        ("things/v1/secret", Refused(&[400, 404])),
    ];
    for (path, comes) in cases {
        let answer = world.send(&format!("GET {path} HTTP/1.1"), &[&host]).await;
        match comes {
            To(route, forwarded) => {
                assert_eq!(answer.status(), 200, "{path}: {answer:?}");
                let echo = answer.echo();
                assert_eq!(world.route_of(&echo), route, "{path}");
                assert_eq!(echo["path"], forwarded, "{path}");
            }
            Refused(statuses) => assert!(statuses.contains(&answer.status()), "{path}: {answer:?}"),
        }
    }
    finish(world.stack).await;
}

#[tokio::test]
async fn a_host_is_one_site_however_it_is_written() {
    let world = world("host-games").await;
    let (acme, globex) = (&world.acme.site.hostname, &world.globex.site.hostname);
    let line = "GET /things/v1/secret HTTP/1.1";
    for host in [
        acme.clone(),
        acme.to_uppercase(),
        format!("{acme}:8080"),
        format!("{acme}."),
        format!("{acme}.:80"),
    ] {
        let answer = world.send(line, &[&format!("Host: {host}")]).await;
        assert_eq!(answer.status(), 200, "{host}: {answer:?}");
        assert_eq!(world.route_of(&answer.echo()), "/secret", "{host}");
    }
    // RFC 9112 section 3.2.2: the host of an absolute-form target counts, the header does not.
    let absolute = format!("GET http://{acme}/things/v1/secret HTTP/1.1");
    let answer = world.send(&absolute, &[&format!("Host: {globex}")]).await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert_eq!(world.route_of(&answer.echo()), "/secret");
    let absolute = format!("GET http://{globex}/things/v1/secret HTTP/1.1");
    assert_eq!(
        world.send(&absolute, &[&format!("Host: {acme}")]).await.status(),
        403,
        "acme's key on globex's site"
    );

    let (acme_host, globex_host) = (format!("Host: {acme}"), format!("Host: {globex}"));
    for hosts in [[&acme_host, &globex_host], [&globex_host, &acme_host], [&acme_host, &acme_host]]
    {
        let answer = world.send(line, &[hosts[0], hosts[1]]).await;
        assert!([400, 404].contains(&answer.status()), "two Host headers: {answer:?}");
    }
    for host in [
        "",
        "acme",
        "@",
        "acme.gw.localhost@globex.gw.localhost",
        "acme.gw.localhost,globex.gw.localhost",
        "[::1]",
    ] {
        let answer = world.send(line, &[&format!("Host: {host}")]).await;
        assert!([400, 403, 404].contains(&answer.status()), "Host {host:?}: {answer:?}");
    }
    assert_eq!(world.send(line, &[]).await.status(), 400, "HTTP/1.1 without a Host");
    finish(world.stack).await;
}

/// RFC 9110 section 7.6.1: a `Connection` header names headers that the next hop drops. It must not
/// name ours.
#[tokio::test]
async fn a_client_cannot_have_the_context_dropped_on_the_way() {
    let world = world("hop-by-hop").await;
    let host = format!("Host: {}", world.acme.site.hostname);
    let drop = "Connection: x-tenantry-site, x-tenantry-consumer, x-tenantry-route";
    let answer = world.send("GET /things/v1/secret HTTP/1.1", &[&host, drop]).await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    let echo = answer.echo();
    assert_eq!(world.route_of(&echo), "/secret");
    assert_eq!(echo["headers"]["x-tenantry-consumer"][0], world.acme.key.consumer_id.as_str());
    let connection = echo["headers"]["connection"].to_string();
    assert!(!connection.contains("x-tenantry"), "the upstream was told to drop them: {connection}");
    finish(world.stack).await;
}

#[tokio::test]
async fn over_http2_the_authority_is_the_host() {
    let world = world("http2").await;
    let (acme, globex) = (&world.acme.site.hostname, &world.globex.site.hostname);
    let gateway = world.stack.envoys[0].settings.gateway;
    let client = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge()
        .resolve(acme, gateway)
        .build();
    let client = client.expect("a client");
    let url = format!("http://{acme}:{}/things/v1/%2e/secret", gateway.port());
    for host in [None, Some(globex)] {
        let mut request = client.get(&url).header("x-api-key", &world.acme.key.text);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.version(), reqwest::Version::HTTP_2);
        match response.status().as_u16() {
            200 => assert_eq!(world.route_of(&response.json().await.expect("JSON")), "/secret"),
            // A Host that contradicts the authority may be refused (RFC 9113 section 8.3.1).
            status => assert!(host.is_some() && [400, 403].contains(&status), "{status}"),
        }
    }
    finish(world.stack).await;
}

#[tokio::test]
async fn bytes_that_are_no_text_and_headers_that_are_too_large_do_no_harm() {
    let world = world("byte-games").await;
    let gateway = world.stack.envoys[0].settings.gateway;
    let (host, key) = (&world.acme.site.hostname, &world.acme.key.text);
    let mut invalid = b"GET /things/v1/open/\xff\xfe HTTP/1.1\r\n".to_vec();
    invalid
        .extend(format!("Host: {host}\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n").bytes());
    let answer = raw::send(gateway, &invalid).await;
    match answer.status() {
        200 => assert_eq!(world.route_of(&answer.echo()), "/open/{id}"),
        status => assert_eq!(status, 400, "{answer:?}"),
    }
    let mut invalid_key =
        format!("GET /things/v1/secret HTTP/1.1\r\nHost: {host}\r\nX-API-Key: ").into_bytes();
    invalid_key.extend(b"tnt_live_\xff\xff\r\nConnection: close\r\n\r\n");
    assert_eq!(raw::send(gateway, &invalid_key).await.status(), 403);

    let large = format!("X-Large: {}", "a".repeat(64 * 1024));
    let host = format!("Host: {host}");
    assert_eq!(world.send("GET /things/v1/secret HTTP/1.1", &[&host, &large]).await.status(), 431);
    let long = format!("GET /things/v1/open/{} HTTP/1.1", "a".repeat(64 * 1024));
    assert_eq!(world.send(&long, &[&host]).await.status(), 431);
    let underscores =
        world.send("GET /things/v1/secret HTTP/1.1", &[&host, "x_tenantry_site: forged"]).await;
    assert_eq!(underscores.status(), 400, "some upstreams read an underscore as a hyphen");
    // The gateway works as before.
    assert_eq!(world.send("GET /things/v1/secret HTTP/1.1", &[&host]).await.status(), 200);
    finish(world.stack).await;
}
