//! The bodies that make and change an issuer.

use std::collections::BTreeMap;
use std::fmt;

use policy::settings::{Algorithm, Issuer};
use serde::de::value::MapAccessDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IntoDeserializer as _, MapAccess, Visitor,
};
use serde_json::Value;
use store::issuer;
use utoipa::ToSchema;

use super::check::Subject;
use super::secret::{SharedSecret, least_bytes};
use crate::app::App;
use crate::forms::check::Check;
use crate::http::body::present;
use crate::http::problem::Problem;

/// The field that is no part of an issuer's settings.
const SECRET: &str = "shared_secret";

/// A new issuer: its settings, and beside them the shared secret.
#[derive(Debug)]
pub(super) struct NewIssuer {
    settings: Issuer,
    secret: Option<SharedSecret>,
}

impl NewIssuer {
    pub(super) fn checked(self, app: &App) -> Result<issuer::NewIssuer, Problem> {
        let secret = self.secret.as_ref();
        refuse(&Subject {
            issuer: &self.settings,
            secret,
            kept_bytes: 0,
            allow_http: app.allow_http_jwks,
        })?;
        let shared_secret = self.secret.map(SharedSecret::into_secret);
        Ok(issuer::NewIssuer { settings: self.settings, shared_secret })
    }
}

impl<'de> Deserialize<'de> for NewIssuer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NewIssuerVisitor)
    }
}

struct NewIssuerVisitor;

impl<'de> Visitor<'de> for NewIssuerVisitor {
    type Value = NewIssuer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<NewIssuer, A::Error> {
        let mut secret = None;
        let settings = Issuer::deserialize(MapAccessDeserializer::new(WithoutSecret {
            map,
            secret: &mut secret,
        }))?;
        Ok(NewIssuer { settings, secret })
    }
}

/// The fields of an object without the secret, which is put aside. (`serde(flatten)` would take
/// unknown fields.)
struct WithoutSecret<'a, A> {
    map: A,
    secret: &'a mut Option<SharedSecret>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for WithoutSecret<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(name) = self.map.next_key::<String>()? {
            if name != SECRET {
                return seed.deserialize(name.into_deserializer()).map(Some);
            }
            if self.secret.replace(self.map.next_value()?).is_some() {
                return Err(A::Error::duplicate_field(SECRET));
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// Changes of an issuer. To change from one kind of keys to another, remove the old one with null
/// in the same request; a shared secret goes when the algorithms that need it go.
#[derive(Debug, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IssuerChanges {
    /// The `iss` that a token has to have, byte for byte.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    issuer: Option<String>,
    /// The URL at which the issuer publishes its keys: https; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    jwks_uri: Option<Option<String>>,
    /// The keys themselves, as a JWK Set; null takes them away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Object>)]
    jwks: Option<Option<Value>>,
    /// The secret of HS256, HS384 and HS512: the text's bytes in UTF-8. It is never shown.
    #[serde(default, deserialize_with = "present")]
    #[schema(
        value_type = Option<String>,
        nullable = false,
        write_only,
        min_length = 32,
        max_length = 1024
    )]
    shared_secret: Option<SharedSecret>,
    /// The algorithms that are accepted.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    algorithms: Option<Vec<Algorithm>>,
    /// A token's `aud` has to name one of these. Empty: it is not looked at.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    audiences: Option<Vec<String>>,
    /// Claims that have to be there, with their values. They are replaced as a whole.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Object>, nullable = false)]
    required_claims: Option<BTreeMap<String, Value>>,
    /// The greatest difference between the clocks of issuer and gateway, in seconds.
    #[serde(default, deserialize_with = "present")]
    #[schema(maximum = 600, nullable = false)]
    leeway_seconds: Option<u32>,
    /// The greatest age of a token by its `iat`, in seconds; null for any age until it expires.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>, minimum = 1)]
    max_age_seconds: Option<Option<u32>>,
    /// The claim whose value names the consumer, by the subjects that the consumer lists.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    consumer_claim: Option<String>,
    /// True if a token is refused when its consumer is not known.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    require_consumer: Option<bool>,
    /// The claim that lists the scopes.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    scope_claim: Option<String>,
    /// Headers for the upstream: name of the header to name of the claim. They are replaced as a
    /// whole.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    upstream_headers: Option<BTreeMap<String, String>>,
}

impl IssuerChanges {
    /// Puts the changes onto the issuer as it is, and checks the outcome.
    pub(super) fn onto(
        self,
        before: issuer::Issuer,
        app: &App,
    ) -> Result<issuer::IssuerPatch, Problem> {
        let issuer::Issuer { settings: before, has_secret, .. } = before;
        let kept_bytes = if has_secret { least_bytes(&before.algorithms) } else { 0 };
        let settings = Issuer {
            issuer: self.issuer.unwrap_or(before.issuer),
            jwks_uri: self.jwks_uri.unwrap_or(before.jwks_uri),
            jwks: self.jwks.unwrap_or(before.jwks),
            algorithms: self.algorithms.unwrap_or(before.algorithms),
            audiences: self.audiences.unwrap_or(before.audiences),
            required_claims: self.required_claims.unwrap_or(before.required_claims),
            leeway_seconds: self.leeway_seconds.unwrap_or(before.leeway_seconds),
            max_age_seconds: self.max_age_seconds.unwrap_or(before.max_age_seconds),
            consumer_claim: self.consumer_claim.unwrap_or(before.consumer_claim),
            require_consumer: self.require_consumer.unwrap_or(before.require_consumer),
            scope_claim: self.scope_claim.unwrap_or(before.scope_claim),
            upstream_headers: self.upstream_headers.unwrap_or(before.upstream_headers),
        };
        let secret = self.shared_secret;
        refuse(&Subject {
            issuer: &settings,
            secret: secret.as_ref(),
            kept_bytes,
            allow_http: app.allow_http_jwks,
        })?;
        let shared_secret = match secret {
            Some(secret) => Some(Some(secret.into_secret())),
            None if least_bytes(&settings.algorithms) == 0 => Some(None),
            None => None,
        };
        Ok(issuer::IssuerPatch { settings: Some(settings), shared_secret })
    }
}

fn refuse(subject: &Subject<'_>) -> Result<(), Problem> {
    let mut check = Check::new();
    subject.check(&mut check);
    check.finish()
}
