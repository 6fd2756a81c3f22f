//! The plugin's configuration: JSON in a `google.protobuf.StringValue`.

use serde::Deserialize;

/// The configuration. Unknown fields are errors, so that a misspelt one is not taken for its default.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// What this instance of the module does.
    pub(crate) role: Role,
    /// The Envoy cluster of the control plane; the mirror alone uses it. Default: `xds`.
    #[serde(default = "default_xds_cluster")]
    pub(crate) xds_cluster: String,
}

/// What an instance of the module does.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Decides about requests.
    Filter,
    /// Mirrors the control plane's state into shared data; for the singleton bootstrap extension.
    Mirror,
}

impl Config {
    pub(crate) fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }
}

fn default_xds_cluster() -> String {
    "xds".to_owned()
}
