//! Receipts: the Envoys that have a change, as the admin API reports them.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use stack::Stack;
use tenantry_tests::{THING, Things, eventually, finish};

/// The status of a site in the admin API.
async fn status(things: &Things) -> Value {
    things.stack.api.get(&format!("{}/status", things.site.path)).await.expect("a status")
}

/// The connected Envoys, as operators see them.
async fn envoys(things: &Things) -> Value {
    things.stack.api.get("/v1/operator/envoys").await.expect("a list")
}

#[tokio::test]
async fn a_revocation_that_was_waited_for_is_refused_by_all_envoys_when_it_is_answered() {
    let things = Things::start(Stack::builder("receipt").envoys(2)).await;
    for number in 0..5 {
        let key = things.site.key(&format!("other-{number}")).await;
        things.settled(THING, &key, 200).await;
        let answer =
            things.stack.api.delete(&format!("{}?wait=20", key.path)).await.expect("a revocation");
        assert_eq!(
            answer["receipt"],
            json!({"envoys": 2, "acked": 2, "pending": [], "refused": []})
        );
        for gateway in &things.gateways {
            let first = gateway.get(&things.site.hostname, THING, &key.text).await;
            assert_eq!(first.status, 403, "it is refused by 2 of 2");
        }
    }
    finish(things.stack).await;
}

#[tokio::test]
async fn a_route_that_was_waited_for_serves_when_it_is_answered() {
    let things = Things::start(Stack::builder("receipt-route").envoys(2)).await;
    for number in 0..5 {
        let routes = format!("{}/routes?wait=20", things.version.path);
        let body = json!({"methods": ["GET"], "path": format!("/{{id}}/more-{number}")});
        let answer = things.stack.api.post(&routes, body).await.expect("a route");
        assert_eq!(answer["receipt"]["acked"], 2, "{answer}");
        for gateway in &things.gateways {
            let path = format!("{THING}/more-{number}");
            assert_eq!(
                gateway.get(&things.site.hostname, &path, &things.key.text).await.status,
                200
            );
        }
    }
    let status = status(&things).await;
    assert_eq!((&status["state"], &status["refusal"]), (&json!("acked"), &Value::Null), "{status}");
    assert_eq!(status["envoys"].as_array().map(Vec::len), Some(2), "{status}");
    finish(things.stack).await;
}

#[tokio::test]
async fn an_envoy_that_does_not_answer_is_named_until_it_does() {
    let things = Things::start(Stack::builder("receipt-pending").envoys(2)).await;
    let in_sync = |listed: &Value| {
        let items = listed["items"].as_array();
        items.is_some_and(|items| {
            items.len() == 2 && items.iter().all(|envoy| envoy["mirror"]["acked_seq"].is_number())
        })
    };
    let listed = eventually("both Envoys", || envoys(&things), in_sync).await;
    for (index, envoy) in listed["items"].as_array().expect("a list").iter().enumerate() {
        assert_eq!(envoy["node_id"], format!("edge-{index}"));
        assert_eq!(envoy["ads"]["version"], "1.40.0", "{envoy}");
    }
    let paused = Pid::from_raw(things.stack.envoys[1].service.pid().expect("it runs"));
    kill(paused, Signal::SIGSTOP).expect("a pause");
    let renamed = json!({"settings": {"challenges": true}});
    let change = || async {
        let change = format!("{}?wait=1", things.site.path);
        things.stack.api.patch(&change, renamed.clone()).await.expect("a change")
    };
    // The other Envoy may need more than that second.
    let pending =
        json!({"envoys": 2, "acked": 1, "pending": [{"node_id": "edge-1"}], "refused": []});
    let answer =
        eventually("edge-1 alone is waited for", change, |answer| answer["receipt"] == pending)
            .await;
    assert_eq!(answer["slug"], "acme", "the answer is what it is without a receipt");
    let stuck = status(&things).await;
    assert_eq!(
        (&stuck["state"], &stuck["envoys"][1]["state"]),
        (&json!("pending"), &json!("pending")),
        "{stuck}"
    );
    assert!(envoys(&things).await["items"][1]["lag_ms"].as_i64().is_some_and(|lag| lag > 0));
    kill(paused, Signal::SIGCONT).expect("an end of the pause");
    eventually("edge-1 catches up", || status(&things), |status| status["state"] == "acked").await;
    finish(things.stack).await;
}

#[tokio::test]
async fn an_envoy_that_is_gone_is_not_waited_for() {
    let mut things = Things::start(Stack::builder("receipt-gone").envoys(2)).await;
    things.stack.envoys[1].service.stop().await.expect("an end");
    let one = |listed: &Value| listed["items"].as_array().map(Vec::len) == Some(1);
    eventually("one Envoy is left", || envoys(&things), one).await;
    let answer = things
        .stack
        .api
        .delete(&format!("{}?wait=20", things.key.path))
        .await
        .expect("a revocation");
    assert_eq!(answer["receipt"], json!({"envoys": 1, "acked": 1, "pending": [], "refused": []}));
    finish(things.stack).await;
}
