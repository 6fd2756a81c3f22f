//! Access tokens: JSON Web Tokens (RFC 7519) signed with EdDSA (RFC 8037), good for ten minutes.
//!
//! They name an account and a session; the rights of the account are looked up with each request,
//! and so is the end of the session, so that a revocation works at once. The keys are in the
//! database, so all replicas sign and verify with the same. A key signs for a day. It is published
//! as a JWK Set (RFC 7517) until its last token is over.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use jwt_simple::algorithms::{
    Ed25519KeyPair, Ed25519PublicKey, EdDSAKeyPairLike as _, EdDSAPublicKeyLike as _,
};
use jwt_simple::claims::{Audiences, JWTClaims};
use jwt_simple::common::VerificationOptions;
use jwt_simple::prelude::UnixTimeStamp;
use jwt_simple::token::Token;
use policy::desired::Secret;
use serde::{Deserialize, Serialize};
use store::access_token_key::{self, AccessTokenKey, NewKey};
use store::seal::SecretsKey;
use store::{Actor, Store};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::problem::Problem;
use crate::http::problem::platform::NO_SECRETS_KEY;
use crate::http::problem::request::INTERNAL;
use crate::secret;

/// The life of an access token.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(10);
/// The time for which a key signs.
pub const KEY_SIGNS: TimeDelta = TimeDelta::hours(24);
/// The time for which a key is published: until the last token that it signed is over, and a minute
/// more, by which replicas' clocks may differ.
pub const KEY_PUBLISHED: TimeDelta = TimeDelta::minutes(24 * 60 + 10 + 1);
/// The issuer and the audience of the tokens: this service, for itself.
const ISSUER: &str = "tenantry";
const AUDIENCE: &str = "tenantry-admin";
/// The longest token that is looked at: one of ours has some 400 characters.
const MAX_CHARS: usize = 2_048;

/// The claims of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessClaims {
    /// The account.
    pub account: Uuid,
    /// The session, which may have ended.
    pub session: Uuid,
}

#[derive(Serialize, Deserialize)]
struct SessionClaim {
    /// The session, as OpenID Connect Front-Channel Logout names it.
    sid: Uuid,
}

/// Signs and verifies access tokens. Cheap to clone.
#[derive(Clone)]
pub struct AccessTokens {
    store: Store,
    secrets: Option<Arc<SecretsKey>>,
    /// The keys that were read from the database, newest first.
    keys: Arc<RwLock<Arc<[AccessTokenKey]>>>,
}

/// A key in a JWK Set (RFC 7517, RFC 8037 section 2).
#[derive(Debug, Serialize, ToSchema)]
pub struct Jwk {
    /// The kind of key: `OKP`.
    kty: &'static str,
    /// The curve: `Ed25519`.
    crv: &'static str,
    /// The algorithm: `EdDSA`.
    alg: &'static str,
    /// The use of the key: `sig`.
    r#use: &'static str,
    /// Its id, which tokens name.
    kid: Uuid,
    /// The public key, in base64url.
    x: String,
}

impl AccessTokens {
    /// Keys are read when they are needed.
    pub fn new(store: Store, secrets: Option<Arc<SecretsKey>>) -> Self {
        Self { store, secrets, keys: Arc::new(RwLock::new(Arc::new([]))) }
    }

    /// Signs a token.
    ///
    /// # Errors
    /// [`NO_SECRETS_KEY`] if the operator has configured none: the keys could not be kept.
    pub async fn sign(
        &self,
        account: Uuid,
        session: Uuid,
        now: DateTime<Utc>,
    ) -> Result<String, Problem> {
        let secrets = self.secrets.as_deref().ok_or(&NO_SECRETS_KEY)?;
        let (id, pair) = match self.signing(now) {
            Some(key) => key,
            None => {
                let pair = Ed25519KeyPair::from_bytes(&drawn()?).map_err(broken)?;
                let public_key = pair.public_key().to_bytes().try_into().map_err(|_| &INTERNAL)?;
                let new = NewKey { public_key, pair: Secret(pair.to_bytes()) };
                let mut tx = self.store.platform(&Actor::system("access-tokens")).await?;
                access_token_key::create_unless_newer(&mut tx, secrets, new, now - KEY_SIGNS, now)
                    .await?;
                tx.commit().await?;
                self.load(secrets, now).await?;
                self.signing(now).ok_or(&INTERNAL)?
            }
        };
        let at = |time: DateTime<Utc>| {
            Some(UnixTimeStamp::from_secs(u64::try_from(time.timestamp()).unwrap_or_default()))
        };
        let claims = JWTClaims {
            issued_at: at(now),
            expires_at: at(now + LIFETIME),
            invalid_before: None,
            issuer: Some(ISSUER.to_owned()),
            subject: Some(account.to_string()),
            audiences: Some(Audiences::AsString(AUDIENCE.to_owned())),
            jwt_id: None,
            nonce: None,
            custom: SessionClaim { sid: session },
        };
        pair.with_key_id(&id.to_string()).sign(claims).map_err(broken)
    }

