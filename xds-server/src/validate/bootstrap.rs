//! A bootstrap that makes Envoy look at resources as it does when they come by xDS.
//!
//! Validation asks no xDS server for anything, so resources that would come later are put where
//! Envoy builds them at once: endpoints into static clusters, routes into connection managers, an
//! extension's configuration into a filter. The resources themselves are as they are pushed.

use prost::Message as _;
use xds_api::pb::envoy::config::bootstrap::v3::{Bootstrap, bootstrap};
use xds_api::pb::envoy::config::cluster::v3::{Cluster, cluster};
use xds_api::pb::envoy::config::core::v3::{
    ApiConfigSource, ApiVersion, GrpcService, Node, TypedExtensionConfig, api_config_source,
    grpc_service,
};
use xds_api::pb::envoy::config::endpoint::v3::ClusterLoadAssignment;
use xds_api::pb::envoy::config::listener::v3::{Filter, FilterChain, Listener, filter};
use xds_api::pb::envoy::config::route::v3::{RouteConfiguration, ScopedRouteConfiguration};
use xds_api::pb::envoy::extensions::filters::http::router::v3::Router;
use xds_api::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, HttpFilter, ScopedRouteConfigurationsList, ScopedRoutes,
    http_connection_manager as hcm, http_filter,
    scoped_routes::{ConfigSpecifier, ScopeKeyBuilder, scope_key_builder as scope},
};

use crate::resource::{Resource, ResourceType};
use crate::translate::protobuf::{ads, boolean, pack};
use crate::translate::socket;

/// The cluster that the xDS stream of the bootstrap is of; nothing connects to it.
const XDS: &str = "xds";

/// The bootstrap that resources are put into.
#[derive(Default)]
struct Parts {
    clusters: Vec<Cluster>,
    listeners: Vec<Listener>,
    scopes: Vec<ScopedRouteConfiguration>,
}

/// The bytes of a bootstrap with these resources; those of the filter are left out, as Envoy does
/// not know them.
///
/// # Errors
/// Fails when a resource is not what its type says.
pub fn bootstrap<'a>(
    resources: impl IntoIterator<Item = (ResourceType, &'a Resource)>,
) -> Result<Vec<u8>, prost::DecodeError> {
    let mut parts = Parts { clusters: vec![static_cluster(XDS, None)], ..Parts::default() };
    for (kind, resource) in resources {
        parts.add(kind, &resource.body.value)?;
    }
    if !parts.scopes.is_empty() {
        let scopes = std::mem::take(&mut parts.scopes);
        parts.manager(hcm::RouteSpecifier::ScopedRoutes(scoped(scopes)), None);
    }
    let stream = GrpcService {
        target_specifier: Some(grpc_service::TargetSpecifier::EnvoyGrpc(grpc_service::EnvoyGrpc {
            cluster_name: XDS.to_owned(),
            ..Default::default()
        })),
        ..Default::default()
    };
    let ads_config = ApiConfigSource {
        api_type: api_config_source::ApiType::DeltaGrpc.into(),
        transport_api_version: ApiVersion::V3.into(),
        grpc_services: vec![stream],
        ..Default::default()
    };
    let bootstrap = Bootstrap {
        node: Some(Node {
            id: "validate".to_owned(),
            cluster: "validate".to_owned(),
            ..Default::default()
        }),
        static_resources: Some(bootstrap::StaticResources {
            clusters: parts.clusters,
            listeners: parts.listeners,
            ..Default::default()
        }),
        dynamic_resources: Some(bootstrap::DynamicResources {
            ads_config: Some(ads_config),
            ..Default::default()
        }),
        ..Default::default()
    };
    Ok(bootstrap.encode_to_vec())
}

