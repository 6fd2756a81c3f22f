//! Templates of sites: the first contents of a new one, so that it answers traffic at once.

use policy::desired::UpstreamProtocol;
use policy::method::Methods;
use policy::settings::{Auth, SiteSettings};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::TenantTx;
use store::api::{self, NewApi};
use store::route::{self, RouteSpec, VersionRef};
use store::site::{self, NewSite, Site};
use store::upstream::{self, Endpoint, NewUpstream};
use store::version::{self, NewVersion};
use utoipa::ToSchema;

use crate::http::problem::Problem;
use crate::http::problem::request::INTERNAL;

/// A template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Template {
    /// All methods on all paths, for callers that have an API key.
    RestApi,
    /// All methods on all paths for everybody, 20 requests a second for each address.
    Storefront,
    /// Only GET and HEAD, for everybody, 50 requests a second for each address.
    PublicContent,
    /// Nothing but the site.
    Empty,
}

/// The destination of a site's traffic.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// An IP address or a DNS name.
    #[schema(example = "origin.example.com")]
    pub address: String,
    /// The port.
    #[schema(minimum = 1, maximum = 65535, example = 8080)]
    pub port: u16,
}

impl Template {
    /// The treatment of requests.
    pub fn settings(self) -> Result<SiteSettings, Problem> {
        let by_address = |requests: u32| {
            json!({"limits": [
                {"name": "per-address", "requests": requests, "per": "second", "by": ["client_ip"]}
            ]})
        };
        let settings = match self {
            Self::RestApi | Self::Empty => return Ok(SiteSettings::default()),
            Self::Storefront => by_address(20),
            Self::PublicContent => by_address(50),
        };
        let settings: SiteSettings = serde_json::from_value(settings).map_err(|_| &INTERNAL)?;
        Ok(SiteSettings { auth: Auth::None, ..settings })
    }

    fn methods(self) -> Methods {
        match self {
            Self::PublicContent => ["GET", "HEAD"]
                .into_iter()
                .filter_map(Methods::named)
                .fold(Methods::NONE, Methods::union),
            _ => Methods::ALL_BUT_TRACE,
        }
    }

    /// Makes a site.
    pub async fn make(
        self,
        tx: &mut TenantTx,
        site: NewSite,
        origin: Option<&Origin>,
    ) -> Result<Site, Problem> {
        let site = site::create(tx, site).await?;
        let Some(origin) = origin.filter(|_| self != Self::Empty) else { return Ok(site) };
        let upstream = NewUpstream {
            name: "origin".to_owned(),
            endpoints: vec![Endpoint {
                address: origin.address.clone(),
                port: origin.port,
                weight: 1,
            }],
            protocol: UpstreamProtocol::Http1,
            connect_timeout_ms: 5_000,
            request_timeout_ms: 15_000,
        };
        let upstream = upstream::create(tx, site.id, upstream).await?.id;
        let new = NewApi {
            name: "site".to_owned(),
            base_path: "/".to_owned(),
            strip_base_path: true,
            settings: Default::default(),
        };
        let api = api::create(tx, site.id, new).await?.id;
        // The origin gets every path as the client has sent it; with a second version, the owner
        // puts both into the paths.
        let new = NewVersion { name: "v1".to_owned(), in_path: false, upstream_id: upstream };
        let version = version::create(tx, site.id, api, new).await?.id;
        let route = RouteSpec {
            name: None,
            methods: self.methods(),
            path: "/{*rest}".to_owned(),
            upstream_id: None,
            settings: Default::default(),
        };
        route::create(tx, VersionRef { site: site.id, api, version }, route).await?;
        Ok(site)
    }
}

#[cfg(test)]
mod tests {
    use policy::settings::Checked as _;

    use super::*;

    #[test]
    fn the_settings_of_templates_are_such_as_the_api_takes() {
        for template in
            [Template::RestApi, Template::Storefront, Template::PublicContent, Template::Empty]
        {
            let settings = template.settings().unwrap();
            assert_eq!(settings.faults(), [], "{template:?}");
            let is_public = settings.auth == Auth::None;
            assert_eq!(
                is_public,
                !settings.limits.is_empty(),
                "{template:?}: what is public is limited"
            );
        }
    }
}
