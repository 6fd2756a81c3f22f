//! `exp`, `nbf` and `iat`.

use super::*;

const EXPIRES_S: u64 = 2_000_000_600;
const ISSUED_S: u64 = 2_000_000_000;

#[test]
fn a_token_is_good_from_nbf_until_exp_with_leeway() {
    let issuer = issuer(&["EdDSA"]);
    let token = sign(&claims());
    let at = |now_ms: u64| verdict_at(&issuer, &token, now_ms).map(|_| ());
    assert_eq!(at((ISSUED_S - 30) * 1000 - 1), Err(Rejected::NotYet));
    assert_eq!(at((ISSUED_S - 30) * 1000), Ok(()));
    assert_eq!(at((EXPIRES_S + 30) * 1000 - 1), Ok(()));
    assert_eq!(at((EXPIRES_S + 30) * 1000), Err(Rejected::Expired));
    assert_eq!(at(0), Err(Rejected::NotYet));
    assert_eq!(at(u64::MAX), Err(Rejected::Expired));
}

#[test]
fn the_later_of_nbf_and_iat_counts() {
    let issuer = changed(|issuer| issuer.leeway_s = 0);
    for claim in ["nbf", "iat"] {
        let token = sign_with(claim, json!(ISSUED_S + 200));
        assert_eq!(
            verdict_at(&issuer, &token, (ISSUED_S + 199) * 1000).unwrap_err(),
            Rejected::NotYet,
            "{claim}"
        );
        assert!(verdict_at(&issuer, &token, (ISSUED_S + 200) * 1000).is_ok(), "{claim}");
    }
}

#[test]
fn a_token_has_to_expire() {
    assert_eq!(
        verdict(&issuer(&["EdDSA"]), &sign_with("exp", Value::Null)).unwrap_err(),
        Rejected::Undated
    );
}

#[test]
fn the_other_dates_may_be_missing() {
    for claim in ["nbf", "iat"] {
        assert!(verdict(&issuer(&["EdDSA"]), &sign_with(claim, Value::Null)).is_ok(), "{claim}");
    }
}

/// A member that is there has to be a date: it is never skipped, and never wraps around.
#[test]
fn absurd_dates_are_refused() {
    let issuer = issuer(&["EdDSA"]);
    for claim in ["exp", "nbf", "iat"] {
        for date in [
            "1e300",
            "-1e300",
            "1e18",
            "-1",
            "-0.5",
            "-9223372036854775808",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "253402300800",
            // Milliseconds, a common mistake.
            "2000000600000",
            "null",
            "true",
            "\"2000000600\"",
            "[2000000600]",
            "{}",
        ] {
            let mut claims = claims();
            claims[claim] = serde_json::from_str(date).unwrap();
            let refusal = verdict(&issuer, &sign(&claims)).map(|_| ()).unwrap_err();
            assert_eq!(refusal, Rejected::Undated, "{claim}: {date}");
        }
        let payload =
            format!(r#"{{"iss":"https://login.example.com/","exp":2000000600,"{claim}":1e999}}"#);
        assert_eq!(
            verdict(&issuer, &sign_texts(r#"{"alg":"EdDSA"}"#, &payload)).unwrap_err(),
            Rejected::Malformed,
            "{claim}"
        );
    }
}

#[test]
fn dates_may_have_fractions() {
    let issuer = changed(|issuer| issuer.leeway_s = 0);
    let token = sign_with("exp", json!(2_000_000_600.5));
    assert!(verdict_at(&issuer, &token, 2_000_000_600_499).is_ok());
    assert_eq!(verdict_at(&issuer, &token, 2_000_000_600_500).unwrap_err(), Rejected::Expired);
    assert!(verdict(&issuer, &sign_with("exp", json!(2.000_000_6e9))).is_ok());
}

#[test]
fn an_age_needs_iat_and_ends_a_token_early() {
    let issuer = changed(|issuer| issuer.max_age_s = 60);
    let token = sign(&claims());
    assert!(verdict_at(&issuer, &token, (ISSUED_S + 90) * 1000 - 1).is_ok());
    assert_eq!(verdict_at(&issuer, &token, (ISSUED_S + 90) * 1000).unwrap_err(), Rejected::Expired);
    assert_eq!(verdict(&issuer, &sign_with("iat", Value::Null)).unwrap_err(), Rejected::Undated);
    let old = changed(|issuer| issuer.max_age_s = u32::MAX);
    assert_eq!(verdict(&old, &sign(&claims())).unwrap().valid_until_ms(), (EXPIRES_S + 30) * 1000);
}

#[test]
fn the_bounds_of_numbers_hold() {
    let issuer = changed(|issuer| {
        issuer.leeway_s = u32::MAX;
        issuer.max_age_s = u32::MAX;
    });
    let mut claims = claims();
    (claims["exp"], claims["nbf"], claims["iat"]) =
        (json!(253_402_300_799_u64), json!(0), json!(0));
    let verified = verdict_at(&issuer, &sign(&claims), 0).unwrap();
    assert_eq!(verified.valid_from_ms(), 0);
    assert_eq!(verified.valid_until_ms(), 2 * u64::from(u32::MAX) * 1000);
}
