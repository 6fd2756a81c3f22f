//! The JSON shapes of signing keys.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use policy::desired::Secret;
use policy::settings::{KeySettings, SigningAlgorithm};
use serde::{Deserialize, Serialize};
use store::signing_key::{self, Material};
use utoipa::ToSchema;
use uuid::Uuid;

use super::public_key;
use crate::forms::check::Check;
use crate::forms::given::Given;
use crate::http::answer::Object;
use crate::http::body::present;
use crate::http::problem::Problem;
use crate::http::problem::request::INTERNAL;
use crate::secret::{self, HMAC_KEY_BYTES, NoRandomness};

/// A signing key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SigningKey {
    /// The id that signatures name as their `keyid` (RFC 9421 section 2.3).
    pub id: Uuid,
    /// Its name.
    #[schema(required = true, example = "Billing job")]
    name: Option<String>,
    algorithm: SigningAlgorithm,
    /// The base64 of the public key's 32 bytes; null for HMAC.
    #[schema(required = true, example = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=")]
    public_key: Option<String>,
    /// The time from which it is refused; null for never.
    #[schema(required = true)]
    expires_at: Option<DateTime<Utc>>,
    /// The time since which it is refused for good; null if it was not revoked.
    #[schema(required = true)]
    revoked_at: Option<DateTime<Utc>>,
    /// Its own settings.
    settings: KeySettings,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    revision: i64,
}

/// The secret of an HMAC key in clear. Its `Debug` does not show it.
pub(super) struct HmacSecret(pub(super) [u8; HMAC_KEY_BYTES]);

impl HmacSecret {
    pub(super) fn draw() -> Result<Self, NoRandomness> {
        secret::random().map(Self)
    }

    /// The bytes, to seal them.
    pub(super) fn to_secret(&self) -> Secret {
        Secret(self.0.to_vec())
    }
}

impl fmt::Debug for HmacSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacSecret(redacted)")
    }
}

impl From<signing_key::SigningKey> for SigningKey {
    fn from(row: signing_key::SigningKey) -> Self {
        Self {
            id: row.id.into(),
            name: row.name,
            algorithm: row.algorithm,
            public_key: row.public_key.map(|key| public_key::write(&key)),
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            settings: row.settings,
            created_at: row.created_at,
            updated_at: row.updated_at,
            revision: row.revision,
        }
    }
}

impl Object for SigningKey {
    fn revision(&self) -> i64 {
        self.revision
    }
}

/// A new signing key, with the secret of an HMAC key.
#[derive(Serialize, ToSchema)]
pub(super) struct SigningKeyWithSecret {
    /// The base64 of the secret's 64 bytes, for `hmac-sha256` only. It is shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    secret: Option<String>,
    #[serde(flatten)]
    object: SigningKey,
}

impl SigningKeyWithSecret {
    /// The key, with the secret that was drawn for it if it is for HMAC.
    pub(super) fn new(drawn: &HmacSecret, row: signing_key::SigningKey) -> Self {
        let secret =
            (row.algorithm == SigningAlgorithm::HmacSha256).then(|| STANDARD.encode(drawn.0));
        Self { secret, object: row.into() }
    }
}

impl fmt::Debug for SigningKeyWithSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeyWithSecret").field("object", &self.object).finish_non_exhaustive()
    }
}

impl Object for SigningKeyWithSecret {
    const SECRET: bool = true;

    fn revision(&self) -> i64 {
        self.object.revision
    }
}

/// A new signing key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSigningKey {
    /// Its name.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, example = "Billing job")]
    pub(super) name: Option<String>,
    /// The algorithm of its signatures. For good.
    pub(super) algorithm: SigningAlgorithm,
    /// The public key, for `ed25519` only: the base64 of its 32 bytes, or PEM as OpenSSL writes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, example = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=")]
    pub(super) public_key: Option<String>,
    /// The time from which it is refused; null for never.
    #[serde(default)]
    pub(super) expires_at: Option<DateTime<Utc>>,
    /// Its own settings. An absent field has its default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<KeySettings>, nullable = false)]
    pub(super) settings: Option<Given<KeySettings>>,
}

impl NewSigningKey {
    /// Joins the client's wishes with the secret that was drawn, for HMAC.
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
        let material = material.ok_or(&INTERNAL)?;
        let settings = settings.unwrap_or_default();
        Ok(signing_key::NewSigningKey {
            name: self.name,
            material,
            settings,
            expires_at: self.expires_at,
        })
    }

    /// The material that verifies signatures; `None` if it was refused.
    pub(super) fn material(&self, drawn: &HmacSecret, check: &mut Check) -> Option<Material> {
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

/// Changes of a signing key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SigningKeyChanges {
    /// Its name; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    pub(super) name: Option<Option<String>>,
    /// Its own settings. They are replaced as a whole: an absent field gets its default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<KeySettings>, nullable = false)]
    pub(super) settings: Option<Given<KeySettings>>,
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