    /// The account and session of a token; `None` if it is not, or no longer, good. The caller
    /// looks up if its session has ended.
    pub async fn verify(
        &self,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<AccessClaims>, Problem> {
        let Some(secrets) = self.secrets.as_deref() else { return Ok(None) };
        if token.len() > MAX_CHARS {
            return Ok(None);
        }
        let Some(id) =
            Token::decode_metadata(token).ok().and_then(|metadata| metadata.key_id()?.parse().ok())
        else {
            return Ok(None);
        };
        if self.published(id, now).is_none() {
            // Another replica may have made it.
            self.load(secrets, now).await?;
        }
        Ok(self.published(id, now).and_then(|key| verified(&key, token, now)))
    }

    /// The keys that verify tokens which are good now.
    pub async fn jwks(&self, now: DateTime<Utc>) -> Result<Vec<Jwk>, Problem> {
        if let Some(secrets) = self.secrets.as_deref() {
            self.load(secrets, now).await?;
        }
        let public = |key: &AccessTokenKey| Jwk {
            kty: "OKP",
            crv: "Ed25519",
            alg: "EdDSA",
            r#use: "sig",
            kid: key.id,
            x: URL_SAFE_NO_PAD.encode(key.public_key),
        };
        Ok(self
            .keys()
            .iter()
            .filter(|key| key.created_at + KEY_PUBLISHED > now)
            .map(public)
            .collect())
    }

    fn keys(&self) -> Arc<[AccessTokenKey]> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The newest key that may sign and that the secrets key opens.
    fn signing(&self, now: DateTime<Utc>) -> Option<(Uuid, Ed25519KeyPair)> {
        let keys = self.keys();
        let mut fresh = keys.iter().filter(|key| key.created_at + KEY_SIGNS > now);
        fresh
            .find_map(|key| Some((key.id, Ed25519KeyPair::from_bytes(&key.pair.as_ref()?.0).ok()?)))
    }

    fn published(&self, id: Uuid, now: DateTime<Utc>) -> Option<AccessTokenKey> {
        self.keys().iter().find(|key| key.id == id && key.created_at + KEY_PUBLISHED > now).cloned()
    }

    async fn load(&self, secrets: &SecretsKey, now: DateTime<Utc>) -> Result<(), Problem> {
        let mut tx = self.store.platform(&Actor::system("access-tokens")).await?;
        let keys = access_token_key::since(&mut tx, secrets, now - KEY_PUBLISHED).await?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys.into();
        Ok(())
    }
}

impl std::fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccessTokens(redacted)")
    }
}

fn drawn() -> Result<[u8; 64], Problem> {
    let seed = ed25519_compact::Seed::new(secret::random()?);
    Ok(*ed25519_compact::KeyPair::from_seed(seed))
}

fn verified(key: &AccessTokenKey, token: &str, now: DateTime<Utc>) -> Option<AccessClaims> {
    let options = VerificationOptions {
        allowed_issuers: Some(HashSet::from([ISSUER.to_owned()])),
        allowed_audiences: Some(HashSet::from([AUDIENCE.to_owned()])),
        time_tolerance: None,
        artificial_time: Some(UnixTimeStamp::from_secs(u64::try_from(now.timestamp()).ok()?)),
        // The clocks of replicas may differ by a little.
        accept_future: true,
        ..VerificationOptions::default()
    };
    let public_key = Ed25519PublicKey::from_bytes(&key.public_key).ok()?;
    let claims = public_key.verify_token::<SessionClaim>(token, Some(options)).ok()?;
    Some(AccessClaims { account: claims.subject?.parse().ok()?, session: claims.custom.sid })
}

fn broken(error: jwt_simple::Error) -> Problem {
    tracing::error!(%error, "an access token could not be signed");
    INTERNAL.problem()
}
