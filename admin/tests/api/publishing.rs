//! One of every kind of object, for most tests to begin with.

use serde_json::{Value, json};

use crate::harness::{Api, id_of};

/// The public key of RFC 8410 section 10.1.
pub(crate) const PUBLIC_KEY: &str = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";

/// The paths of one of each kind of object, all of one tenant.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) tenant: String,
    pub(crate) site: String,
    pub(crate) hostname: String,
    pub(crate) upstream: String,
    pub(crate) api: String,
    pub(crate) version: String,
    pub(crate) route: String,
    pub(crate) consumer: String,
    pub(crate) key: String,
    pub(crate) plan: String,
    pub(crate) issuer: String,
    pub(crate) signing_key: String,
    pub(crate) member: String,
    pub(crate) invitation: String,
    pub(crate) service_token: String,
}

impl World {
    pub(crate) async fn make(api: &Api, slug: &str) -> Self {
        let tenant = api.make("/v1/tenants", json!({"name": slug, "slug": slug})).await;
        Self::site(api, &tenant, slug).await
    }

    /// Makes a site with one of every kind of object in a tenant.
    pub(crate) async fn site(api: &Api, tenant: &str, slug: &str) -> Self {
        let site = api.make(&format!("{tenant}/sites"), json!({"name": slug, "slug": slug})).await;
        let hostname =
            api.make(&format!("{site}/hostnames"), json!({"name": format!("{slug}-alt")})).await;
        let endpoints = json!([{"address": "10.9.0.1", "port": 8080}]);
        let upstream = api
            .make(&format!("{site}/upstreams"), json!({"name": "main", "endpoints": endpoints}))
            .await;
        let published = api
            .make(&format!("{site}/apis"), json!({"name": "Orders", "base_path": "/orders"}))
            .await;
        let new_version = json!({"name": "v1", "upstream_id": id_of(&upstream)});
        let version = api.make(&format!("{published}/versions"), new_version).await;
        let new_route = json!({"methods": ["GET"], "path": "/orders/{id}", "name": "getOrder"});
        let route = api.make(&format!("{version}/routes"), new_route).await;
        let consumer = api.make(&format!("{site}/consumers"), json!({"name": "app"})).await;
        let key = api.make(&format!("{consumer}/keys"), json!({"name": "ci"})).await;
        let plan = api.make(&format!("{site}/plans"), json!({"name": "Gold"})).await;
        let issuer =
            api.make(&format!("{site}/issuers"), new_issuer("https://login.example/")).await;
        let signing_key = api.make(&format!("{consumer}/signing-keys"), new_signing_key()).await;
        let member = api.member(id_of(tenant), json!({"role": "viewer"})).await;
        let member = format!("{tenant}/members/{member}");
        let new_invitation = json!({"email": "grace@example.test", "role": "viewer"});
        let invitation = api.make(&format!("{tenant}/invitations"), new_invitation).await;
        let new_token = json!({"name": "CI", "role": "viewer"});
        let service_token = api.make(&format!("{tenant}/service-tokens"), new_token).await;
        Self {
            tenant: tenant.to_owned(),
            site,
            hostname,
            upstream,
            api: published,
            version,
            route,
            consumer,
            key,
            plan,
            issuer,
            signing_key,
            member,
            invitation,
            service_token,
        }
    }

    /// The path of an operation, with the ids of this world in it.
    pub(crate) fn path(&self, template: &str) -> String {
        [
            ("{cell_name}", &"default".to_owned()),
            ("{platform_plan_id}", &"00000000-0000-7000-8000-000000000001".to_owned()),
            ("{tenant_id}", &self.tenant),
            ("{site_id}", &self.site),
            ("{hostname_id}", &self.hostname),
            ("{upstream_id}", &self.upstream),
            ("{api_id}", &self.api),
            ("{version_id}", &self.version),
            ("{route_id}", &self.route),
            ("{consumer_id}", &self.consumer),
            ("{key_id}", &self.key),
            ("{plan_id}", &self.plan),
            ("{issuer_id}", &self.issuer),
            ("{signing_key_id}", &self.signing_key),
            ("{account_id}", &self.member),
            ("{invitation_id}", &self.invitation),
            ("{service_token_id}", &self.service_token),
        ]
        .into_iter()
        .fold(template.to_owned(), |path, (parameter, place)| path.replace(parameter, id_of(place)))
    }
}

/// An issuer whose keys are fetched from its URL.
pub(crate) fn new_issuer(issuer: &str) -> Value {
    json!({"issuer": issuer, "algorithms": ["RS256"], "jwks_uri": "https://login.example/jwks"})
}

/// A signing key whose public key is given.
pub(crate) fn new_signing_key() -> Value {
    json!({"algorithm": "ed25519", "public_key": PUBLIC_KEY})
}
