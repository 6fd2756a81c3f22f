//! Key sets over time.

use std::sync::Arc;
use std::time::Duration;

use policy::id::{SiteId, Uuid};
use service::jobs::{JobSpec, Jobs};
use xds_server::cells::Cells;
use xds_server::jwks::{FetchSettings, Fetcher, Keyring, Saver, Worker};

use crate::issuer::{Issuer, Manner, set};
use crate::site::{publish, pushed, site, until};

/// A worker, which ends when this is dropped.
struct Working {
    keyring: Arc<Keyring>,
    cells: Arc<Cells>,
    _jobs: Jobs,
}

/// Starts a worker that fetches each set again after this time.
fn working(max_lifetime: Duration) -> Working {
    let (keyring, cells) = (Arc::new(Keyring::default()), Arc::new(Cells::default()));
    let settings = FetchSettings {
        allow_private: true,
        max_lifetime,
        timeout: Duration::from_secs(120),
        ..FetchSettings::default()
    };
    let fetcher = Fetcher::new(&settings).expect("a fetcher");
    let jobs = Jobs::new(service::ambient::now, || 0.5);
    let worker =
        Worker::new(Arc::clone(&keyring), Arc::clone(&cells), fetcher, Arc::new(Saver::default()));
    jobs.spawn_once(JobSpec::new("jwks_worker"), |job| worker.run(job));
    Working { keyring, cells, _jobs: jobs }
}

fn id(number: u128) -> SiteId {
    SiteId(Uuid::from_u128(number))
}

#[tokio::test]
async fn a_new_key_is_pushed_to_all_sites_and_the_last_good_set_stays_while_the_issuer_is_down() {
    let issuer = Issuer::http(Manner::Ok("", set("one"))).await;
    let Working { keyring, cells, _jobs } = working(Duration::from_millis(100));
    for number in [1, 2] {
        publish(&keyring, &cells, site(number, &[issuer.url()]));
    }
    let both_have =
        async |kid: &str| [1, 2].iter().all(|number| pushed(&cells, id(*number)) == canonical(kid));
    until("the first set is pushed", async || both_have("one").await).await;

    issuer.set_manner(Manner::Ok("", set("two")));
    until("the second set is pushed", async || both_have("two").await).await;

    for down in [Manner::Status("500 Oops"), Manner::Closing, Manner::Ok("", "<html>".to_owned())] {
        let asked = issuer.asked();
        issuer.set_manner(down.clone());
        until("it is asked again", async || issuer.asked() > asked).await;
        assert!(both_have("two").await, "{down:?}");
        publish(&keyring, &cells, site(1, &[issuer.url()]));
        assert!(both_have("two").await, "{down:?}, and the site was changed");
    }

    issuer.set_manner(Manner::Ok("", set("three")));
    until("the third set is pushed", async || both_have("three").await).await;

    issuer.set_manner(Manner::Ok("", r#"{"keys":[]}"#.to_owned()));
    until("an issuer that takes its keys away is believed", async || {
        pushed(&cells, id(1)) == r#"{"keys":[]}"#
    })
    .await;
}

/// The pushed form of a set.
fn canonical(kid: &str) -> String {
    format!(r#"{{"keys":[{{"e":"AQAB","kid":"{kid}","kty":"RSA","n":"AQAB"}}]}}"#)
}

#[tokio::test]
async fn the_sites_of_a_url_read_it_once() {
    let issuer = Issuer::http(Manner::Ok("", set("one"))).await;
    let Working { keyring, cells, _jobs } = working(Duration::from_secs(3600));
    for number in 1..=50 {
        publish(&keyring, &cells, site(number, &[issuer.url(), issuer.url()]));
    }
    until("all have it", async || {
        (1..=50).all(|number| pushed(&cells, id(number)) == canonical("one"))
    })
    .await;
    publish(&keyring, &cells, site(51, &[issuer.url()]));
    assert_eq!(pushed(&cells, id(51)), canonical("one"), "what comes later has it from the start");
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn a_tenant_whose_issuers_are_silent_holds_up_no_other() {
    let silent = Issuer::http(Manner::Silent).await;
    let issuer = Issuer::http(Manner::Ok("", set("one"))).await;
    let Working { keyring, cells, _jobs } = working(Duration::from_secs(3600));
    let many: Vec<_> = (0..500).map(|number| format!("{}&{number}", silent.url())).collect();
    publish(&keyring, &cells, site(1, &many));
    until("the silent ones are waited for", async || silent.asked() >= 4).await;
    publish(&keyring, &cells, site(2, &[issuer.url()]));
    until("the other tenant has its set", async || pushed(&cells, id(2)) == canonical("one")).await;
    assert_eq!(
        silent.asked(),
        4,
        "no more than one tenant may have under way, as none has ended yet"
    );
}

#[tokio::test]
async fn an_issuer_that_is_removed_is_not_asked_any_more() {
    let issuer = Issuer::http(Manner::Ok("", set("one"))).await;
    let other = Issuer::http(Manner::Ok("", set("one"))).await;
    let Working { keyring, cells, _jobs } = working(Duration::from_millis(50));
    publish(&keyring, &cells, site(1, &[issuer.url()]));
    until("it is asked again and again", async || issuer.asked() > 2).await;
    keyring.hold().remove(id(1));
    publish(&keyring, &cells, site(2, &[other.url()]));
    until("the worker has heard of it", async || other.asked() > 0).await;
    // Fetches that were under way have ended by now.
    let start = other.asked();
    until("time goes by", async || other.asked() > start + 3).await;
    let asked = issuer.asked();
    let start = other.asked();
    until("more time goes by", async || other.asked() > start + 10).await;
    assert_eq!(issuer.asked(), asked);
}
