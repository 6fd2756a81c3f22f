//! The HTTP connection manager at the edge: Envoy's advice for edge proxies ("Configuring Envoy as
//! an edge proxy"), with the reasons for the choices here.

use std::time::Duration;

use envoy_types::pb::envoy::config::common::mutation_rules::v3::{HeaderMutation, header_mutation};
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::extensions::filters::http::cdn_loop::v3::CdnLoopConfig;
use envoy_types::pb::envoy::extensions::filters::http::on_demand::v3::OnDemand;
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3 as early;
use policy::header_name;
use policy::id::TenantId;
use xds_api::pb::envoy::config::core::v3::{
    CidrRange, ExtensionConfigSource, Http1ProtocolOptions, Http2ProtocolOptions,
    HttpProtocolOptions, SchemeHeaderTransformation, TypedExtensionConfig,
    http_protocol_options::HeadersWithUnderscoresAction,
    scheme_header_transformation::Transformation,
};
use xds_api::pb::envoy::extensions::filters::http::router::v3::Router;
use xds_api::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, HttpFilter, ScopedRds, ScopedRoutes, http_connection_manager as hcm,
    http_filter,
    scoped_routes::{ConfigSpecifier, ScopeKeyBuilder, scope_key_builder as scope},
};

use super::filter::{FILTER_NAME, WASM_TYPE, wasm};
use super::protobuf::{ads, boolean, duration, extension, pack, pack_as, uint};
use super::{access_log, local_reply};
use crate::node::EdgeSettings;

/// The time after which a connection without a request is closed: most clients reuse theirs within
/// seconds, and each costs memory.
const CONNECTION_IDLE: Duration = Duration::from_secs(300);
/// The time after which a stream without a route, on which nothing moves, is ended. It bounds the
/// wait of the first request of a site for its routes while no xds-server is there to send them;
/// once there is a route, its own idle timeout counts.
const UNROUTED_IDLE: Duration = Duration::from_secs(15);
/// The time for the headers of a request, against clients that send them byte by byte.
const REQUEST_HEADERS: Duration = Duration::from_secs(10);
/// The time for the whole of a request. It bounds slow bodies, which the idle timeout alone lets go
/// on for ever, and leaves time for a large upload over a thin line. It does not bound the
/// response. It also bounds the wait of a request for the routes of its site while the xDS server
/// is away: Envoy has no other limit for that.
const REQUEST: Duration = Duration::from_secs(300);
/// The most headers of a request: Envoy's default, twice what browsers behind several proxies send.
const MAX_HEADERS: u32 = 100;
/// The most bytes of all headers of a request, in KiB: four times what common servers take, so that
/// nothing real is refused here, and half of Envoy's default, as each connection may hold as much.
const MAX_HEADERS_KIB: u32 = 32;
/// HTTP/2: the streams that one connection may have at once, and the bytes under way for a stream
/// and for the connection.
const MAX_STREAMS: u32 = 100;
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;

/// The name of all gateways of this kind in `CDN-Loop`.
const CDN_ID: &str = "tenantry";
/// The times that a request may have come through a gateway before: once, so that a site can stand
/// in front of another one.
const MAX_EARLIER_PASSAGES: u32 = 1;

/// The connection manager of an Envoy with these settings, for all tenants or for one.
pub(super) fn config(edge: &EdgeSettings, tenant: Option<TenantId>) -> HttpConnectionManager {
    let mut mutations = vec![remove_forged_path()];
    mutations.extend(tenant.map(name_listener));
    HttpConnectionManager {
        // One for the listeners of all tenants, so that their number does not make statistics.
        stat_prefix: if tenant.is_some() { "tenant_http" } else { "edge_http" }.to_owned(),
        http_filters: filters(edge),
        route_specifier: Some(hcm::RouteSpecifier::ScopedRoutes(scoped_routes())),
        common_http_protocol_options: Some(HttpProtocolOptions {
            idle_timeout: duration(CONNECTION_IDLE),
            max_headers_count: uint(MAX_HEADERS),
            // Many servers read `_` as `-`: `x_tenantry_site` must not become `x-tenantry-site`
            // behind the gateway.
            headers_with_underscores_action: HeadersWithUnderscoresAction::RejectRequest.into(),
            ..Default::default()
        }),
        http_protocol_options: Some(Http1ProtocolOptions::default()),
        http2_protocol_options: Some(Http2ProtocolOptions {
            max_concurrent_streams: uint(MAX_STREAMS),
            initial_stream_window_size: uint(STREAM_WINDOW_BYTES),
            initial_connection_window_size: uint(CONNECTION_WINDOW_BYTES),
            ..Default::default()
        }),
        max_request_headers_kb: uint(MAX_HEADERS_KIB),
        stream_idle_timeout: duration(UNROUTED_IDLE),
        request_headers_timeout: duration(REQUEST_HEADERS),
        request_timeout: duration(REQUEST),
        // The peer is the client, or a proxy that the operator trusts: a client's address is not
        // taken from its own x-forwarded-for. And no address counts as internal, so that x-envoy-*
        // headers of clients are always removed.
        use_remote_address: boolean(true),
        xff_num_trusted_hops: edge.trusted_hops,
        internal_address_config: Some(hcm::InternalAddressConfig {
            cidr_ranges: vec![nobody()],
            ..Default::default()
        }),
        // The listeners are in clear, and a client may say anything else in HTTP/2 or in an
        // absolute target. A proxy that is trusted tells the scheme by x-forwarded-proto instead.
        scheme_header_transformation: (edge.trusted_hops == 0).then(|| {
            SchemeHeaderTransformation {
                transformation: Some(Transformation::SchemeToOverwrite("http".to_owned())),
                ..Default::default()
            }
        }),
        early_header_mutation_extensions: mutations,
        // One reading of a path for filter, route and upstream. An escaped slash has no such
        // reading, so it is refused.
        normalize_path: boolean(true),
        merge_slashes: true,
        path_with_escaped_slashes_action: hcm::PathWithEscapedSlashesAction::RejectRequest.into(),
        // The filter brings the host to its canonical form for its own look-up, and the VirtualHost
        // takes any host. So port and trailing dot are left as they came, for the upstream to see.
        strip_matching_host_port: false,
        strip_trailing_host_dot: false,
        // The upstream's own server header is not passed on.
        server_header_transformation: hcm::ServerHeaderTransformation::Overwrite.into(),
        access_log: access_log::stdout(),
        local_reply_config: Some(local_reply::config()),
        ..Default::default()
    }
}

