use serde_json::json;

use super::*;

fn faults_of<T: Checked + serde::de::DeserializeOwned>(json: serde_json::Value) -> Vec<String> {
    let settings: T = serde_json::from_value(json).expect("settings");
    settings.faults().into_iter().map(|fault| fault.field).collect()
}

#[test]
fn defaults_are_without_fault_and_survive_json() {
    let site: SiteSettings = serde_json::from_value(json!({})).expect("settings");
    assert_eq!(site, SiteSettings::default());
    assert!(site.faults().is_empty());
    let again: SiteSettings =
        serde_json::from_value(serde_json::to_value(&site).expect("json")).expect("settings");
    assert_eq!(again, site);
    assert!(TenantSettings::default().faults().is_empty());
}

#[test]
fn faults_name_their_field() {
    let site = json!({
        "auth": {"any_of": []},
        "key_sources": [{"in": "header", "name": "Authorization"}, {"in": "query", "name": "a b"}],
        "ip": {"allow": ["10.0.0.0/33"], "deny": ["::/0"]},
        "limits": [
            {"name": "a", "requests": 0, "per": "second", "by": [{"header": "x-envoy-x"}]},
            {"name": "a", "requests": 1, "per": "hour", "burst": 0},
        ],
        "quotas": [{"name": "a", "requests": 1, "per": "month"}],
        "signatures": {"components": ["@status", "Date"], "max_age_seconds": 0},
    });
    let expected = [
        "key_sources[0].name",
        "key_sources[1].name",
        "auth.any_of",
        "ip.allow[0]",
        "signatures.components[0]",
        "signatures.components[1]",
        "signatures.max_age_seconds",
        "limits[0].requests",
        "limits[0].by[0].header",
        "limits[1].name",
        "limits[1].burst",
        "quotas[0].name",
    ];
    assert_eq!(faults_of::<SiteSettings>(site), expected);
    assert_eq!(faults_of::<RouteSettings>(json!({"auth": "none", "scopes": ["a"]})), ["auth"]);
    assert_eq!(faults_of::<KeySettings>(json!({"scopes": ["a b"]})), ["scopes[0]"]);
    let by = |by| {
        faults_of::<PlanSettings>(
            json!({"limits": [{"name": "a", "requests": 1, "per": "hour", "by": by}]}),
        )
    };
    assert_eq!(by(json!(["consumer", {"header": "X-A"}, {"header": "x-a"}])), ["limits[0].by"]);
    assert!(by(json!(["consumer", {"header": "a"}, {"claim": "a"}])).is_empty());
}

#[test]
fn an_issuer_has_one_kind_of_key() {
    let faults = |json| faults_of::<Issuer>(json);
    let issuer = |more: serde_json::Value| {
        let mut issuer = json!({"issuer": "https://i.example/"});
        issuer
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        issuer
    };
    assert!(faults(issuer(json!({"algorithms": ["HS256"]}))).is_empty());
    assert!(
        faults(issuer(
            json!({"algorithms": ["RS256", "EdDSA"], "jwks_uri": "https://i.example/jwks"})
        ))
        .is_empty()
    );
    assert_eq!(faults(issuer(json!({"algorithms": ["RS256"]}))), ["algorithms"]);
    assert_eq!(
        faults(issuer(json!({"algorithms": ["RS256", "HS256"], "jwks_uri": "https://i.example/"}))),
        ["algorithms"]
    );
    assert_eq!(
        faults(issuer(json!({"algorithms": ["HS512"], "jwks": {"keys": [{}]}}))),
        ["algorithms"]
    );
    assert_eq!(
        faults(issuer(json!({"algorithms": ["ES256"], "jwks_uri": "https://u@i.example/"}))),
        ["jwks_uri"]
    );
    assert_eq!(faults(issuer(json!({"algorithms": ["ES256"], "jwks": {"keys": []}}))), ["jwks"]);
    assert_eq!(faults(issuer(json!({"algorithms": ["HS256", "HS256"]}))), ["algorithms"]);
    assert!(serde_json::from_value::<Issuer>(issuer(json!({"algorithms": ["none"]}))).is_err());
}

#[test]
fn unknown_fields_are_errors() {
    assert!(serde_json::from_value::<SiteSettings>(json!({"authentication": "none"})).is_err());
    assert!(serde_json::from_value::<KeySource>(json!({"in": "cookie", "name": "k"})).is_err());
    assert!(
        serde_json::from_value::<Limit>(json!({"name": "a", "requests": 1, "per": "fortnight"}))
            .is_err()
    );
}