impl Parts {
    fn add(&mut self, kind: ResourceType, bytes: &[u8]) -> Result<(), prost::DecodeError> {
        match kind {
            ResourceType::Cluster => self.clusters.push(Cluster::decode(bytes)?),
            ResourceType::Endpoints => {
                let mut assignment = ClusterLoadAssignment::decode(bytes)?;
                // Its cluster is there by this name already.
                assignment.cluster_name.insert_str(0, "endpoints of ");
                self.clusters
                    .push(static_cluster(&assignment.cluster_name.clone(), Some(assignment)));
            }
            ResourceType::Route => {
                let mut routes = RouteConfiguration::decode(bytes)?;
                // As it is for routes that come by xDS.
                routes.validate_clusters = boolean(false);
                self.manager(hcm::RouteSpecifier::RouteConfig(routes), None);
            }
            ResourceType::ScopedRoute => {
                let mut scope = ScopedRouteConfiguration::decode(bytes)?;
                // A scope that is inline has to have its routes inline.
                scope.on_demand = false;
                let name = std::mem::take(&mut scope.route_configuration_name);
                scope.route_configuration = Some(RouteConfiguration { name, ..Default::default() });
                self.scopes.push(scope);
            }
            ResourceType::Listener => self.listeners.push(Listener::decode(bytes)?),
            ResourceType::ExtensionConfig => {
                let extension = TypedExtensionConfig::decode(bytes)?;
                self.manager(
                    hcm::RouteSpecifier::RouteConfig(RouteConfiguration::default()),
                    Some(extension),
                );
            }
            ResourceType::SitePolicy
            | ResourceType::ConsumerBucket
            | ResourceType::KeyBucket
            | ResourceType::Host
            | ResourceType::Sync => {}
        }
        Ok(())
    }

    /// Adds a listener with a connection manager, and with a filter before the router if there is
    /// one.
    fn manager(&mut self, routes: hcm::RouteSpecifier, extension: Option<TypedExtensionConfig>) {
        let typed = |name: &str, config| HttpFilter {
            name: name.to_owned(),
            config_type: Some(http_filter::ConfigType::TypedConfig(config)),
            ..Default::default()
        };
        let extension =
            extension.and_then(|extension| Some(typed(&extension.name, extension.typed_config?)));
        let manager = HttpConnectionManager {
            stat_prefix: "validate".to_owned(),
            http_filters: extension
                .into_iter()
                .chain([typed("router", pack(&Router::default()))])
                .collect(),
            route_specifier: Some(routes),
            ..Default::default()
        };
        let filter = Filter {
            name: "http".to_owned(),
            config_type: Some(filter::ConfigType::TypedConfig(pack(&manager))),
        };
        let number = self.listeners.len();
        self.listeners.push(Listener {
            name: format!("validate {number}"),
            // No socket is opened; only no two listeners may have the same address.
            address: Some(socket(&format!("127.1.{}.{}", number / 256 % 256, number % 256), 1)),
            filter_chains: vec![FilterChain { filters: vec![filter], ..Default::default() }],
            ..Default::default()
        });
    }
}

fn static_cluster(name: &str, assignment: Option<ClusterLoadAssignment>) -> Cluster {
    let assignment = assignment.unwrap_or_else(|| ClusterLoadAssignment {
        cluster_name: name.to_owned(),
        ..Default::default()
    });
    Cluster {
        name: name.to_owned(),
        cluster_discovery_type: Some(cluster::ClusterDiscoveryType::Type(
            cluster::DiscoveryType::Static.into(),
        )),
        load_assignment: Some(assignment),
        ..Default::default()
    }
}

fn scoped(scopes: Vec<ScopedRouteConfiguration>) -> ScopedRoutes {
    let extractor = scope::fragment_builder::HeaderValueExtractor {
        name: "x-site".to_owned(),
        extract_type: Some(scope::fragment_builder::header_value_extractor::ExtractType::Index(0)),
        ..Default::default()
    };
    let fragment = scope::FragmentBuilder {
        r#type: Some(scope::fragment_builder::Type::HeaderValueExtractor(extractor)),
    };
    ScopedRoutes {
        name: "sites".to_owned(),
        scope_key_builder: Some(ScopeKeyBuilder { fragments: vec![fragment] }),
        rds_config_source: Some(ads()),
        config_specifier: Some(ConfigSpecifier::ScopedRouteConfigurationsList(
            ScopedRouteConfigurationsList { scoped_route_configurations: scopes },
        )),
    }
}
