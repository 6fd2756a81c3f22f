//! An organisation signs up by itself: with the token of a real e-mail, over the public API, to a
//! site that answers through Envoy.

use reqwest::Method;
use serde_json::{Value, json};
use stack::mail_server::{MailServer, word};
use stack::{Stack, admin_api::AdminApi, echo::Echo};
use tenantry_tests::{
    echo, eventually, finish, gateway::Answer, gateway::Gateway, gateways, settled, start,
};

const PASSWORD: &str = "correct horse battery staple";

/// A deployment in which everybody may sign up, with its mail server and an upstream.
struct Open {
    stack: Stack,
    mail: MailServer,
    origin: Echo,
    gateways: Vec<Gateway>,
}

/// The result of a sign-up.
struct Signed {
    hostname: String,
    /// The path of the site in the admin API.
    site: String,
    tenant: String,
    api: AdminApi,
}

impl Open {
    async fn start(name: &str) -> Self {
        let mail = MailServer::start().await.unwrap_or_else(|error| panic!("{error:?}"));
        let builder = Stack::builder(name)
            .envoys(2)
            .admin_env("TENANTRY_SIGNUP", "open")
            .admin_env("TENANTRY_SMTP_URL", &format!("smtp://127.0.0.1:{}", mail.port))
            .admin_env("TENANTRY_MAIL_FROM", "Tenantry <no-reply@example.com>")
            .admin_env("TENANTRY_MAIL_LINK_BASE", "https://console.example.com");
        let stack = start(builder).await;
        let gateways = gateways(&stack);
        Self { stack, mail, origin: echo("origin"), gateways }
    }

