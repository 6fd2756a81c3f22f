//! Signed requests (RFC 9421), with digests of their bodies (RFC 9530).

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_compact::{KeyPair, Seed};
use hmac::{Hmac, Mac as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use stack::Stack;
use tenantry_tests::{THING, Things, eventually, finish, gateway::Answer, tenant::id};

/// The key with which a client signs.
enum Signer {
    Hmac(Vec<u8>),
    Ed25519(KeyPair),
}

impl Signer {
    fn sign(&self, base: &[u8]) -> String {
        match self {
            Self::Hmac(secret) => {
                let mac = Hmac::<Sha256>::new_from_slice(secret)
                    .expect("a key")
                    .chain_update(base)
                    .finalize();
                STANDARD.encode(mac.into_bytes())
            }
            Self::Ed25519(pair) => STANDARD.encode(pair.sk.sign(base, None)),
        }
    }
}

struct Client<'t> {
    things: &'t Things,
    keyid: String,
    signer: Signer,
}

impl Client<'_> {
    /// A POST with this nonce whose digest is that of `signed`, and whose body is `sent`.
    async fn post(&self, nonce: &str, signed: &str, sent: &str) -> Answer {
        self.try_post(nonce, signed, sent).await.expect("an answer")
    }

    /// As [`Client::post`]; an error if the connection was closed before all of the body was sent.
    async fn try_post(
        &self,
        nonce: &str,
        signed: &str,
        sent: &str,
    ) -> Result<Answer, reqwest::Error> {
        let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(signed)));
        let created = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let covered = r#"("@method" "@authority" "@path" "@query" "content-digest")"#;
        let parameters =
            format!(r#"{covered};created={created};keyid="{}";nonce="{nonce}""#, self.keyid);
        let host = &self.things.site.hostname;
        let headers: [(&str, &[u8]); 5] = [
            (":method", b"POST"),
            (":authority", host.as_bytes()),
            (":path", THING.as_bytes()),
            (":scheme", b"http"),
            ("content-digest", digest.as_bytes()),
        ];
        let base = policy::signature::base(&headers, &parameters).expect("a signature base");
        let url = format!("http://{}{THING}", self.things.gateways[0].address());
        let request = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client")
            .post(url)
            .header("host", host);
        let request = request
            .header("content-digest", digest)
            .header("signature-input", format!("sig={parameters}"))
            .header("signature", format!("sig=:{}:", self.signer.sign(&base)))
            .body(sent.to_owned());
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: response.text().await? })
    }
}

#[tokio::test]
async fn a_signed_body_gets_in_once_and_only_as_it_was_signed() {
    let things = Things::start(Stack::builder("signatures")).await;
    things
        .version
        .route_with(&["POST"], "/{id}", json!({ "auth": { "any_of": ["signature"] } }))
        .await;
    let keys = format!("consumers/{}/signing-keys", things.key.consumer_id);
    let made = things.site.make(&keys, json!({ "algorithm": "hmac-sha256" })).await;
    let secret = STANDARD.decode(made["secret"].as_str().expect("a secret")).expect("base64");
    let client = Client { things: &things, keyid: id(&made), signer: Signer::Hmac(secret) };

    let mut nonce = 0;
    let fresh = || {
        nonce += 1;
        let nonce = format!("first-{nonce}");
        let client = &client;
        async move { client.post(&nonce, "a body", "a body").await }
    };
    let answer = eventually("the signature", fresh, |answer: &Answer| answer.status == 200).await;
    assert_eq!(answer.json()["body_bytes"], 6);
    assert_eq!(answer.upstream_saw("x-tenantry-consumer"), Some(things.key.consumer_id.clone()));

    let large = "x".repeat(200_000);
    assert_eq!(client.post("large", &large, &large).await.status, 200);
    client.post("large", &large, &large).await.assert_problem(403);
    let before = things.upstream.total();
    client.post("changed", "a body", "another").await.assert_problem(403);
    client.post("cut", &large, &large[..199_999]).await.assert_problem(403);
    let huge = "x".repeat(256 * 1024 + 1);
    // Envoy answers before it has all of the body, and does not wait for the rest for ever: the
    // answer may get lost.
    let mut nonce = 0;
    let refused = || {
        nonce += 1;
        let (nonce, client, huge) = (format!("huge-{nonce}"), &client, &huge);
        async move { client.try_post(&nonce, huge, huge).await }
    };
    eventually("a refusal", refused, Result::is_ok).await.expect("a refusal").assert_problem(413);
    let impostor =
        Client { things: &things, keyid: client.keyid.clone(), signer: Signer::Hmac(vec![7; 64]) };
    impostor.post("impostor", "a body", "a body").await.assert_problem(403);
    assert_eq!(things.upstream.total(), before, "what was refused has reached the upstream");

    let path = format!("{}/{keys}/{}", things.site.path, client.keyid);
    things.stack.api.delete(&path).await.expect("a revocation");
    let mut nonce = 0;
    let revoked = || {
        nonce += 1;
        let nonce = format!("last-{nonce}");
        let client = &client;
        async move { client.post(&nonce, "", "").await }
    };
    eventually("the revocation", revoked, |answer: &Answer| answer.status == 403).await;
    finish(things.stack).await;
}

#[tokio::test]
async fn an_ed25519_signature_gets_in_and_no_other_key_or_algorithm_takes_its_place() {
    let things = Things::start(Stack::builder("ed25519")).await;
    things
        .version
        .route_with(&["POST"], "/{id}", json!({ "auth": { "any_of": ["signature"] } }))
        .await;
    let keys = format!("consumers/{}/signing-keys", things.key.consumer_id);
    let pair = KeyPair::from_seed(Seed::new([3; 32]));
    let public_key = STANDARD.encode(*pair.pk);
    let made =
        things.site.make(&keys, json!({ "algorithm": "ed25519", "public_key": public_key })).await;
    assert_eq!(made.get("secret"), None, "only the client has it: {made}");
    let client = |signer| Client { things: &things, keyid: id(&made), signer };
    let (owner, mut nonce) = (client(Signer::Ed25519(pair)), 0);
    let fresh = || {
        nonce += 1;
        let (nonce, owner) = (format!("first-{nonce}"), &owner);
        async move { owner.post(&nonce, "a body", "a body").await }
    };
    let answer = eventually("the signature", fresh, |answer: &Answer| answer.status == 200).await;
    assert_eq!(answer.upstream_saw("x-tenantry-consumer"), Some(things.key.consumer_id.clone()));
    assert_eq!(owner.post("once", "a body", "a body").await.status, 200);

    let before = things.upstream.total();
    owner.post("once", "a body", "a body").await.assert_problem(403);
    owner.post("changed", "a body", "another").await.assert_problem(403);
    let stranger = client(Signer::Ed25519(KeyPair::from_seed(Seed::new([4; 32]))));
    stranger.post("stranger", "a body", "a body").await.assert_problem(403);
    // The public key is known to many, so it must not be accepted as a secret.
    let confused = client(Signer::Hmac(STANDARD.decode(&public_key).expect("base64")));
    confused.post("confused", "a body", "a body").await.assert_problem(403);
    assert_eq!(things.upstream.total(), before, "what was refused has reached the upstream");
    finish(things.stack).await;
}
