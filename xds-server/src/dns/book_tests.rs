use policy::cell::CellName;
use policy::desired::{DesiredUpstream, UpstreamProtocol};
use policy::id::Uuid;
use prost::Message as _;
use xds_api::pb::envoy::config::core::v3::{address::Address, socket_address::PortSpecifier};
use xds_api::pb::envoy::config::endpoint::v3::{
    ClusterLoadAssignment, lb_endpoint::HostIdentifier,
};

use super::*;
use crate::cells::Group;
use crate::resource::ResourceType;

const NAME: &str = "orders.example.com";
const OTHER: &str = "other.example.com";

fn ips(texts: &[&str]) -> Option<Vec<IpAddr>> {
    Some(texts.iter().map(|text| text.parse().unwrap()).collect())
}

fn endpoint(address: &str, weight: u32) -> DesiredEndpoint {
    DesiredEndpoint { address: address.to_owned(), port: 80, weight }
}

/// A site of the tenant with the same number, with one upstream.
fn site(number: u128, endpoints: &[DesiredEndpoint]) -> DesiredSite {
    let upstream = DesiredUpstream {
        id: UpstreamId(Uuid::from_u128(number)),
        endpoints: endpoints.to_vec(),
        protocol: UpstreamProtocol::Http1,
        connect_timeout_ms: 1000,
        request_timeout_ms: 1000,
    };
    DesiredSite {
        tenant: TenantId(Uuid::from_u128(number)),
        tenant_settings: Default::default(),
        site: SiteId(Uuid::from_u128(number)),
        settings: Default::default(),
        hostnames: Vec::new(),
        forward_credentials: false,
        eager: false,
        issuers: Vec::new(),
        plans: Vec::new(),
        apis: BTreeMap::new(),
        upstreams: vec![upstream],
        routes: Vec::new(),
    }
}

/// Does with a site what the follower does.
fn publish(book: &Book, cells: &Cells, mut site: DesiredSite) {
    let mut held = book.hold();
    held.join(&mut site);
    let placement = Arc::new(BTreeSet::from([CellName::default()]));
    cells.apply(vec![Group::same(
        Owner::Site(site.site),
        placement,
        translate::site(&site).unwrap(),
    )]);
}

/// The endpoints that are pushed of a site: address, port, weight.
fn pushed(cells: &Cells, number: u128) -> Vec<(String, u32, u32)> {
    let id = Uuid::from_u128(number);
    let resource =
        cells.get(Owner::Site(SiteId(id)), ResourceType::Endpoints, &format!("site/{id}/{id}"));
    let resource = resource.expect("always by EDS");
    let assignment = ClusterLoadAssignment::decode(resource.body.value.as_slice()).unwrap();
    let endpoints = assignment.endpoints.iter().flat_map(|group| &group.lb_endpoints);
    endpoints
        .map(|endpoint| {
            let Some(HostIdentifier::Endpoint(host)) = &endpoint.host_identifier else {
                panic!("{endpoint:?}")
            };
            let Some(Address::SocketAddress(socket)) =
                host.address.as_ref().and_then(|address| address.address.clone())
            else {
                panic!("{host:?}")
            };
            let Some(PortSpecifier::PortValue(port)) = socket.port_specifier else {
                panic!("{socket:?}")
            };
            (socket.address, port, endpoint.load_balancing_weight.as_ref().unwrap().value)
        })
        .collect()
}

fn addresses(cells: &Cells, number: u128) -> Vec<String> {
    pushed(cells, number).into_iter().map(|(address, _, _)| address).collect()
}

fn demanded(book: &Book) -> Vec<(String, Vec<TenantId>)> {
    let demands = book.take_demands().into_iter();
    demands.map(|demand| (demand.name.to_string(), demand.tenants.into_iter().collect())).collect()
}

#[test]
fn no_address_that_upstreams_may_not_have_is_pushed() {
    let (book, cells) = (Book::default(), Cells::default());
    publish(
        &book,
        &cells,
        site(
            1,
            &[endpoint("127.0.0.1", 1), endpoint("169.254.169.254", 1), endpoint("8.8.8.8", 1)],
        ),
    );
    assert_eq!(addresses(&cells, 1), ["8.8.8.8"], "literals that came around the admin API");
    // The addresses that an earlier run was allowed to resolve, and those that another resolver
    // would return.
    publish(&book, &cells, site(2, &[endpoint(NAME, 1)]));
    book.put(&cells, &NAME.into(), ips(&["10.0.0.1", "9.9.9.9"]));
    assert_eq!(addresses(&cells, 2), ["9.9.9.9"]);
    book.put(&cells, &NAME.into(), ips(&["::ffff:127.0.0.1"]));
    assert_eq!(addresses(&cells, 2), [] as [&str; 0], "it leads elsewhere now");
}

