//! A single fetch.

use std::time::{Duration, Instant};

use xds_server::jwks::{FetchError, FetchSettings, Fetcher, SetError};

use crate::issuer::{Issuer, Manner, set};

/// A fetcher that may reach private networks.
fn private(settings: FetchSettings) -> Fetcher {
    Fetcher::new(&FetchSettings { allow_private: true, ..settings }).expect("a fetcher")
}

fn trusting(issuer: &Issuer) -> FetchSettings {
    let authorities_pem = issuer.authority_pem.as_ref().map(|pem| pem.clone().into_bytes());
    FetchSettings { authorities_pem, ..patient() }
}

/// Settings that wait long enough for everything that ends.
fn patient() -> FetchSettings {
    FetchSettings { timeout: Duration::from_secs(60), ..FetchSettings::default() }
}

#[tokio::test]
async fn a_set_is_read_by_https_with_its_lifetime() {
    let body = r#"{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"1","x5c":["x"]},
        {"kty":"oct","k":"s"}]}"#;
    let issuer = Issuer::https(Manner::Ok(
        "cache-control: public, max-age=1200\r\nage: 200\r\n",
        body.to_owned(),
    ))
    .await;
    let fetched = private(trusting(&issuer)).fetch(&issuer.url()).await.unwrap();
    assert_eq!(
        &*fetched.set.text,
        r#"{"keys":[{"crv":"P-256","kid":"1","kty":"EC","x":"AA","y":"AA"}]}"#
    );
    assert_eq!((fetched.set.keys, fetched.set.left_out), (1, 1));
    assert_eq!(fetched.lifetime, Duration::from_secs(1000));
    let short = FetchSettings { max_lifetime: Duration::from_secs(7), ..trusting(&issuer) };
    assert_eq!(private(short).fetch(&issuer.url()).await.unwrap().lifetime, Duration::from_secs(7));
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let issuer = Issuer::https(Manner::Ok("", set("1"))).await;
    let error = private(patient()).fetch(&issuer.url()).await.unwrap_err();
    assert!(matches!(error, FetchError::Transport { .. }), "{error:?}");
    assert!(!error.to_string().contains("hidden"), "{error}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Issuer::http(Manner::Ok("", set("1"))).await;
    let location: &'static str = format!("302 Found\r\nlocation: {}", target.url()).leak();
    let issuer = Issuer::http(Manner::Status(location)).await;
    let error = private(patient()).fetch(&issuer.url()).await.unwrap_err();
    assert!(matches!(error, FetchError::Status { status } if status == 302), "{error:?}");
    assert_eq!((issuer.asked(), target.asked()), (1, 0));
}

#[tokio::test]
async fn an_answer_that_is_no_set_is_refused() {
    let issuer = Issuer::http(Manner::Status("500 Oops")).await;
    let fetcher = private(patient());
    let outcome = async |manner| {
        issuer.set_manner(manner);
        fetcher.fetch(&issuer.url()).await.unwrap_err()
    };
    assert!(matches!(outcome(Manner::Status("204 No Content")).await, FetchError::Status { .. }));
    assert!(matches!(outcome(Manner::Status("503 Oops")).await, FetchError::Status { .. }));
    assert!(matches!(outcome(Manner::Closing).await, FetchError::Transport { .. }));
    let html = Manner::Ok("", "<html>".to_owned());
    assert!(matches!(outcome(html).await, FetchError::Set(SetError::NotJson)));
    let other = Manner::Ok("", r#"{"issuer":"x"}"#.to_owned());
    assert!(matches!(outcome(other).await, FetchError::Set(SetError::NotASet)));
}

#[tokio::test]
async fn an_answer_without_end_is_given_up_at_its_bound() {
    let issuer = Issuer::http(Manner::Endless).await;
    let error = private(patient()).fetch(&issuer.url()).await.unwrap_err();
    assert!(matches!(error, FetchError::TooLarge), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_given_up_in_time() {
    let fetcher =
        private(FetchSettings { timeout: Duration::from_millis(400), ..FetchSettings::default() });
    for manner in [Manner::Silent, Manner::Dripping] {
        let issuer = Issuer::http(manner.clone()).await;
        let start = Instant::now();
        let error = fetcher.fetch(&issuer.url()).await.unwrap_err();
        assert!(matches!(error, FetchError::Timeout), "{manner:?}: {error:?}");
        assert!(start.elapsed() >= Duration::from_millis(400));
    }
}

#[tokio::test]
async fn what_is_near_this_program_is_not_connected_to() {
    let issuer = Issuer::https(Manner::Ok("", set("1"))).await;
    let fetcher = Fetcher::new(&trusting(&issuer)).unwrap();
    let port = issuer.address.port();
    for host in
        ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0", "[::1]", "[::ffff:127.0.0.1]"]
    {
        let error = fetcher.fetch(&format!("https://{host}:{port}/keys")).await.unwrap_err();
        assert!(matches!(error, FetchError::PrivateAddress), "{host}: {error:?}");
    }
    for url in
        ["https://169.254.169.254/latest/meta-data", "https://10.0.0.1/", "https://[fd00::1]/"]
    {
        assert!(
            matches!(fetcher.fetch(url).await.unwrap_err(), FetchError::PrivateAddress),
            "{url}"
        );
    }
    for url in [
        format!("http://127.0.0.1:{port}/keys"),
        "file:///etc/passwd".to_owned(),
        "keys".to_owned(),
    ] {
        assert!(matches!(fetcher.fetch(&url).await.unwrap_err(), FetchError::Url), "{url}");
    }
    assert_eq!(issuer.asked(), 0);
    // The same URL works on a network where private addresses are allowed.
    assert!(private(trusting(&issuer)).fetch(&issuer.url()).await.is_ok());
}

#[test]
fn certificates_that_are_none_are_said_to_be_wrong() {
    let pem = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec();
    assert!(
        Fetcher::new(&FetchSettings { authorities_pem: Some(pem), ..FetchSettings::default() })
            .is_err()
    );
}
