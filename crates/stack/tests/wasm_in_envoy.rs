//! The damage that a defective module can do to a real Envoy, once the module is finished as ours
//! is.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stack::process::Launch;
use stack::service::{Ready, Service};
use stack::{envoy, ports, wasm, workspace_root};

/// Loops for ever on requests with more than ten headers, and takes more and more memory on those
/// with more than twenty; others pass. A failed allocation ends in a trap, as in Rust's allocator.
const MODULE: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "_initialize"))
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
    (func (export "proxy_on_context_create") (param i32 i32))
    (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
    (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (if (i32.gt_u (local.get 1) (i32.const 20)) (then
            (loop $more
                (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable))
                (br $more))))
        (if (i32.gt_u (local.get 1) (i32.const 10)) (then (loop $again (br $again))))
        (i32.const 0)))"#;

fn config(module: &str, gateway: std::net::SocketAddr, admin: std::net::SocketAddr) -> Value {
    let at = |addr: std::net::SocketAddr| {
        let (address, port) = (addr.ip().to_string(), addr.port());
        json!({ "socket_address": { "address": address, "port_value": port } })
    };
    let extension = |name: &str| format!("type.googleapis.com/envoy.extensions.filters.{name}");
    let vm = json!({ "vm_id": "m", "runtime": "envoy.wasm.runtime.v8",
        "code": { "local": { "filename": module } } });
    let plugin =
        json!({ "name": "m", "root_id": "m", "failure_policy": "FAIL_RELOAD", "vm_config": vm });
    let filters = json!([
        { "name": "wasm",
            "typed_config": { "@type": extension("http.wasm.v3.Wasm"), "config": plugin } },
        { "name": "router", "typed_config": { "@type": extension("http.router.v3.Router") } },
    ]);
    let route = json!({ "match": { "prefix": "/" }, "direct_response": { "status": 200 } });
    let manager = json!({
        "@type": extension("network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "m",
        "http_filters": filters,
        "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"],
            "routes": [route] }] },
    });
    let chain = json!({ "filters": [{ "name": "http", "typed_config": manager }] });
    json!({
        "admin": { "address": at(admin) },
        "static_resources": { "listeners": [{ "name": "m", "address": at(gateway),
            "filter_chains": [chain] }] },
    })
}

/// Sends one request with this number of headers, besides those that every request has.
async fn ask(gateway: std::net::SocketAddr, headers: usize) -> reqwest::StatusCode {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(60))
        .build()
        .expect("a client");
    let mut request = client.get(format!("http://{gateway}/"));
    for number in 0..headers {
        request = request.header(format!("x-{number}"), "1");
    }
    request.send().await.expect("Envoy answers").status()
}

#[tokio::test]
async fn an_endless_loop_and_endless_growth_end_and_the_module_is_loaded_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let module = folder.path().join("module.wasm");
    let compiled = wat::parse_str(MODULE).expect("a module in text");
    fs::write(&module, wasm::finish(&compiled, wasm::Steps::default()).expect("a module"))
        .expect("our own folder");
    let (gateway, admin) = (ports::free(), ports::free());
    let file = folder.path().join("envoy.json");
    fs::write(&file, config(&module.display().to_string(), gateway, admin).to_string())
        .expect("our own folder");
    let binary = envoy::ensure_installed(&workspace_root().join(".tenantry/tools")).expect("Envoy");
    let launch = Launch::new(binary, folder.path().join("envoy.log"))
        .args(["--config-path".into(), file.into_os_string()])
        .args(["--concurrency", "1", "--disable-hot-restart"]);
    let mut service = Service::new("Envoy", launch, Ready::Http(format!("http://{admin}/ready")));
    service.start().await.expect("Envoy starts");
    for (what, headers) in [("an endless loop", 12), ("endless growth", 24)] {
        let begun = Instant::now();
        assert_eq!(ask(gateway, headers).await, 503, "{what}");
        let stopped = begun.elapsed();
        while ask(gateway, 0).await != 200 {
            assert!(begun.elapsed() < Duration::from_secs(60), "{what}: {}", service.tail());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!("{what}: refused after {stopped:?}, served again after {:?}", begun.elapsed());
    }
    let log = fs::read_to_string(folder.path().join("envoy.log")).expect("Envoy's log");
    assert!(log.contains("unreachable"), "{log}");
    service.stop().await.expect("Envoy stops");
}
