//! A model of Envoy does random things on a stream while sites change. In the end it has exactly
//! the desired state, and on the way it never has routes without the clusters that they lead to.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;
use xds_api::pb::envoy::config::route::v3::ScopedRouteConfiguration;
use xds_api::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource,
};
use xds_api::pb::google::rpc::Status;

use super::Stream;
use super::session::{cluster, id, request, routes, site};
use crate::resource::ResourceType::{self, *};
use crate::resource::{Named, site_of};
use crate::snapshot::{Owner, Snapshot};
use crate::translate;

const SITES: u128 = 3;
/// Without names all of them, as Envoy and the filter ask.
const WILDCARDS: [ResourceType; 4] = [Cluster, ScopedRoute, SitePolicy, Host];
const ALL: [ResourceType; 6] = [Cluster, ScopedRoute, Endpoints, Route, SitePolicy, Host];

#[derive(Clone, Copy, Debug)]
struct Content {
    /// Part of every resource, so that each number is a version of its own.
    version: u8,
    /// True if the site has a cluster, and routes that lead to it.
    cluster: bool,
    /// The type that the client refuses.
    bad: Option<ResourceType>,
}

#[derive(Clone, Debug)]
enum Step {
    Change {
        site: u128,
        content: Content,
        noticed: bool,
    },
    Remove {
        site: u128,
    },
    Want {
        site: u128,
    },
    Forget {
        site: u128,
    },
    Deliver,
    Process,
    Reconnect {
        routes_first: bool,
    },
    /// A look for idle sites, by the bits of those that were used.
    Look {
        used: u8,
    },
}

/// Routes that lead to a cluster say so.
fn group(number: u128, content: Content) -> Vec<Named> {
    let text = |kind| {
        let bad = if content.bad == Some(kind) { " bad" } else { "" };
        let needs = if kind == Route && content.cluster { " needs" } else { "" };
        format!("{}{needs}{bad}", content.version)
    };
    let all = site(number, &text(Cluster), &text(Endpoints), &text(Route));
    all.into_iter()
        .filter(|named| content.cluster || !matches!(named.kind, Cluster | Endpoints))
        .collect()
}

/// The state of a client: version and content of each resource.
type Has = BTreeMap<(ResourceType, String), (String, Vec<u8>)>;

#[derive(Default)]
struct World {
    snapshot: Snapshot,
    stream: Stream,
    inbox: VecDeque<DeltaDiscoveryResponse>,
    has: Has,
    wants: BTreeSet<String>,
    /// The sites of which the client has ever refused something: it may have routes without their
    /// clusters.
    refused: BTreeSet<u128>,
    /// The versions of everything after each change, the first of which has number 1.
    history: Vec<BTreeMap<(ResourceType, String), String>>,
}

impl World {
    fn connect(&mut self, order: &[ResourceType]) {
        self.stream = Stream::new();
        self.inbox.clear();
        for kind in order {
            let names: Vec<_> = match kind {
                Route => self.wants.iter().cloned().collect(),
                Endpoints => self.names_of(Cluster),
                _ => Vec::new(),
            };
            if names.is_empty() && !WILDCARDS.contains(kind) {
                continue;
            }
            let has = self.has.iter().filter(|((of, _), _)| of == kind);
            let initial_resource_versions =
                has.map(|((_, name), (version, _))| (name.clone(), version.clone())).collect();
            self.send(DeltaDiscoveryRequest {
                resource_names_subscribe: names,
                initial_resource_versions,
                ..request(*kind)
            });
        }
    }

    fn names_of(&self, kind: ResourceType) -> Vec<String> {
        self.has.keys().filter(|(of, _)| *of == kind).map(|(_, name)| name.clone()).collect()
    }

    fn send(&mut self, request: DeltaDiscoveryRequest) {
        self.stream.receive(&self.snapshot, &request).expect("a request with a node");
    }

    fn apply(&mut self, site: u128, resources: Vec<Named>, noticed: bool) {
        let changed = self.snapshot.apply(Owner::Site(id(site)), resources);
        self.history.push(self.versions());
        let seq = self.history.len() as i64;
        self.snapshot.set_seq(seq);
        if noticed {
            self.stream.changed(&changed);
            self.stream.reached(seq);
        } else {
            self.stream.resync(&self.snapshot);
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Change { site, content, noticed } => {
                self.apply(site, group(site, content), noticed)
            }
            Step::Remove { site } => self.apply(site, Vec::new(), true),
            Step::Want { site } => {
                self.wants.insert(routes(site));
                self.send(DeltaDiscoveryRequest {
                    resource_names_subscribe: vec![routes(site)],
                    ..request(Route)
                });
            }
            Step::Forget { site } => {
                if self.wants.remove(&routes(site)) {
                    self.has.remove(&(Route, routes(site)));
                    let gone = vec![routes(site)];
                    self.send(DeltaDiscoveryRequest {
                        resource_names_unsubscribe: gone,
                        ..request(Route)
                    });
                }
            }
            Step::Deliver => self.inbox.extend(self.stream.poll(&self.snapshot)),
            Step::Process => {
                if let Some(response) = self.inbox.pop_front() {
                    self.process(response);
                }
            }
            Step::Look { used } => {
                let used = (1..=SITES).filter(|number| used >> number & 1 == 1).map(id).collect();
                self.stream.evict_idle(&self.snapshot, &used);
            }
            Step::Reconnect { routes_first } => {
                // Clusters are always first: Envoy asks for them first.
                let late = if routes_first { [Route, Endpoints] } else { [Endpoints, Route] };
                self.connect(&[&[Cluster], &late[..], &[ScopedRoute, SitePolicy, Host]].concat());
            }
        }
    }

