//! An issuer of tokens on this machine: it signs them, and publishes its keys over HTTP.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::{
    Claims, Duration, ECDSAP256KeyPairLike as _, ECDSAP256PublicKeyLike as _, ES256KeyPair,
};
use serde_json::{Value, json};

/// The `iss` of its tokens.
pub const ISSUER: &str = "https://issuer.example/";

/// A key of the issuer.
pub struct SigningKey {
    kid: String,
    pair: ES256KeyPair,
}

impl SigningKey {
    pub fn generate(kid: &str) -> Self {
        Self { kid: kid.to_owned(), pair: ES256KeyPair::generate().with_key_id(kid) }
    }

    /// Its public part (RFC 7518 section 6.2.1).
    pub fn jwk(&self) -> Value {
        let point = self.pair.public_key().public_key().to_bytes_uncompressed();
        let part = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&point[range]);
        json!({ "kty": "EC", "crv": "P-256", "kid": self.kid, "x": part(1..33), "y": part(33..65) })
    }

    /// A token for a subject with more claims, as a value of `Authorization`. It is valid for five
    /// minutes.
    ///
    /// # Panics
    /// Panics if it cannot be signed.
    pub fn token(&self, subject: &str, more: Value) -> String {
        let claims = Claims::with_custom_claims(more, Duration::from_mins(5))
            .with_issuer(ISSUER)
            .with_subject(subject);
        format!("Bearer {}", self.pair.sign(claims).expect("a token"))
    }
}

/// The place where the issuer publishes its keys.
pub struct Published {
    address: SocketAddr,
    keys: Arc<Mutex<Vec<Value>>>,
}

impl Published {
    /// # Panics
    /// Panics if there is no free port.
    pub fn start(keys: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let keys = Arc::new(Mutex::new(keys));
        let served = Arc::clone(&keys);
        // The thread ends with the test's process.
        thread::spawn(move || {
            for connection in listener.incoming() {
                let Ok(mut connection) = connection else { continue };
                let _ = connection.read(&mut [0; 4096]);
                let body =
                    json!({ "keys": *served.lock().unwrap_or_else(PoisonError::into_inner) })
                        .to_string();
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: \
                    close\r\ncontent-length:";
                let _ = write!(connection, "{head} {}\r\n\r\n{body}", body.len());
            }
        });
        Self { address, keys }
    }

    pub fn uri(&self) -> String {
        format!("http://{}/jwks", self.address)
    }

    /// Replaces the published keys.
    pub fn publish(&self, keys: Vec<Value>) {
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = keys;
    }
}
