//! The rate limits of the API itself.

use admin::http::caller::Peer;
use admin::rate_limit::Allowed;
use axum::body::Body;
use axum::http::{Method, Request};
use futures::future::join_all;
use tower::ServiceExt as _;

use crate::harness::{Options, with_api};

#[tokio::test]
async fn a_principal_gets_so_much_and_no_more() {
    with_api(async |api| {
        let rate_limits = Allowed { per_principal: 2, ..Allowed::default() };
        let api = api.with(Options { rate_limits, ..Options::default() });
        // Two tokens come back each second, so all these requests at once are more than the limit
        // gives meanwhile.
        let answers = join_all((0..50).map(|_| api.get("/v1/tenants"))).await;
        let (given, mut refused): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status == 200);
        assert!(given.len() >= 10, "{} of a burst of 10", given.len());
        let refused = refused.pop().expect("a refusal").problem(429, "rate-limited");
        assert_eq!(refused.header("retry-after"), "1");
        assert_eq!(refused.header("ratelimit-policy"), "\"principal\";q=10;w=5");
        assert_eq!(refused.header("ratelimit"), "\"principal\";r=0;t=1");
        // A caller without credentials takes nothing of the limit.
        api.anonymous(Method::GET, "/v1/tenants").send().await.problem(401, "missing-token");
        api.anonymous(Method::GET, "/healthz").send().await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn an_address_gets_so_much_and_no_more() {
    with_api(async |api| {
        let rate_limits = Allowed {
            per_address: 1,
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            ..Allowed::default()
        };
        let api = api.with(Options { rate_limits, ..Options::default() });
        // One token comes back each second; none comes before the pause is over.
        tokio::time::pause();
        let call = async |peer: &str, forwarded: &str, path: &str| {
            let mut request = Request::get(path)
                .header("x-forwarded-for", forwarded)
                .body(Body::empty())
                .unwrap();
            request.extensions_mut().insert(Peer(peer.parse().unwrap()));
            let Ok(response) = api.router.clone().oneshot(request).await;
            response.status().as_u16()
        };
        for _ in 0..5 {
            assert_eq!(call("192.0.2.1", "", "/v1/tenants").await, 401);
        }
        assert_eq!(call("192.0.2.1", "", "/v1/tenants").await, 429);
        assert_eq!(
            call("192.0.2.1", "198.51.100.1", "/v1/nothing").await,
            429,
            "an untrusted peer says nothing"
        );
        assert_eq!(
            call("10.0.0.1", "192.0.2.1", "/v1/tenants").await,
            429,
            "the client of a trusted proxy"
        );
        assert_eq!(
            call("10.0.0.1", "192.0.2.2", "/v1/tenants").await,
            401,
            "another of its clients"
        );
        assert_eq!(call("192.0.2.1", "", "/healthz").await, 200, "probes are not limited");
        tokio::time::resume();
    })
    .await;
}