    fn process(&mut self, response: DeltaDiscoveryResponse) {
        let kind = ResourceType::from_type_url(&response.type_url).expect("a type of ours");
        let body = |resource: &Resource| resource.resource.clone().expect("a body").value;
        let mut answer =
            DeltaDiscoveryRequest { response_nonce: response.nonce.clone(), ..request(kind) };
        let mut bad = response
            .resources
            .iter()
            .filter(|resource| body(resource).ends_with(b"bad"))
            .peekable();
        if bad.peek().is_some() {
            for Resource { name, .. } in bad {
                self.refused
                    .extend((1..=SITES).filter(|number| name.contains(&id(*number).to_string())));
            }
            answer.error_detail = Some(Status::default());
            return self.send(answer);
        }
        let mut rescoped = Vec::new();
        for resource in &response.resources {
            // A resource that it no longer asks for may have been under way.
            let asked = match kind {
                Route => self.wants.contains(&resource.name),
                Endpoints => self.has.contains_key(&(Cluster, resource.name.clone())),
                _ => true,
            };
            if !asked {
                continue;
            }
            if kind == Cluster && !self.has.contains_key(&(Cluster, resource.name.clone())) {
                answer_endpoints(&mut self.stream, &self.snapshot, &resource.name);
            }
            let has = (resource.version.clone(), body(resource));
            let before = self.has.insert((kind, resource.name.clone()), has.clone());
            if kind == ScopedRoute && before.is_some_and(|before| before != has) {
                rescoped.push((resource.name.clone(), has.1));
            }
        }
        for (name, scope) in rescoped {
            self.rescope(&name, &scope);
        }
        for name in &response.removed_resources {
            self.has.remove(&(kind, name.clone()));
            if kind == Cluster {
                self.has.remove(&(Endpoints, name.clone()));
                let gone = vec![name.clone()];
                self.send(DeltaDiscoveryRequest {
                    resource_names_unsubscribe: gone,
                    ..request(Endpoints)
                });
            }
        }
        self.send(answer);
        self.check();
        self.check_watermark();
    }

    /// Envoy forgets the routes of a scope that has changed, and asks for them at once if the scope
    /// is not on demand.
    fn rescope(&mut self, name: &str, scope: &[u8]) {
        let scope = ScopedRouteConfiguration::decode(scope).expect("a scope");
        let site =
            (1..=SITES).find(|number| id(*number).to_string() == name).expect("a site of ours");
        self.step(&if scope.on_demand { Step::Forget { site } } else { Step::Want { site } });
    }

    fn versions(&self) -> BTreeMap<(ResourceType, String), String> {
        let version = |kind, name: &String| {
            self.snapshot.get(kind, name).map(|found| found.version.as_str().to_owned())
        };
        let names = ALL
            .into_iter()
            .flat_map(|kind| self.snapshot.names(kind).map(move |name| (kind, name)));
        names
            .filter_map(|(kind, name)| Some(((kind, name.clone()), version(kind, name)?)))
            .collect()
    }

    /// A client that has acknowledged a change has the state after that change, or after a later
    /// one.
    fn check_watermark(&self) {
        let Some(acked) = self.stream.acked_seq().and_then(|seq| usize::try_from(seq).ok()) else {
            return;
        };
        let since = self.history.get(acked.saturating_sub(1)..).unwrap_or_default();
        let refused: Vec<_> = self.refused.iter().map(|number| id(*number).to_string()).collect();
        let names: BTreeSet<_> =
            since.iter().flat_map(BTreeMap::keys).chain(self.has.keys()).collect();
        for key in names {
            let ((kind, name), mut has) = (key, self.has.get(key).map(|(version, _)| version));
            // One that Envoy is about to let go of is there under another version.
            if *kind == ScopedRoute && has.is_some() {
                has = self.history.iter().rev().find_map(|then| then.get(key));
            }
            let lazy = matches!(kind, Cluster | Endpoints | Route);
            let is_refused = refused.iter().any(|site| name.contains(site))
                || self.refused.iter().any(|number| *name == format!("{number}.gw.localhost"));
            let missing = translate::no_such_site(name).resource.version.clone();
            let absent = (lazy && has.is_none())
                || (*kind == Route && has.is_some_and(|has| has == missing.as_str()));
            // Before the first change there was nothing.
            let none = BTreeMap::new();
            let mut states = since.iter().chain((acked == 0).then_some(&none));
            let fits =
                states.any(|then| then.get(key) == has || (then.get(key).is_none() && absent));
            assert!(
                fits || is_refused || (lazy && has.is_none()),
                "{kind} {name} is {has:?}, and {acked} is acknowledged"
            );
        }
    }

