//! For tests: a stream, a snapshot, and short forms for what a client does.

use policy::id::{SiteId, Uuid};
use xds_api::pb::envoy::config::core::v3::Node;
use xds_api::pb::envoy::config::route::v3::ScopedRouteConfiguration;
use xds_api::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use xds_api::pb::google::rpc::Status;

use super::{Event, Stream};
use crate::resource::{Named, Resource, ResourceType, Version, route_name};
use crate::snapshot::{Owner, Snapshot};

pub(super) fn id(number: u128) -> SiteId {
    SiteId(Uuid::from_u128(number))
}

/// The name of a site's only cluster.
pub(super) fn cluster(number: u128) -> String {
    format!("site/{}/u", id(number))
}

/// The name of a site's routes.
pub(super) fn routes(number: u128) -> String {
    route_name(id(number))
}

/// A site with one EDS cluster; each part has a content of its own, so that it can change alone.
pub(super) fn site(
    number: u128,
    cluster_content: &str,
    endpoints: &str,
    route: &str,
) -> Vec<Named> {
    let named = |kind, name: String, content: &str| {
        let resource = Resource::new(kind, content.into());
        Named { kind, name, resource }
    };
    let scope = id(number).to_string();
    vec![
        named(ResourceType::Cluster, cluster(number), cluster_content),
        named(ResourceType::Endpoints, cluster(number), endpoints),
        lazy_scope(number),
        named(ResourceType::Route, routes(number), route),
        named(ResourceType::SitePolicy, scope, route),
        named(ResourceType::Host, format!("{number}.gw.localhost"), "host"),
    ]
}

/// The scope of a site that is loaded on demand.
pub(super) fn lazy_scope(number: u128) -> Named {
    let name = id(number).to_string();
    let scope =
        ScopedRouteConfiguration { name: name.clone(), on_demand: true, ..Default::default() };
    Named::of(ResourceType::ScopedRoute, name, &scope)
}

/// A request of a type, with a Node as every first request has it.
pub(super) fn request(kind: ResourceType) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest {
        node: Some(Node { id: "edge-1".to_owned(), ..Default::default() }),
        type_url: kind.type_url().to_owned(),
        ..Default::default()
    }
}

/// The content of a response: names with content, and names that are gone.
pub(super) type Said = (ResourceType, Vec<String>, Vec<String>);

pub(super) fn said(response: &DeltaDiscoveryResponse) -> Said {
    let kind = ResourceType::from_type_url(&response.type_url).expect("a type of ours");
    let names = response.resources.iter().map(|resource| resource.name.clone()).collect();
    (kind, names, response.removed_resources.clone())
}

/// One stream and what it serves from.
#[derive(Default)]
pub(super) struct Session {
    pub(super) stream: Stream,
    pub(super) snapshot: Snapshot,
}

impl Session {
    /// A new stream on a snapshot with these sites, each in its first version.
    pub(super) fn with_sites(numbers: &[u128]) -> Self {
        let mut session = Self::default();
        for number in numbers {
            session.apply(*number, site(*number, "c1", "e1", "r1"));
        }
        session
    }

    /// Ends the stream and begins another on the same snapshot.
    pub(super) fn reconnect(&mut self) {
        self.stream = Stream::new();
    }

    pub(super) fn apply(&mut self, number: u128, resources: Vec<Named>) {
        let changed = self.snapshot.apply(Owner::Site(id(number)), resources);
        self.stream.changed(&changed);
    }

    /// Says that everything through this change was applied.
    pub(super) fn reached(&mut self, seq: i64) {
        self.snapshot.set_seq(seq);
        self.stream.reached(seq);
    }

    pub(super) fn send(&mut self, request: &DeltaDiscoveryRequest) -> Vec<Event> {
        self.stream.receive(&self.snapshot, request).expect("a request with a node")
    }

    pub(super) fn subscribe(&mut self, kind: ResourceType, names: &[&str]) -> Vec<Event> {
        let resource_names_subscribe = names.iter().map(|name| (*name).to_owned()).collect();
        self.send(&DeltaDiscoveryRequest { resource_names_subscribe, ..request(kind) })
    }

    pub(super) fn unsubscribe(&mut self, kind: ResourceType, names: &[&str]) -> Vec<Event> {
        let resource_names_unsubscribe = names.iter().map(|name| (*name).to_owned()).collect();
        self.send(&DeltaDiscoveryRequest { resource_names_unsubscribe, ..request(kind) })
    }

    /// A first request of a type on a new stream, by a client that has these resources at these
    /// contents.
    pub(super) fn resume(&mut self, kind: ResourceType, names: &[&str], has: &[(&str, &str)]) {
        let versions = has.iter().map(|(name, content)| {
            ((*name).to_owned(), Version::of(content.as_bytes()).as_str().to_owned())
        });
        self.send(&DeltaDiscoveryRequest {
            resource_names_subscribe: names.iter().map(|name| (*name).to_owned()).collect(),
            initial_resource_versions: versions.collect(),
            ..request(kind)
        });
    }

    pub(super) fn poll(&mut self) -> Option<DeltaDiscoveryResponse> {
        self.stream.poll(&self.snapshot)
    }

    /// The next response, which has to be there.
    pub(super) fn next(&mut self) -> DeltaDiscoveryResponse {
        self.poll().expect("a response")
    }

    pub(super) fn ack(&mut self, response: &DeltaDiscoveryResponse) -> Vec<Event> {
        let kind = said(response).0;
        self.send(&DeltaDiscoveryRequest {
            response_nonce: response.nonce.clone(),
            ..request(kind)
        })
    }

    pub(super) fn nack(&mut self, response: &DeltaDiscoveryResponse) -> Vec<Event> {
        let kind = said(response).0;
        let error_detail =
            Some(Status { code: 3, message: "no good".to_owned(), ..Default::default() });
        self.send(&DeltaDiscoveryRequest {
            response_nonce: response.nonce.clone(),
            error_detail,
            ..request(kind)
        })
    }

    /// Accepts responses until there are none; as Envoy does, asks for the endpoints of clusters
    /// and forgets those of clusters that are gone. Returns what was said, in order.
    pub(super) fn settle(&mut self) -> Vec<Said> {
        let mut all = Vec::new();
        while let Some(response) = self.poll() {
            let (kind, names, removed) = said(&response);
            self.ack(&response);
            if kind == ResourceType::Cluster {
                let held = &self.stream.subscription(ResourceType::Endpoints).names;
                let new: Vec<_> =
                    names.iter().filter(|name| !held.contains(*name)).map(String::as_str).collect();
                if !new.is_empty() {
                    self.subscribe(ResourceType::Endpoints, &new);
                }
                let gone: Vec<_> = removed.iter().map(String::as_str).collect();
                if !gone.is_empty() {
                    self.unsubscribe(ResourceType::Endpoints, &gone);
                }
            }
            all.push((kind, names, removed));
        }
        all
    }

    /// An Envoy that has connected and loaded the routes of these sites.
    pub(super) fn envoy_with(numbers: &[u128]) -> Self {
        let mut session = Self::with_sites(numbers);
        for kind in [ResourceType::Cluster, ResourceType::ScopedRoute] {
            session.subscribe(kind, &[]);
        }
        for number in numbers {
            session.subscribe(ResourceType::Route, &[&routes(*number)]);
        }
        session.settle();
        session
    }
}