#[test]
fn an_answer_is_pushed_to_the_sites_that_use_the_name_and_to_no_other() {
    let (book, cells) = (Book::default(), Cells::default());
    for (number, name) in [(1, NAME), (2, "Orders.Example.COM"), (3, OTHER)] {
        publish(&book, &cells, site(number, &[endpoint(name, 1)]));
    }
    let before = cells.join(policy::cell::DEFAULT).hub.follow();
    assert!(book.put(&cells, &NAME.into(), ips(&["8.8.8.8"])));
    assert_eq!([1, 2, 3].map(|number| addresses(&cells, number).len()), [1, 1, 0]);
    assert_eq!(before.len(), 1, "one step");
    assert!(!book.put(&cells, &NAME.into(), ips(&["8.8.8.8"])), "the same answer is no change");
    assert_eq!(before.len(), 1, "and pushes nothing");
}

#[test]
fn the_last_answer_stays_while_there_is_none() {
    let (book, cells) = (Book::default(), Cells::default());
    publish(&book, &cells, site(1, &[endpoint(NAME, 1)]));
    book.put(&cells, &NAME.into(), ips(&["8.8.8.8"]));
    book.put(&cells, &NAME.into(), None);
    assert_eq!(addresses(&cells, 1), ["8.8.8.8"]);
    publish(&book, &cells, site(1, &[endpoint(NAME, 7)]));
    assert_eq!(addresses(&cells, 1), ["8.8.8.8"], "a change of the site resolves nothing");
    assert_eq!(book.counts(), (1, 0));
}

#[test]
fn an_upstream_keeps_its_endpoints_until_its_new_names_were_tried() {
    let (book, cells) = (Book::default(), Cells::default());
    publish(&book, &cells, site(1, &[endpoint("8.8.8.8", 1)]));
    publish(&book, &cells, site(1, &[endpoint(NAME, 1), endpoint(OTHER, 1)]));
    assert_eq!(addresses(&cells, 1), ["8.8.8.8"]);
    book.put(&cells, &NAME.into(), ips(&["9.9.9.9"]));
    assert_eq!(addresses(&cells, 1), ["8.8.8.8"], "one of them was not tried yet");
    book.put(&cells, &OTHER.into(), None);
    assert_eq!(addresses(&cells, 1), ["9.9.9.9"], "one has no answer, which holds up nobody");
    book.put(&cells, &OTHER.into(), ips(&["1.1.1.1"]));
    assert_eq!(addresses(&cells, 1), ["1.1.1.1", "9.9.9.9"]);
}

#[test]
fn a_name_has_the_share_of_its_endpoint_however_many_addresses_it_has() {
    let (book, cells) = (Book::default(), Cells::default());
    publish(&book, &cells, site(1, &[endpoint(NAME, 10), endpoint("1.1.1.1", 20)]));
    book.put(&cells, &NAME.into(), ips(&["8.8.8.1", "8.8.8.2", "8.8.8.3", "8.8.8.4"]));
    let weights: Vec<_> = pushed(&cells, 1).into_iter().map(|(_, _, weight)| weight).collect();
    assert_eq!(weights, [20 * SHARES, 160, 160, 160, 160]);
    publish(&book, &cells, site(2, &[endpoint("1.1.1.1", 20)]));
    assert_eq!(
        pushed(&cells, 2),
        [("1.1.1.1".to_owned(), 80, 20)],
        "without names nothing is shared out"
    );
}

#[test]
fn the_worker_hears_which_names_are_used_by_whom() {
    let (book, cells) = (Book::default(), Cells::default());
    let tenant = |number| TenantId(Uuid::from_u128(number));
    publish(&book, &cells, site(1, &[endpoint(NAME, 1), endpoint("8.8.8.8", 1)]));
    publish(&book, &cells, site(2, &[endpoint(NAME, 1)]));
    assert_eq!(demanded(&book), [(NAME.to_owned(), vec![tenant(1), tenant(2)])]);
    publish(&book, &cells, site(2, &[endpoint(OTHER, 1)]));
    assert_eq!(
        demanded(&book),
        [(NAME.to_owned(), vec![tenant(1)]), (OTHER.to_owned(), vec![tenant(2)])],
        "an address is no name"
    );
    book.hold().remove(SiteId(Uuid::from_u128(1)));
    assert_eq!(demanded(&book), [(NAME.to_owned(), vec![])]);
    assert!(!book.put(&cells, &NAME.into(), ips(&["8.8.8.8"])), "nobody wants it any more");
    assert_eq!(book.digests(), [digest(OTHER)]);
}

#[test]
fn what_an_earlier_run_resolved_is_pushed_at_once() {
    let (book, cells) = (Book::default(), Cells::default());
    book.restore([
        (digest(NAME), ips(&["8.8.8.8", "10.0.0.1"]).unwrap()),
        (digest(OTHER), Vec::new()),
    ]);
    publish(&book, &cells, site(1, &[endpoint(NAME, 1)]));
    book.forget_restored();
    assert_eq!(addresses(&cells, 1), ["8.8.8.8"], "as far as it is permitted now");
    publish(&book, &cells, site(2, &[endpoint(OTHER, 1)]));
    assert_eq!(book.counts(), (2, 1));
}
