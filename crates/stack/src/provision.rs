//! Publishing an API through the admin HTTP API, step by step and idempotently: what is there is
//! found, what is missing is made.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::admin_api::{AdminApi, ApiError};
use crate::control::BASE_DOMAIN;

/// One tenant with one site, one API on one upstream, and one consumer with a key.
#[derive(Debug, Clone)]
pub struct SiteSpec {
    pub tenant: String,
    /// Of the site, and of the tenant.
    pub slug: String,
    pub api: String,
    pub base_path: String,
    pub version: String,
    pub upstream: SocketAddr,
    pub routes: Vec<RouteSpec>,
    pub consumer: String,
    /// A path of the API that a route matches, for whoever wants to try it.
    pub example_path: String,
}

#[derive(Debug, Clone)]
pub struct RouteSpec {
    pub methods: Vec<String>,
    pub path: String,
}

impl RouteSpec {
    pub fn new(methods: &[&str], path: &str) -> RouteSpec {
        RouteSpec {
            methods: methods.iter().map(|&method| method.to_owned()).collect(),
            path: path.to_owned(),
        }
    }
}

impl SiteSpec {
    /// A small shop at `/shop/v1`: one route each with a literal path, a parameter and another
    /// method.
    pub fn shop(tenant: &str, slug: &str, upstream: SocketAddr) -> SiteSpec {
        SiteSpec {
            tenant: tenant.to_owned(),
            slug: slug.to_owned(),
            api: "shop".to_owned(),
            base_path: "/shop".to_owned(),
            version: "v1".to_owned(),
            upstream,
            routes: vec![
                RouteSpec::new(&["GET"], "/products"),
                RouteSpec::new(&["GET"], "/products/{id}"),
                RouteSpec::new(&["POST"], "/orders"),
            ],
            consumer: "storefront".to_owned(),
            example_path: "/shop/v1/products/42".to_owned(),
        }
    }
}

/// The result of [`publish`]. Holds the clear text of an API key: store it for its owner alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    pub tenant_id: String,
    pub site_id: String,
    /// `<slug>.<base domain>`.
    pub hostname: String,
    pub upstream_id: String,
    pub api_id: String,
    pub version_id: String,
    pub consumer_id: String,
    pub key_id: String,
    pub api_key: String,
    pub path: String,
}

impl Published {
    /// `/v1/tenants/<tenant>/sites/<site>`, under which all that belongs to the site is.
    pub fn site_url(&self) -> String {
        format!("/v1/tenants/{}/sites/{}", self.tenant_id, self.site_id)
    }

    /// The keys of the consumer.
    pub fn keys_url(&self) -> String {
        format!("{}/consumers/{}/keys", self.site_url(), self.consumer_id)
    }
}

/// Publishes `spec`. `before` is what an earlier call answered: its key is kept if it is still
/// valid, since the API never shows a key twice.
pub async fn publish(
    api: &AdminApi,
    spec: &SiteSpec,
    before: Option<&Published>,
) -> Result<Published> {
    let tenant = json!({ "name": spec.tenant, "slug": spec.slug });
    let tenant_id = ensure(api, "/v1/tenants", "slug", tenant).await?;
    let site = json!({ "name": spec.tenant, "slug": spec.slug, "environment": "live" });
    let site_id = ensure(api, &format!("/v1/tenants/{tenant_id}/sites"), "slug", site).await?;
    let base = format!("/v1/tenants/{tenant_id}/sites/{site_id}");

    let endpoints =
        json!([{ "address": spec.upstream.ip().to_string(), "port": spec.upstream.port() }]);
    let upstreams = format!("{base}/upstreams");
    let upstream_id =
        ensure(api, &upstreams, "name", json!({ "name": spec.api, "endpoints": endpoints }))
            .await?;
    let upstream = api.get(&format!("{upstreams}/{upstream_id}")).await?;
    if upstream["endpoints"][0]["port"] != endpoints[0]["port"] {
        api.patch(&format!("{upstreams}/{upstream_id}"), json!({ "endpoints": endpoints })).await?;
    }

    let published_api = json!({ "name": spec.api, "base_path": spec.base_path });
    let api_id = ensure(api, &format!("{base}/apis"), "name", published_api).await?;
    let versions = format!("{base}/apis/{api_id}/versions");
    let version = json!({ "name": spec.version, "upstream_id": upstream_id });
    let version_id = ensure(api, &versions, "name", version).await?;
    for route in &spec.routes {
        let routes = format!("{versions}/{version_id}/routes");
        let body = json!({ "methods": route.methods, "path": route.path });
        if api
            .find(&routes, |item| {
                item["path"] == body["path"] && item["methods"] == body["methods"]
            })
            .await?
            .is_none()
        {
            api.post(&routes, body).await?;
        }
    }

    let consumers = format!("{base}/consumers");
    let consumer_id = ensure(api, &consumers, "name", json!({ "name": spec.consumer })).await?;
    let keys = format!("{consumers}/{consumer_id}/keys");
    let (key_id, api_key) = match before {
        Some(before) if still_valid(api, &keys, &before.key_id).await? => {
            (before.key_id.clone(), before.api_key.clone())
        }
        _ => {
            let key = api.post(&keys, json!({ "name": "first" })).await?;
            (text(&key, "id")?, text(&key, "key")?)
        }
    };
    Ok(Published {
        tenant_id,
        site_id,
        hostname: format!("{}.{BASE_DOMAIN}", spec.slug),
        upstream_id,
        api_id,
        version_id,
        consumer_id,
        key_id,
        api_key,
        path: spec.example_path.clone(),
    })
}

/// The id of the item whose `unique` field is that of `body`, made from `body` if there is none.
async fn ensure(api: &AdminApi, list: &str, unique: &str, body: Value) -> Result<String> {
    let found = match api.find(list, |item| item[unique] == body[unique]).await? {
        Some(item) => item,
        None => api.post(list, body).await?,
    };
    text(&found, "id")
}

async fn still_valid(api: &AdminApi, keys: &str, key_id: &str) -> Result<bool> {
    match api.get(&format!("{keys}/{key_id}")).await {
        Ok(key) => Ok(key["revoked_at"].is_null() && key["expires_at"].is_null()),
        Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(false),
        Err(error) => Err(ApiError::into(error)),
    }
}

fn text(object: &Value, field: &str) -> Result<String> {
    object[field]
        .as_str()
        .map(str::to_owned)
        .with_context(|| format!("the answer has no text field `{field}`"))
}
