//! The VM's configuration: JSON in a `google.protobuf.StringValue`.

use policy::decision::Mode;
use serde::Deserialize;

/// The configuration. Unknown fields are errors, so that a misspelt one is not taken for its
/// default.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The work of this instance of the module.
    pub(crate) role: Role,
    /// The Envoy cluster of the control plane. Default: `xds`.
    #[serde(default = "default_xds_cluster")]
    pub(crate) xds_cluster: String,
    /// The source of the client's address. Default: the edge.
    #[serde(default)]
    pub(crate) client_address: ClientAddress,
    /// The rule for requests without a route of their site.
    #[serde(default)]
    pub(crate) routes: Routes,
    /// The headers that the filter sets.
    #[serde(default)]
    pub(crate) headers: Headers,
    /// From how many requests under way in one worker on tenants are held to their share of it.
    /// Default: 8,192, which at some 50 KB each are 400 MB.
    #[serde(default = "default_shed_above")]
    pub(crate) shed_above: u32,
}

/// The work of an instance of the module.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Decides about requests.
    Filter,
    /// Mirrors the control plane's state into shared data; for the singleton bootstrap extension.
    Mirror,
}

/// The source of the client's address.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientAddress {
    /// In `x-envoy-external-address`, which an edge that uses the remote address sets itself: no
    /// host call.
    Edge,
    /// In Envoy's `source.address`.
    #[default]
    Connection,
}

/// The rule for requests without a route of their site.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Routes {
    /// It does.
    #[default]
    Required,
    /// One without a route is treated as the site says, and Envoy's own routes take it.
    Optional,
}

/// The headers that the filter sets.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Headers {
    /// Those that routes pushed by the control plane need; these routes add the others, and remove
    /// credentials.
    #[default]
    Routed,
    /// All of them, and credentials are removed here: for routes that know nothing of Tenantry.
    All,
}

impl Config {
    pub(crate) fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// The mode of decisions about requests.
    pub(crate) fn mode(&self) -> Mode {
        Mode {
            routes_optional: self.routes == Routes::Optional,
            remove_credentials: self.headers == Headers::All,
            counted: false,
        }
    }
}

fn default_xds_cluster() -> String {
    "xds".to_owned()
}

fn default_shed_above() -> u32 {
    8192
}