    /// No routes without their clusters and endpoints.
    fn check(&self) {
        for number in (1..=SITES).filter(|number| !self.refused.contains(number)) {
            let Some((_, content)) = self.has.get(&(Route, routes(number))) else { continue };
            if content.ends_with(b"needs") {
                for kind in [Cluster, Endpoints] {
                    assert!(
                        self.has.contains_key(&(kind, cluster(number))),
                        "site {number} has routes without {kind}"
                    );
                }
            }
        }
    }

    fn settle(&mut self) {
        for _ in 0..1000 {
            self.step(&Step::Deliver);
            if self.inbox.is_empty() {
                return;
            }
            self.step(&Step::Process);
        }
        panic!("the stream never comes to rest");
    }

    /// The state that the client should have.
    fn desired(&self) -> BTreeMap<(ResourceType, String), String> {
        let mut desired = BTreeMap::new();
        for kind in ALL {
            for name in self.snapshot.names(kind) {
                let lazy = matches!(kind, Cluster | Endpoints | Route);
                let wanted =
                    site_of(name).is_none_or(|site| self.wants.contains(&format!("site/{site}")));
                if !lazy || wanted {
                    let resource = self.snapshot.get(kind, name).expect("a name of the snapshot");
                    desired.insert((kind, name.clone()), resource.version.as_str().to_owned());
                }
            }
        }
        for name in &self.wants {
            let missing = || translate::no_such_site(name).resource.version.as_str().to_owned();
            desired.entry((Route, name.clone())).or_insert_with(missing);
        }
        desired
    }
}

/// Envoy asks for the endpoints of a cluster while it takes it in, before it accepts it.
fn answer_endpoints(stream: &mut Stream, snapshot: &Snapshot, name: &str) {
    let names = vec![name.to_owned()];
    let request = DeltaDiscoveryRequest { resource_names_subscribe: names, ..request(Endpoints) };
    stream.receive(snapshot, &request).expect("a request with a node");
}

fn content(bad: impl Strategy<Value = Option<ResourceType>>) -> impl Strategy<Value = Content> {
    (any::<u8>(), prop::bool::weighted(0.8), bad).prop_map(|(version, cluster, bad)| Content {
        version,
        cluster,
        bad,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let site = || 1..=SITES;
    let bad = prop_oneof![
        8 => Just(None),
        1 => Just(Some(Cluster)),
        1 => Just(Some(Endpoints)),
        1 => Just(Some(Route)),
    ];
    prop_oneof![
        3 => (site(), content(bad), prop::bool::weighted(0.9))
            .prop_map(|(site, content, noticed)| Step::Change { site, content, noticed }),
        1 => site().prop_map(|site| Step::Remove { site }),
        2 => site().prop_map(|site| Step::Want { site }),
        1 => site().prop_map(|site| Step::Forget { site }),
        5 => Just(Step::Deliver),
        5 => Just(Step::Process),
        1 => any::<bool>().prop_map(|routes_first| Step::Reconnect { routes_first }),
        2 => any::<u8>().prop_map(|used| Step::Look { used }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_envoy_ends_with_exactly_the_desired_state(
        steps in vec(step(), 0..80),
        last in vec(prop::option::weighted(0.8, content(Just(None))), SITES as usize),
    ) {
        let mut world = World::default();
        world.connect(&ALL);
        for step in &steps {
            world.step(step);
        }
        world.settle();
        let head = world.history.len() as i64;
        prop_assert_eq!(world.stream.acked_seq(), Some(head), "whatever was refused on the way");
        for (number, content) in (1..=SITES).zip(last) {
            let resources = content.map(|content| group(number, content)).unwrap_or_default();
            world.apply(number, resources, true);
        }
        world.settle();
        prop_assert_eq!(world.stream.acked_seq(), Some(head + SITES as i64));
        let versions = world.has.iter().map(|(name, (version, _))| (name.clone(), version.clone()));
        let has: BTreeMap<_, _> = versions.collect();
        prop_assert_eq!(has, world.desired());
    }
}
