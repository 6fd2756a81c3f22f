//! The bodies that make and change a signing key.

use chrono::{DateTime, Utc};
use policy::settings::{KeySettings, SigningAlgorithm};
use serde::Deserialize;
use store::signing_key::{self, Material};
use utoipa::ToSchema;

use super::{HmacSecret, public_key};
use crate::body::present;
use crate::check::Check;
use crate::problem::Problem;
use crate::settings::Given;

/// What a signing key is made of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSigningKey {
    /// What people call it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, example = "Billing job")]
    name: Option<String>,
    /// The algorithm of its signatures. For good.
    algorithm: SigningAlgorithm,
    /// The public key, for `ed25519` only: the base64 of its 32 bytes, or PEM as OpenSSL writes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, example = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=")]
    public_key: Option<String>,
    /// From when it is refused; null for never.
    #[serde(default)]
    expires_at: Option<DateTime<Utc>>,
    /// What is particular to it. An absent field has its default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<KeySettings>, nullable = false)]
    settings: Option<Given<KeySettings>>,
}

impl NewSigningKey {
    /// Joins what the client says with the secret that was drawn, for HMAC.
    pub(super) fn checked(
        self,
        now: DateTime<Utc>,
        drawn: &HmacSecret,
    ) -> Result<signing_key::NewSigningKey, Problem> {
        let mut check = Check::new();
        if let Some(name) = &self.name {
            check.name("name", name);
        }
        let material = self.material(drawn, &mut check);
        check.future("expires_at", self.expires_at, now);
        let settings = check.settings(self.settings.as_ref());
        check.finish()?;
        let material = material.ok_or(Problem::Internal)?;
        let settings = settings.unwrap_or_default();
        Ok(signing_key::NewSigningKey {
            name: self.name,
            material,
            settings,
            expires_at: self.expires_at,
        })
    }

    /// What verifies signatures; none if that was refused.
    fn material(&self, drawn: &HmacSecret, check: &mut Check) -> Option<Material> {
        match (self.algorithm, &self.public_key) {
            (SigningAlgorithm::Ed25519, Some(text)) => {
                check.take("public_key", public_key::read(text)).map(Material::Ed25519)
            }
            (SigningAlgorithm::Ed25519, None) => {
                check.refuse("public_key", "is missing: ed25519 needs it");
                None
            }
            (SigningAlgorithm::HmacSha256, Some(_)) => {
                check.refuse(
                    "public_key",
                    "is for ed25519 only: the secret of hmac-sha256 is drawn here",
                );
                None
            }
            (SigningAlgorithm::HmacSha256, None) => Some(Material::HmacSha256(drawn.to_secret())),
        }
    }
}

/// What is to change of a signing key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SigningKeyChanges {
    /// What people call it; null takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    name: Option<Option<String>>,
    /// What is particular to it. They are replaced as a whole: an absent field gets its default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<KeySettings>, nullable = false)]
    settings: Option<Given<KeySettings>>,
}

impl SigningKeyChanges {
    pub(super) fn checked(self) -> Result<signing_key::SigningKeyPatch, Problem> {
        let mut check = Check::new();
        if let Some(Some(name)) = &self.name {
            check.name("name", name);
        }
        let settings = check.settings(self.settings.as_ref());
        check.finish()?;
        Ok(signing_key::SigningKeyPatch { name: self.name, settings })
    }
}
