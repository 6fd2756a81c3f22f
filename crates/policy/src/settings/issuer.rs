//! The issuers of the tokens that a site accepts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Checked, Faults};

/// The longest leeway, in seconds: clocks that are further apart need mending.
const MAX_LEEWAY_S: u32 = 600;
/// The longest `max_age_seconds`: ten years.
const MAX_AGE_S: u32 = 10 * 366 * 86_400;
const MAX_AUDIENCES: usize = 32;
const MAX_REQUIRED_CLAIMS: usize = 32;
const MAX_UPSTREAM_HEADERS: usize = 16;
/// The most bytes of an inline JWK Set.
pub const MAX_JWKS_BYTES: usize = 64 * 1024;

/// A signature algorithm of JWS (RFC 7518 section 3.1, RFC 8037). `none` is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[expect(missing_docs, reason = "the names are those of the RFCs")]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
    HS256,
    HS384,
    HS512,
}

impl Algorithm {
    /// True for an HMAC, whose key is a shared secret.
    pub fn is_symmetric(self) -> bool {
        matches!(self, Self::HS256 | Self::HS384 | Self::HS512)
    }
}

/// An issuer of JSON Web Tokens. Its keys come from one of `jwks_uri`, `jwks` and a shared secret,
/// which is kept apart from these settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// The value that a token's `iss` must have, byte for byte.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "https://login.example.com/", min_length = 1, max_length = 512)
    )]
    pub issuer: String,
    /// The URL at which the issuer publishes its keys (RFC 7517 section 5): an https URL, which the
    /// control plane reads and keeps fresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(example = "https://login.example.com/.well-known/jwks.json", max_length = 2048)
    )]
    pub jwks_uri: Option<String>,
    /// The keys themselves, as a JWK Set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub jwks: Option<Value>,
    /// The algorithms that are accepted, each once; they are all symmetric, with a shared secret,
    /// or none of them is.
    pub algorithms: Vec<Algorithm>,
    /// A token's `aud` has to name one of these. Empty: it is not looked at.
    #[serde(default)]
    #[cfg_attr(
        feature = "openapi",
        schema(max_items = 32, example = json!(["https://api.example.com"]))
    )]
    pub audiences: Vec<String>,
    /// Claims that have to be there, and their values: a text, a number, a truth value; `null` for
    /// any value. A claim that is a list has to hold the value. A dot in a name leads into an
    /// object.
    #[serde(default)]
    #[cfg_attr(
        feature = "openapi",
        schema(
            value_type = Object,
            example = json!({"email_verified": true, "realm.name": "prod"})
        )
    )]
    pub required_claims: BTreeMap<String, Value>,
    /// The most that the clocks of issuer and gateway may differ, in seconds; for `exp`, `nbf` and
    /// `iat`. Default: 30.
    #[serde(default = "default_leeway_s")]
    #[cfg_attr(feature = "openapi", schema(maximum = 600, default = 30))]
    pub leeway_seconds: u32,
    /// The greatest age of a token by its `iat`, which it then must have, in seconds. Default: any
    /// age until it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 316224000))]
    pub max_age_seconds: Option<u32>,
    /// The claim whose value names the consumer, by the subjects that the consumer lists. Default:
    /// `sub`.
    #[serde(default = "default_consumer_claim")]
    #[cfg_attr(feature = "openapi", schema(default = "sub", min_length = 1, max_length = 128))]
    pub consumer_claim: String,
    /// True to refuse a token whose consumer is not known; false to let it go without a consumer.
    /// Default: true.
    #[serde(default = "default_true")]
    #[cfg_attr(feature = "openapi", schema(default = true))]
    pub require_consumer: bool,
    /// The claim that lists the scopes, as a text with spaces (RFC 8693 section 4.2) or as a list
    /// of texts. Default: `scope`.
    #[serde(default = "default_scope_claim")]
    #[cfg_attr(feature = "openapi", schema(default = "scope", min_length = 1, max_length = 128))]
    pub scope_claim: String,
    /// Headers for the upstream: name of the header to name of the claim. Such headers of the
    /// client are removed.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = json!({"x-user-email": "email"})))]
    pub upstream_headers: BTreeMap<String, String>,
}

fn default_leeway_s() -> u32 {
    30
}

fn default_consumer_claim() -> String {
    "sub".to_owned()
}

