//! Tenants and their objects, made through the admin API as a tenant's admin would.

use std::net::SocketAddr;

use serde_json::{Value, json};
use stack::admin_api::AdminApi;

/// The base domain of every stack of the tests.
pub const BASE_DOMAIN: &str = "gw.localhost";

/// The host on which the key alone selects the site.
pub const SHARED_HOST: &str = "api.gw.localhost";

#[derive(Clone)]
pub struct Tenant {
    pub id: String,
    api: AdminApi,
}

#[derive(Clone)]
pub struct Site {
    pub id: String,
    pub tenant_id: String,
    pub hostname: String,
    /// Its path in the admin API.
    pub path: String,
    api: AdminApi,
}

#[derive(Clone)]
pub struct Version {
    /// Its path in the admin API.
    pub path: String,
    pub api_path: String,
    api: AdminApi,
}

/// An API key, with its clear text.
#[derive(Clone)]
pub struct Key {
    pub text: String,
    pub id: String,
    pub consumer_id: String,
    /// Its path in the admin API.
    pub path: String,
}

/// Makes a request that has to succeed.
async fn post(api: &AdminApi, path: &str, body: Value) -> Value {
    api.post(path, body).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Replaces the settings of an object.
async fn patch(api: &AdminApi, path: &str, settings: Value) {
    api.patch(path, json!({ "settings": settings }))
        .await
        .unwrap_or_else(|error| panic!("{error}"));
}

/// The id in an answer.
///
/// # Panics
/// Panics if it has none.
pub fn id(answer: &Value) -> String {
    answer["id"].as_str().unwrap_or_else(|| panic!("no id in {answer}")).to_owned()
}

impl Tenant {
    /// Replaces the settings that the operator controls.
    pub async fn set(&self, settings: Value) {
        patch(&self.api, &format!("/v1/tenants/{}", self.id), settings).await;
    }

    pub async fn create(api: &AdminApi, name: &str) -> Self {
        let answer = post(api, "/v1/tenants", json!({ "name": name })).await;
        Self { id: id(&answer), api: api.clone() }
    }

    pub async fn site(&self, slug: &str) -> Site {
        self.site_with(json!({ "name": slug, "slug": slug })).await
    }

    /// Makes a site with settings of its own; `slug` has to be among them.
    pub async fn site_with(&self, settings: Value) -> Site {
        let slug = settings["slug"].as_str().unwrap_or_default().to_owned();
        let sites = format!("/v1/tenants/{}/sites", self.id);
        let id = id(&post(&self.api, &sites, settings).await);
        Site {
            path: format!("{sites}/{id}"),
            id,
            tenant_id: self.id.clone(),
            hostname: format!("{slug}.{BASE_DOMAIN}"),
            api: self.api.clone(),
        }
    }
}

impl Site {
    /// Makes an upstream with one endpoint; returns its id.
    pub async fn upstream(&self, name: &str, endpoint: SocketAddr) -> String {
        self.upstream_with(json!({
            "name": name,
            "endpoints": [{ "address": endpoint.ip().to_string(), "port": endpoint.port() }],
        }))
        .await
    }

    /// Makes an upstream with settings of its own; returns its id.
    pub async fn upstream_with(&self, settings: Value) -> String {
        id(&post(&self.api, &format!("{}/upstreams", self.path), settings).await)
    }

    /// Makes an API with one version, `v1`.
    pub async fn version(&self, base_path: &str, upstream_id: &str) -> Version {
        self.version_with(
            json!({ "name": format!("API at {base_path}"), "base_path": base_path }),
            upstream_id,
        )
        .await
    }

    /// Makes an API with settings of its own, and one version, `v1`.
    pub async fn version_with(&self, settings: Value, upstream_id: &str) -> Version {
        let api_id = id(&post(&self.api, &format!("{}/apis", self.path), settings).await);
        let api_path = format!("{}/apis/{api_id}", self.path);
        let versions = format!("{api_path}/versions");
        let version = json!({ "name": "v1", "upstream_id": upstream_id });
        let version_id = id(&post(&self.api, &versions, version).await);
        Version { path: format!("{versions}/{version_id}"), api_path, api: self.api.clone() }
    }

    /// Replaces all settings of the site.
    pub async fn set(&self, settings: Value) {
        patch(&self.api, &self.path, settings).await;
    }

    /// Makes an object of the site, such as one of its `plans` or `issuers`; returns the answer of
    /// the admin API.
    pub async fn make(&self, kind: &str, body: Value) -> Value {
        post(&self.api, &format!("{}/{kind}", self.path), body).await
    }

    /// Makes a consumer with settings of its own; returns its id.
    pub async fn consumer(&self, body: Value) -> String {
        id(&self.make("consumers", body).await)
    }

    /// Makes a key of an existing consumer.
    pub async fn key_of(&self, consumer_id: &str, body: Value) -> Key {
        let keys = format!("{}/consumers/{consumer_id}/keys", self.path);
        Key::read(&post(&self.api, &keys, body).await, consumer_id, &keys)
    }

    /// Makes a key of a new consumer.
    pub async fn key(&self, consumer: &str) -> Key {
        self.key_with(consumer, json!({})).await
    }

    /// Makes a key of a new consumer, with settings of its own.
    pub async fn key_with(&self, consumer: &str, settings: Value) -> Key {
        let consumers = format!("{}/consumers", self.path);
        let consumer_id = id(&post(&self.api, &consumers, json!({ "name": consumer })).await);
        let keys = format!("{consumers}/{consumer_id}/keys");
        let answer = post(&self.api, &keys, settings).await;
        Key::read(&answer, &consumer_id, &keys)
    }

    /// Makes a site serve `GET /things/v1/{id}` from this upstream, as most tests need it.
    pub async fn serve_things(&self, endpoint: SocketAddr) -> Version {
        let upstream = self.upstream("things", endpoint).await;
        let version = self.version("/things", &upstream).await;
        version.route(&["GET"], "/{id}").await;
        version
    }
}

impl Version {
    /// Makes a route; returns its id.
    pub async fn route(&self, methods: &[&str], path: &str) -> String {
        id(&post(
            &self.api,
            &format!("{}/routes", self.path),
            json!({ "methods": methods, "path": path }),
        )
        .await)
    }

    /// Makes a route with settings of its own; returns its id.
    pub async fn route_with(&self, methods: &[&str], path: &str, settings: Value) -> String {
        let body = json!({ "methods": methods, "path": path, "settings": settings });
        id(&post(&self.api, &format!("{}/routes", self.path), body).await)
    }

    /// All routes of the version.
    ///
    /// # Panics
    /// Panics if the admin API does not answer.
    pub async fn routes(&self) -> Vec<Value> {
        let mut routes = Vec::new();
        let mut url = format!("{}/routes?limit=200", self.path);
        loop {
            let page = self.api.get(&url).await.unwrap_or_else(|error| panic!("{error}"));
            routes.extend(page["items"].as_array().into_iter().flatten().cloned());
            let Some(cursor) = page["next_cursor"].as_str() else { return routes };
            url = format!("{}/routes?limit=200&cursor={cursor}", self.path);
        }
    }
}

impl Key {
    /// Reads the answer to the creation or rotation of a key.
    ///
    /// # Panics
    /// Panics if there is no key in it.
    pub fn read(answer: &Value, consumer_id: &str, keys: &str) -> Self {
        let text =
            answer["key"].as_str().unwrap_or_else(|| panic!("no key in the answer")).to_owned();
        let id = id(answer);
        Self { text, path: format!("{keys}/{id}"), id, consumer_id: consumer_id.to_owned() }
    }

    /// Replaces the key; the old one works for `grace_seconds` more.
    ///
    /// # Panics
    /// Panics if the admin API refuses.
    pub async fn rotate(&self, api: &AdminApi, grace_seconds: u64) -> Self {
        let answer =
            post(api, &format!("{}/rotate", self.path), json!({ "grace_seconds": grace_seconds }))
                .await;
        let keys = self.path.rsplit_once('/').map_or("", |(keys, _)| keys);
        Self::read(&answer, &self.consumer_id, keys)
    }
}
