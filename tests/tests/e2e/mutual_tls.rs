//! Mutual TLS between Envoys and xds-server: an Envoy belongs to the cells that its certificate
//! names.

use stack::build::Artifacts;
use stack::envoy::{self, ClientTls, Edge, Envoy, EnvoySettings};
use stack::{Stack, ports, workspace_root};
use tenantry_tests::{THING, Things, certificates::Authority, eventually, finish, settled};

/// Starts one more Envoy, and does not wait for it.
fn add_envoy(stack: &mut Stack, node_id: &str, tls: ClientTls) {
    let binary = envoy::ensure_installed(&workspace_root().join(".tenantry/tools")).expect("Envoy");
    let settings = EnvoySettings {
        node_id: node_id.to_owned(),
        gateway: ports::free(),
        admin: ports::free(),
        xds: stack.xds_addr,
        xds_replicas: Vec::new(),
        wasm: Artifacts::from_env().expect("the module").wasm,
        concurrency: 1,
        mirror: true,
        edge: Edge { tls: Some(tls), ..Edge::default() },
    };
    let mut envoy = Envoy::new(&binary, stack.dir(), settings).expect("a configuration");
    envoy.service.launch().expect("a start");
    stack.envoys.push(envoy);
}

/// Waits until xds-server has logged this.
async fn logged(stack: &Stack, what: &str) {
    let log = || async {
        std::fs::read_to_string(&stack.xds.launch.log).unwrap_or_default().contains(what)
    };
    eventually(&format!("xds-server logs {what:?}"), log, |found| *found).await;
}

#[tokio::test]
async fn an_envoy_is_of_the_cells_that_its_certificate_names() {
    let dir = tempfile::tempdir().expect("a folder");
    let (ours, theirs) = (Authority::new(dir.path(), "ours"), Authority::new(dir.path(), "theirs"));
    let good = Edge { tls: Some(ours.edge("edge-0", &["default", "eu-1"])), ..Edge::default() };
    let builder = ours
        .server()
        .iter()
        .fold(Stack::builder("mtls"), |builder, (name, value)| builder.xds_env(name, value));
    let mut things = Things::start(builder.edges(&[good])).await;

    add_envoy(&mut things.stack, "impostor", ours.edge("impostor", &["eu-1"]));
    logged(&things.stack, "the client certificate does not name this cell").await;
    add_envoy(&mut things.stack, "stranger", theirs.edge_trusting("stranger", &["default"], &ours));
    logged(&things.stack, "a TLS handshake failed").await;
    for refused in &things.stack.envoys[1..] {
        let gateway = refused.settings.gateway;
        let connected = tokio::net::TcpStream::connect(gateway).await.is_ok();
        assert!(!connected, "{} has a listener", refused.settings.node_id);
    }

    // A renewal needs no restart, and takes nothing from clients that are connected.
    ours.server();
    logged(&things.stack, "the certificates have changed").await;
    add_envoy(&mut things.stack, "edge-3", ours.edge("edge-3", &["default"]));
    let late = tenantry_tests::gateways(&things.stack)[3..].to_vec();
    things.stack.envoys[3].service.wait_ready().await.expect("it is ready");
    settled(&late, &things.site.hostname, THING, &things.key.text, 200).await;
    assert_eq!(things.get(THING).await.status, 200);

    for said in
        ["gRPC config stream", "the stream to cluster xds ended", "DeltaAggregatedResources"]
    {
        things.stack.allow_in_envoy_log(said);
    }
    finish(things.stack).await;
}