fn default_scope_claim() -> String {
    "scope".to_owned()
}

fn default_true() -> bool {
    true
}

impl Checked for Issuer {
    fn check(&self, faults: &mut Faults) {
        faults.at("issuer", |faults| faults.text(&self.issuer, 512));
        self.check_keys(faults);
        faults.each("audiences", &self.audiences, MAX_AUDIENCES, |faults, audience| {
            faults.text(audience, 512)
        });
        faults.at("required_claims", |faults| {
            if self.required_claims.len() > MAX_REQUIRED_CLAIMS {
                faults.add(format!("at most {MAX_REQUIRED_CLAIMS} are allowed"));
            }
            for (claim, value) in &self.required_claims {
                faults.at(claim, |faults| {
                    faults.text(claim, 128);
                    if value.is_array() || value.is_object() {
                        faults.add(
                            "has to be a text, a number, a truth value, or null for any value",
                        );
                    }
                });
            }
        });
        if self.leeway_seconds > MAX_LEEWAY_S {
            faults.at("leeway_seconds", |faults| {
                faults.add(format!("has to be at most {MAX_LEEWAY_S}"))
            });
        }
        if self.max_age_seconds.is_some_and(|age| age == 0 || age > MAX_AGE_S) {
            faults
                .at("max_age_seconds", |faults| faults.add(format!("has to be 1 to {MAX_AGE_S}")));
        }
        for (field, claim) in
            [("consumer_claim", &self.consumer_claim), ("scope_claim", &self.scope_claim)]
        {
            faults.at(field, |faults| faults.text(claim, 128));
        }
        faults.at("upstream_headers", |faults| {
            if self.upstream_headers.len() > MAX_UPSTREAM_HEADERS {
                faults.add(format!("at most {MAX_UPSTREAM_HEADERS} are allowed"));
            }
            for (header, claim) in &self.upstream_headers {
                faults.at(header, |faults| {
                    faults.header(header);
                    if header.eq_ignore_ascii_case("authorization") {
                        faults.add("choose another header: this one carries credentials");
                    }
                    faults.text(claim, 128);
                });
            }
        });
    }
}

impl Issuer {
    fn check_keys(&self, faults: &mut Faults) {
        if self.jwks_uri.is_some() && self.jwks.is_some() {
            faults.at("jwks", |faults| faults.add("give jwks_uri or jwks, not both"));
        }
        faults.at("jwks_uri", |faults| {
            if let Some(uri) = &self.jwks_uri {
                let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"));
                let visible = uri.len() <= 2048 && uri.bytes().all(|byte| byte.is_ascii_graphic());
                let authority =
                    rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
                if !visible || authority.is_empty() || authority.contains('@') {
                    faults.add(
                        "has to be an https URL without user information, of at most 2048 \
                         characters",
                    );
                }
            }
        });
        faults.at("jwks", |faults| {
            if let Some(jwks) = &self.jwks {
                let keys = jwks.get("keys").and_then(Value::as_array);
                if keys.is_none_or(Vec::is_empty) {
                    faults.add(
                        "has to be a JWK Set (RFC 7517 section 5): {\"keys\": [...]}, with at \
                         least one key",
                    );
                }
                if jwks.to_string().len() > MAX_JWKS_BYTES {
                    faults.add("has to be at most 64 KiB");
                }
            }
        });
        faults.at("algorithms", |faults| {
            if self.algorithms.is_empty() {
                faults.add("name at least one, such as RS256");
            }
            let repeated = self.algorithms.iter().enumerate();
            if repeated
                .clone()
                .any(|(index, one)| self.algorithms.iter().take(index).any(|other| other == one))
            {
                faults.add("each may be named once");
            }
            let symmetric =
                self.algorithms.iter().filter(|algorithm| algorithm.is_symmetric()).count();
            let keyed = self.jwks_uri.is_some() || self.jwks.is_some();
            if symmetric != 0 && symmetric != self.algorithms.len() {
                faults
                    .add("HS256, HS384 and HS512 cannot stand beside algorithms with public keys");
            } else if symmetric != 0 && keyed {
                faults.add("HS256, HS384 and HS512 take a shared secret, not a JWK Set");
            } else if symmetric == 0 && !keyed && !self.algorithms.is_empty() {
                faults.add("these algorithms need jwks_uri or jwks");
            }
        });
    }
}
