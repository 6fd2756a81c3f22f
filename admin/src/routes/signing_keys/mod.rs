//! Signing keys: a consumer signs its requests with them. The secret of an HMAC key is in the
//! answer that made it, and sealed in the database.

mod body;
mod create;
mod get;
mod list;
mod public_key;
mod revoke;
mod update;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use policy::desired::Secret;
use policy::settings::{KeySettings, SigningAlgorithm};
use serde::Serialize;
use store::signing_key;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use self::body::SigningKeyChanges;
use crate::answer::Object;
use crate::app::App;
use crate::secret::{self, HMAC_KEY_BYTES, NoRandomness};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create::create, list::list)).routes(routes!(
        get::get,
        update::update,
        revoke::revoke
    ))
}

/// A signing key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SigningKey {
    /// What signatures name as their `keyid` (RFC 9421 section 2.3).
    pub id: Uuid,
    /// What people call it.
    #[schema(required = true, example = "Billing job")]
    name: Option<String>,
    algorithm: SigningAlgorithm,
    /// The base64 of the public key's 32 bytes; null for HMAC.
    #[schema(required = true, example = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=")]
    public_key: Option<String>,
    /// From when it is refused; null for never.
    #[schema(required = true)]
    expires_at: Option<DateTime<Utc>>,
    /// Since when it is refused for good; null if it was not revoked.
    #[schema(required = true)]
    revoked_at: Option<DateTime<Utc>>,
    /// What is particular to it.
    settings: KeySettings,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    revision: i64,
}

/// The secret of an HMAC key in clear. Its `Debug` does not show it.
pub(super) struct HmacSecret([u8; HMAC_KEY_BYTES]);

impl HmacSecret {
    fn draw() -> Result<Self, NoRandomness> {
        secret::random().map(Self)
    }

    /// The bytes, to seal them.
    fn to_secret(&self) -> Secret {
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
    fn new(drawn: &HmacSecret, row: signing_key::SigningKey) -> Self {
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