    /// A request without credentials.
    async fn post(&self, path: &str, body: Value) -> Value {
        self.stack
            .api
            .with_token("")
            .post(path, body)
            .await
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// The token of the letter to an address, taken from its link to this page.
    async fn mailed(&self, email: &str, page: &str) -> String {
        let link = format!("https://console.example.com/{page}#token=");
        let token = || async {
            let letters = self.mail.letters();
            let letter = letters.iter().filter(|letter| letter.contains(&format!("To: {email}")));
            letter
                .filter_map(|letter| word(letter, &link)?.strip_prefix(&link).map(str::to_owned))
                .next()
        };
        eventually(&format!("a letter to {email}"), token, Option::is_some)
            .await
            .unwrap_or_default()
    }

    async fn log_in(&self, email: &str) -> AdminApi {
        let tokens =
            self.post("/v1/auth/login", json!({"email": email, "password": PASSWORD})).await;
        self.stack.api.with_token(tokens["access_token"].as_str().expect("a token"))
    }

    async fn sign_up(&self, name: &str, template: &str) -> Signed {
        let email = format!("{name}@example.com");
        let origin = (template != "empty")
            .then(|| json!({"address": "127.0.0.1", "port": self.origin.addr.port()}));
        let mut body = json!({
            "email": email, "name": "Ada Lovelace", "password": PASSWORD, "organisation": name,
            "site_slug": name, "template": template,
        });
        if let Some(origin) = origin {
            body["origin"] = origin;
        }
        self.post("/v1/signup", body).await;
        let token = self.mailed(&email, "verify").await;
        let outcome = self.post("/v1/signup/verify", json!({"token": token})).await;
        let made = &outcome["made"];
        let text = |field: &str| made[field].as_str().expect("it is made").to_owned();
        let tenant = format!("/v1/tenants/{}", text("tenant_id"));
        let site = format!("{tenant}/sites/{}", text("site_id"));
        Signed { hostname: text("hostname"), site, tenant, api: self.log_in(&email).await }
    }

    /// Sends a request to each Envoy.
    async fn all(
        &self,
        method: Method,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Vec<Answer> {
        let mut answers = Vec::new();
        for gateway in &self.gateways {
            answers.push(gateway.send(method.clone(), host, path, headers).await);
        }
        answers
    }
}

#[tokio::test]
async fn a_storefront_and_public_content_answer_as_soon_as_the_address_is_proven() {
    let open = Open::start("signup-public").await;
    for template in ["storefront", "public-content"] {
        let signed = open.sign_up(&format!("acme-{template}"), template).await;
        assert_eq!(signed.hostname, format!("acme-{template}.gw.localhost"));
        for path in ["/", "/shoes/red?size=42"] {
            settled(&open.gateways, &signed.hostname, path, "", 200).await;
            for answer in open.all(Method::GET, &signed.hostname, path, &[]).await {
                assert_eq!(
                    (answer.upstream(), &answer.json()["path"]),
                    ("origin".to_owned(), &json!(path))
                );
            }
        }
        let written = if template == "storefront" { 200 } else { 405 };
        for answer in open.all(Method::POST, &signed.hostname, "/basket", &[]).await {
            assert_eq!(answer.status, written, "{template}: {answer:?}");
        }
        for answer in open.all(Method::HEAD, &signed.hostname, "/", &[]).await {
            assert_eq!(answer.status, 200, "{template}");
        }
    }
    finish(open.stack).await;
}

#[tokio::test]
async fn a_rest_api_answers_to_the_first_key_that_its_admin_makes() {
    let open = Open::start("signup-rest").await;
    let signed = open.sign_up("acme", "rest-api").await;
    settled(&open.gateways, &signed.hostname, "/orders/7", "", 403).await;
    let consumer =
        signed.api.post(&format!("{}/consumers", signed.site), json!({"name": "app"})).await;
    let consumer = consumer.expect("a consumer")["id"].as_str().expect("an id").to_owned();
    let keys = format!("{}/consumers/{consumer}/keys?wait=20", signed.site);
    let key = signed.api.post(&keys, json!({"name": "first"})).await.expect("a key")["key"].clone();
    let key = key.as_str().expect("the key is shown");
    settled(&open.gateways, &signed.hostname, "/orders/7", key, 200).await;
    for answer in
        open.all(Method::DELETE, &signed.hostname, "/orders/7", &[("x-api-key", key)]).await
    {
        assert_eq!((answer.status, &answer.json()["path"]), (200, &json!("/orders/7")));
        assert!(signed.site.contains(&answer.upstream_saw("x-tenantry-site").expect("the site")));
    }

    // The hostname of an empty site is known, and has nothing behind it; an unclaimed hostname is
    // not known.
    let empty = open.sign_up("globex", "empty").await;
    settled(&open.gateways, &empty.hostname, "/", "", 403).await;
    for answer in open.all(Method::GET, &empty.hostname, "/", &[("x-api-key", key)]).await {
        assert_eq!(answer.status, 403, "a key of another organisation");
    }
    for answer in open.all(Method::GET, "nobody.gw.localhost", "/", &[]).await {
        answer.assert_problem(404);
    }
    finish(open.stack).await;
}

#[tokio::test]
async fn an_invitation_that_came_by_mail_makes_a_member() {
    let open = Open::start("signup-invitation").await;
    let signed = open.sign_up("acme", "empty").await;
    // An invited person has an account: here by a sign-up of their own.
    let guest = open.sign_up("globex", "empty").await;
    assert!(guest.api.get(&signed.site).await.is_err(), "nothing before the invitation");
    let invitation = json!({"email": "globex@example.com", "role": "viewer"});
    signed
        .api
        .post(&format!("{}/invitations", signed.tenant), invitation)
        .await
        .expect("an invitation");
    let token = open.mailed("globex@example.com", "invitation").await;
    assert!(
        signed.api.post("/v1/me/invitations", json!({"token": token})).await.is_err(),
        "it is for the address alone"
    );
    guest.api.post("/v1/me/invitations", json!({"token": token})).await.expect("it is accepted");
    guest.api.get(&signed.site).await.expect("a viewer sees the site");
    assert!(guest.api.delete(&signed.site).await.is_err(), "and changes nothing");
    assert!(
        guest.api.post("/v1/me/invitations", json!({"token": token})).await.is_err(),
        "it is good once"
    );
    finish(open.stack).await;
}