/// The HTTP filters, in order:
/// 1. Tenantry's own, which decides. It is first, so that nothing happens for a request that it
///    refuses.
/// 2. `on_demand`, which holds the request until the routes of its site are there.
/// 3. `cdn_loop`, which ends a request that an upstream leads back here (RFC 8586). It is behind
///    `on_demand`, after which a request begins anew, and so counts each passage once.
/// 4. the router, always last.
fn filters(edge: &EdgeSettings) -> Vec<HttpFilter> {
    let discovered = ExtensionConfigSource {
        config_source: Some(ads()),
        default_config: Some(wasm(edge)),
        // The listener opens at once, and with the filter in it.
        apply_default_config_without_warming: true,
        type_urls: vec![format!("type.googleapis.com/{WASM_TYPE}")],
    };
    let on_demand =
        pack_as("envoy.extensions.filters.http.on_demand.v3.OnDemand", &OnDemand::default());
    let cdn_loop = pack_as(
        "envoy.extensions.filters.http.cdn_loop.v3.CdnLoopConfig",
        &CdnLoopConfig { cdn_id: CDN_ID.to_owned(), max_allowed_occurrences: MAX_EARLIER_PASSAGES },
    );
    let filter = |name: &str, config| HttpFilter {
        name: name.to_owned(),
        config_type: Some(config),
        ..Default::default()
    };
    vec![
        filter(FILTER_NAME, http_filter::ConfigType::ConfigDiscovery(discovered)),
        filter("on_demand", http_filter::ConfigType::TypedConfig(on_demand)),
        filter("cdn_loop", http_filter::ConfigType::TypedConfig(cdn_loop)),
        filter("router", http_filter::ConfigType::TypedConfig(pack(&Router::default()))),
    ]
}

/// The routes of each site are a scope of their own, found by the first half of the header that the
/// filter sets: the site.
fn scoped_routes() -> ScopedRoutes {
    let extractor = scope::fragment_builder::HeaderValueExtractor {
        name: header_name::ROUTE.to_owned(),
        element_separator: header_name::ROUTE_SEPARATOR.to_string(),
        extract_type: Some(scope::fragment_builder::header_value_extractor::ExtractType::Index(0)),
    };
    let fragment = scope::FragmentBuilder {
        r#type: Some(scope::fragment_builder::Type::HeaderValueExtractor(extractor)),
    };
    ScopedRoutes {
        name: "sites".to_owned(),
        scope_key_builder: Some(ScopeKeyBuilder { fragments: vec![fragment] }),
        rds_config_source: Some(ads()),
        config_specifier: Some(ConfigSpecifier::ScopedRds(ScopedRds {
            scoped_rds_config_source: Some(ads()),
            srds_resources_locator: String::new(),
        })),
    }
}

/// A range in which no client is. An empty list would mean Envoy's default, private addresses,
/// which a load balancer in front of the edge has: every request through it could then set timeouts
/// and retries by x-envoy-* headers.
fn nobody() -> CidrRange {
    CidrRange { address_prefix: "255.255.255.255".to_owned(), prefix_len: uint(32) }
}

/// Tells the filter whose listener it is, in place of the client's own header. A filter
/// configuration for each tenant would cost a VM context in every worker.
fn name_listener(tenant: TenantId) -> TypedExtensionConfig {
    let header = HeaderValue {
        key: header_name::LISTENER.to_owned(),
        value: tenant.to_string(),
        ..Default::default()
    };
    let set = header_mutation::Action::Append(HeaderValueOption {
        header: Some(header),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..Default::default()
    });
    let config = early::HeaderMutation { mutations: vec![HeaderMutation { action: Some(set) }] };
    extension(
        "tenant_listener",
        pack_as(
            "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            &config,
        ),
    )
}

/// Envoy keeps the path before a rewrite in this header, and the access log reads it there; a
/// client must not write it.
fn remove_forged_path() -> TypedExtensionConfig {
    let remove = header_mutation::Action::Remove("x-envoy-original-path".to_owned());
    let config = early::HeaderMutation { mutations: vec![HeaderMutation { action: Some(remove) }] };
    extension(
        "forged_path",
        pack_as(
            "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            &config,
        ),
    )
}
