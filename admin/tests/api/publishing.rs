//! One of everything: what most tests begin with.

use serde_json::json;

use crate::harness::{Api, id_of};

/// The places of one of each kind of object, all of one tenant.
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
}

impl World {
    pub(crate) async fn make(api: &Api, slug: &str) -> Self {
        let tenant = api.make("/v1/tenants", json!({"name": slug, "slug": slug})).await;
        Self::site(api, &tenant, slug).await
    }

    /// Makes a site with one of everything in a tenant.
    pub(crate) async fn site(api: &Api, tenant: &str, slug: &str) -> Self {
        let site = api.make(&format!("{tenant}/sites"), json!({"name": slug, "slug": slug})).await;
        let hostname = api.make(&format!("{site}/hostnames"), json!({"name": format!("{slug}-alt")})).await;
        let endpoints = json!([{"address": "127.0.0.1", "port": 8080}]);
        let upstream = api.make(&format!("{site}/upstreams"), json!({"name": "main", "endpoints": endpoints})).await;
        let published = api.make(&format!("{site}/apis"), json!({"name": "Orders", "base_path": "/orders"})).await;
        let new_version = json!({"name": "v1", "upstream_id": id_of(&upstream)});
        let version = api.make(&format!("{published}/versions"), new_version).await;
        let new_route = json!({"methods": ["GET"], "path": "/orders/{id}", "name": "getOrder"});
        let route = api.make(&format!("{version}/routes"), new_route).await;
        let consumer = api.make(&format!("{site}/consumers"), json!({"name": "app"})).await;
        let key = api.make(&format!("{consumer}/keys"), json!({"name": "ci"})).await;
        let tenant = tenant.to_owned();
        Self { tenant, site, hostname, upstream, api: published, version, route, consumer, key }
    }

    /// The path of an operation, with the ids of this world in it.
    pub(crate) fn path(&self, template: &str) -> String {
        [
            ("{tenant_id}", &self.tenant),
            ("{site_id}", &self.site),
            ("{hostname_id}", &self.hostname),
            ("{upstream_id}", &self.upstream),
            ("{api_id}", &self.api),
            ("{version_id}", &self.version),
            ("{route_id}", &self.route),
            ("{consumer_id}", &self.consumer),
            ("{key_id}", &self.key),
        ]
        .into_iter()
        .fold(template.to_owned(), |path, (parameter, place)| path.replace(parameter, id_of(place)))
    }
}
