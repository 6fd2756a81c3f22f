//! `Idempotency-Key`: a POST that is repeated with the same key has its effect once, and gets the
//! same answer.
//!
//! The key is noted in the transaction that makes the change, so there is no moment in which one
//! exists without the other; a parallel request with the same key waits for that transaction.
//! Failed requests leave nothing behind and can simply be repeated. An answer may carry an API key:
//! it is sealed under a key that is derived from the idempotency key and from a secret of the
//! caller, neither of which is in the database: the operator token or service token itself; for an
//! account, whose tokens change every few minutes, a key that is derived from the secrets key.

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use hkdf::Hkdf;
use sha2::{Digest as _, Sha256};
use store::idempotency::{Begin, IdempotencyKey};
use store::{PlatformTx, ScopedTx, StoreError, TenantTx};

use crate::bounds;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::problem::platform::NO_SECRETS_KEY;
use crate::http::problem::request::{INTERNAL, KEY_REUSED};
use crate::secret;

static KEY: HeaderName = HeaderName::from_static("idempotency-key");
static REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Separates the keys that are derived here from all other keys (RFC 5869 section 3.2).
const PURPOSE: &[u8] = b"tenantry admin: idempotent answers, form 1";
/// The nonce precedes the sealed text. It is random, as a key can be used again once its row has
/// expired.
const NONCE_LEN: usize = 12;

/// Either kind of transaction, with its end.
pub trait CommittingTx: ScopedTx {
    /// Commits.
    fn commit(self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

impl CommittingTx for TenantTx {
    async fn commit(self) -> Result<(), StoreError> {
        Self::commit(self).await
    }
}

impl CommittingTx for PlatformTx {
    async fn commit(self) -> Result<(), StoreError> {
        Self::commit(self).await
    }
}

/// The part of a POST's handling that makes it happen once, if the client asks for that.
pub struct Once(Option<Sealed>);

struct Sealed {
    row: IdempotencyKey,
    cipher: ChaCha20Poly1305,
}

impl Once {
    /// Reads the header, if there is one, and takes the fingerprint of the request: method, path
    /// with query, and body.
    pub fn of(parts: &Parts, body: &Bytes, caller: &Caller) -> Result<Self, Problem> {
        let wrong = |message| Problem::header("Idempotency-Key", message);
        let Some(key) = parts.headers.get(&KEY) else { return Ok(Self(None)) };
        let key = key.to_str().map_err(|_| wrong("is not ASCII"))?;
        if key.is_empty() || key.len() > bounds::HEADER_ID_CHARS {
            return Err(wrong("must have 1 to 128 characters"));
        }
        let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
        let mut request = Sha256::new();
        for part in [parts.method.as_str().as_bytes(), target.as_bytes(), body.as_ref()] {
            request.update((part.len() as u64).to_be_bytes());
            request.update(part);
        }
        let row = IdempotencyKey {
            principal_hash: Sha256::digest(caller.principal.id().as_bytes()).into(),
            key_hash: Sha256::digest(key).into(),
            request_hash: request.finalize().into(),
        };
        let mut derived = [0; 32];
        let root = caller.root.bytes().ok_or(&NO_SECRETS_KEY)?;
        Hkdf::<Sha256>::new(Some(key.as_bytes()), root)
            .expand(PURPOSE, &mut derived)
            .map_err(|_| &INTERNAL)?;
        Ok(Self(Some(Sealed { row, cipher: ChaCha20Poly1305::new(&derived.into()) })))
    }

    /// Call this first in the transaction: the answer of the request's first run, if it had one.
    pub async fn replay(&self, tx: &mut impl ScopedTx) -> Result<Option<Response>, Problem> {
        let Some(sealed) = &self.0 else { return Ok(None) };
        match store::idempotency::begin(tx, &sealed.row).await? {
            Begin::Fresh => Ok(None),
            Begin::Mismatch => Err(KEY_REUSED.problem()),
            Begin::Replay { sealed_body, .. } => {
                let mut response = sealed.open(&sealed_body)?.into_response();
                response.headers_mut().insert(REPLAYED.clone(), HeaderValue::from_static("true"));
                Ok(Some(response))
            }
        }
    }

    /// Call this last: keeps the answer, and commits.
    pub async fn finish(
        self,
        mut tx: impl CommittingTx,
        answer: Answer,
    ) -> Result<Response, Problem> {
        if let Some(sealed) = &self.0 {
            let body = sealed.seal(&answer)?;
            store::idempotency::finish(&mut tx, &sealed.row, answer.status, &body).await?;
        }
        tx.commit().await?;
        Ok(answer.into_response())
    }
}

impl Sealed {
    fn seal(&self, answer: &Answer) -> Result<Vec<u8>, Problem> {
        let text = serde_json::to_vec(answer).map_err(|_| &INTERNAL)?;
        let nonce: [u8; NONCE_LEN] = secret::random().map_err(|_| &INTERNAL)?;
        let payload = Payload { msg: &text, aad: &self.row.request_hash };
        let sealed = self.cipher.encrypt(&Nonce::from(nonce), payload).map_err(|_| &INTERNAL)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    fn open(&self, body: &[u8]) -> Result<Answer, Problem> {
        let broken = || {
            tracing::error!("the kept answer of an idempotent request cannot be opened");
            INTERNAL.problem()
        };
        let (nonce, sealed) = body.split_first_chunk::<NONCE_LEN>().ok_or_else(broken)?;
        let payload = Payload { msg: sealed, aad: &self.row.request_hash };
        let text = self.cipher.decrypt(&Nonce::from(*nonce), payload).map_err(|_| broken())?;
        serde_json::from_slice(&text).map_err(|_| broken())
    }
}
