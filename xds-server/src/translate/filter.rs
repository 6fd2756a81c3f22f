//! The wasm filter's configuration, as an ECDS resource and as the default that holds until that
//! arrives.

use envoy_types::pb::envoy::config::core::v3::{
    AsyncDataSource, BackoffStrategy, DataSource, async_data_source, data_source,
};
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::wasm::v3::{
    FailurePolicy, PluginConfig, ReloadConfig, VmConfig, plugin_config,
};
use envoy_types::pb::google::protobuf::{Any, BoolValue, Duration, StringValue};
use prost::Message as _;
use xds_api::pb::google::protobuf::Any as XdsAny;

use super::protobuf::{extension, pack_as};
use crate::node::EdgeSettings;
use crate::resource::{Named, ResourceType};

/// The name of the ECDS resource, and of the HTTP filter that asks for it.
pub const FILTER_NAME: &str = "tenantry-filter";

/// Shared data is keyed by this: the filter and the singleton that mirrors the pushed state have to
/// have the same one.
const VM_ID: &str = "tenantry";

/// The type URL without its host.
pub(super) const WASM_TYPE: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";

/// The filter's ECDS resource.
pub fn extension_config(edge: &EdgeSettings) -> Named {
    Named::of(ResourceType::ExtensionConfig, FILTER_NAME, &extension(FILTER_NAME, wasm(edge)))
}

/// The configuration of the HTTP filter. If the module fails, it is loaded again, and requests are
/// refused meanwhile.
pub(super) fn wasm(edge: &EdgeSettings) -> XdsAny {
    let code = DataSource {
        specifier: Some(data_source::Specifier::Filename(edge.filter_path.clone())),
        watched_directory: None,
    };
    let configuration = StringValue { value: configuration(edge) };
    let vm = VmConfig {
        vm_id: VM_ID.to_owned(),
        runtime: "envoy.wasm.runtime.v8".to_owned(),
        code: Some(AsyncDataSource { specifier: Some(async_data_source::Specifier::Local(code)) }),
        // The VM's, not the plugin's: another configuration is then another VM, and a request need
        // not say whose it is.
        configuration: Some(Any {
            type_url: "type.googleapis.com/google.protobuf.StringValue".to_owned(),
            value: configuration.encode_to_vec(),
        }),
        ..Default::default()
    };
    let plugin = PluginConfig {
        name: FILTER_NAME.to_owned(),
        root_id: "tenantry".to_owned(),
        failure_policy: FailurePolicy::FailReload.into(),
        reload_config: Some(ReloadConfig { backoff: Some(backoff()) }),
        vm: Some(plugin_config::Vm::VmConfig(vm)),
        ..Default::default()
    };
    let mut packed = pack_as(WASM_TYPE, &Wasm { config: Some(plugin) });
    // Messages that follow each other are one (Protocol Buffers, "Last One Wins"): this adds a
    // field to the same plugin.
    let stopping = Stopping {
        config: Some(StoppingPlugin {
            allow_on_headers_stop_iteration: Some(BoolValue { value: true }),
        }),
    };
    packed.value.extend(stopping.encode_to_vec());
    packed
}

/// The configuration of the module: to decide about requests; the cluster to which it reports
/// usage, the one that the bootstrap names; that a client's address is the one that this listener
/// has found, trusted hops taken into account; and the number of requests from which on it sheds,
/// if the Envoy has its own.
fn configuration(edge: &EdgeSettings) -> String {
    let shed_above =
        edge.shed_above.map_or_else(String::new, |above| format!(r#","shed_above":{above}"#));
    format!(r#"{{"role":"filter","xds_cluster":"xds","client_address":"edge"{shed_above}}}"#)
}

/// The pause before a worker whose VM has failed gets another one: requests are refused meanwhile.
fn backoff() -> BackoffStrategy {
    let ms = |ms: i32| Some(Duration { seconds: 0, nanos: ms * 1_000_000 });
    BackoffStrategy { base_interval: ms(100), max_interval: ms(500) }
}

/// `envoy.extensions.filters.http.wasm.v3.Wasm`, for the field of its plugin that the bindings do
/// not have yet.
#[derive(Clone, PartialEq, prost::Message)]
struct Stopping {
    #[prost(message, optional, tag = "1")]
    config: Option<StoppingPlugin>,
}

/// `envoy.extensions.wasm.v3.PluginConfig`, in part.
#[derive(Clone, PartialEq, prost::Message)]
struct StoppingPlugin {
    /// The filter sees the body of a request whose headers it holds: it checks the digests of
    /// signed bodies.
    #[prost(message, optional, tag = "9")]
    allow_on_headers_stop_iteration: Option<BoolValue>,
}
