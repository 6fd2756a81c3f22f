//! Measures the fuel of the costliest honest work. A budget that an honest request could use up
//! would be a way to stop a worker's VM, and one that is near that becomes one with the next
//! feature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use policy::ip::{Cidr, IpSet};
use policy::method::Methods;
use policy::mirror_wire::{Any, DeltaDiscoveryResponse, Resource};
use policy::wire;
use prost::Message as _;
use serde_json::{Value, json};
use wasmi::{Engine, Func, Linker, Store, Val};

use super::fuel::{FULL, HOST_CALL};
use super::{Steps, finished};

/// The name under which the test finds what is left of the fuel.
const LEFT: &str = "fuel_left";
/// The most keys under which one token is verified.
const CHECKS: i32 = 4;
/// The size of one message of the control plane.
const MESSAGE_BYTES: usize = 1 << 20;

/// The honest work, as Envoy would run it.
struct Vm {
    store: Store<()>,
    instance: wasmi::Instance,
}

impl Vm {
    fn start() -> Self {
        let module =
            crate::build::build_honest_module().expect("the example of the filter is built");
        let module = std::fs::read(module).expect("the built module");
        let (mut module, tank) = finished(&module, Steps::default()).expect("it can be finished");
        module.exports.add(LEFT, tank.expect("it is metered"));
        let engine = Engine::default();
        let module = wasmi::Module::new(&engine, module.emit_wasm()).expect("it is still a module");
        let (mut store, mut linker) = (Store::new(&engine, ()), Linker::new(&engine));
        // Imports of the standard library; nothing here needs an answer.
        for import in module.imports() {
            let Some(ty) = import.ty().func() else { continue };
            let nothing = Func::new(&mut store, ty.clone(), |_, _, results| {
                results.fill(Val::I32(0));
                Ok(())
            });
            linker.define(import.module(), import.name(), nothing).expect("it is imported once");
        }
        let instance = linker.instantiate_and_start(&mut store, &module).expect("it starts");
        let mut vm = Self { store, instance };
        let initialise = vm.instance.get_typed_func::<(), ()>(&vm.store, "_initialize");
        if let Ok(initialise) = initialise {
            initialise.call(&mut vm.store, ()).expect("it starts");
        }
        vm
    }

    /// Calls back with an input; answers what the callback says, and the fuel that it took.
    fn call(&mut self, callback: &str, input: &[u8]) -> (i32, i32) {
        let allocate = self
            .instance
            .get_typed_func::<i32, i32>(&self.store, "proxy_on_memory_allocate")
            .expect("an allocator");
        let len = i32::try_from(input.len()).expect("an input of some megabytes");
        let at = allocate.call(&mut self.store, len).expect("room");
        let memory = self.instance.get_memory(&self.store, "memory").expect("its memory");
        memory
            .write(&mut self.store, usize::try_from(at).expect("an address"), input)
            .expect("it is within it");
        let function =
            self.instance.get_typed_func::<(), i32>(&self.store, callback).expect(callback);
        let answer = function
            .call(&mut self.store, ())
            .unwrap_or_else(|error| panic!("{callback}: {error}"));
        let left = self.instance.get_global(&self.store, LEFT).expect("the fuel").get(&self.store);
        (answer, FULL - left.i32().expect("a number"))
    }
}

/// Says what something takes, and asserts that it is half of what a callback has at most.
fn fits(what: &str, fuel: i32) {
    eprintln!("fuel: {what}: {fuel} of {FULL}, {:.1} %", f64::from(fuel) * 100.0 / f64::from(FULL));
    assert!(
        fuel > 0 && fuel <= FULL / 2,
        "{what} takes {fuel} of {FULL}: it has to take less, or be done in parts"
    );
}

fn id(number: usize) -> Vec<u8> {
    u128::try_from(number).expect("a small number").to_be_bytes().to_vec()
}

/// A site whose tokens are verified under one of four keys, each of them this one.
fn site_with_keys(algorithm: &str, key: &Value) -> Vec<u8> {
    let named = |kid: i32| {
        let mut key = key.clone();
        key["kid"] = json!(kid.to_string());
        key
    };
    let keys: Vec<_> = (0..CHECKS).map(named).collect();
    let issuer = wire::Issuer {
        id: id(1),
        issuer: "https://login.example.com/".to_owned(),
        algorithms: vec![algorithm.to_owned()],
        jwks: json!({ "keys": keys }).to_string(),
        consumer_claim: "sub".to_owned(),
        ..wire::Issuer::default()
    };
    wire::SitePolicy { tenant: id(1), issuers: vec![issuer], ..wire::SitePolicy::default() }
        .encode_to_vec()
}

/// A token, which says with which key it is signed or does not. Its signature is wrong, which is
/// found out at the very end: a right one costs no more.
fn token(algorithm: &str, kid: Option<&str>, signature_len: usize) -> Vec<u8> {
    let mut header = json!({ "alg": algorithm });
    if let Some(kid) = kid {
        header["kid"] = json!(kid);
    }
    let claims =
        json!({ "iss": "https://login.example.com/", "sub": "shop", "exp": 1_700_000_300 });
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(vec![0x11; signature_len])).into_bytes()
}

/// A policy with more routes than any public API has, and both lists of addresses at their longest.
fn largest_policy() -> Vec<u8> {
    let route = |number: usize| wire::PolicyRoute {
        id: id(number),
        methods: Methods::ALL.bits(),
        path: format!(
            "/organisation/v1/section-{}/{{a}}/part-{number}/{{b}}/items/{{c}}",
            number % 70
        ),
        scopes: vec![
            format!("section-{}:read", number % 70),
            format!("section-{}:write", number % 70),
        ],
        ..wire::PolicyRoute::default()
    };
    let mut routes: Vec<_> = (0..5_000).map(route).collect();
    routes.sort_by(|one, other| one.path.cmp(&other.path));
    let addresses = |first: usize| {
        let cidr =
            |number: usize| format!("2001:db8:{:x}:{:x}::/64", first + number / 100, number * 2);
        IpSet::encode((0..10_000).map(|number| cidr(number).parse::<Cidr>().expect("a range")))
    };
    let ip = wire::IpRules { allow: addresses(0), deny: addresses(0x1000) };
    let apis = vec![wire::ApiPolicy { id: id(1), ..wire::ApiPolicy::default() }];
    wire::SitePolicy { tenant: id(1), routes, apis, ip: Some(ip), ..wire::SitePolicy::default() }
        .encode_to_vec()
}

#[test]
fn honest_requests_take_half_of_their_fuel_at_most() {
    let mut vm = Vm::start();
    // Envoy computes ES384 itself, and nothing but a host without that function has the module do
    // it.
    for (algorithm, vectors, kid, signature_len, keys) in [
        (
            "ES384",
            include_str!("../../../policy/tests/vectors/wycheproof/es384.json"),
            Some("0"),
            96,
            1,
        ),
        (
            "PS384",
            include_str!("../../../policy/tests/vectors/wycheproof/ps384.json"),
            None,
            512,
            CHECKS,
        ),
    ] {
        let groups: Value = serde_json::from_str(vectors).expect("vectors");
        let (read, _) =
            vm.call("proxy_on_configure", &site_with_keys(algorithm, &groups[0]["jwk"]));
        assert_eq!(read, 1);
        let (checks, fuel) =
            vm.call("proxy_on_request_body", &token(algorithm, kid, signature_len));
        assert_eq!(checks, keys);
        fits(&format!("a token under {keys} keys of {algorithm}"), fuel);
    }
    let policy = largest_policy();
    let (read, fuel) = vm.call("proxy_on_request_headers", &policy);
    assert_eq!(read, 1);
    fits(&format!("a policy of {} bytes", policy.len()), fuel);
}

/// Messages of as many small resources as fit, until as many are held as a million keys in 10,000
/// sites come to.
#[test]
fn the_mirror_takes_half_of_its_fuel_at_most() {
    const RESOURCES: usize = 90_000;
    let mut vm = Vm::start();
    let (mut resources, mut bytes, mut most) = (Vec::new(), 0, 0);
    for number in 0..RESOURCES {
        let value = Any { type_url: wire::type_url::HOST.to_owned(), value: id(number) };
        let name = format!("site-{number}.gw.example.com");
        let resource = Resource { version: format!("{number:016x}"), resource: Some(value), name };
        bytes += resource.encoded_len() + 4;
        resources.push(resource);
        if bytes >= MESSAGE_BYTES || number + 1 == RESOURCES {
            let message = DeltaDiscoveryResponse {
                resources: std::mem::take(&mut resources),
                type_url: wire::type_url::HOST.to_owned(),
                nonce: "n".to_owned(),
                ..DeltaDiscoveryResponse::default()
            };
            bytes = 0;
            let (actions, fuel) = vm.call("proxy_on_grpc_receive", &message.encode_to_vec());
            assert!(actions > 1, "{actions} actions");
            most = most.max(fuel + actions * HOST_CALL);
        }
    }
    fits("a message of 1 MiB", most);
    let (messages, fuel) = vm.call("proxy_on_tick", &[]);
    fits(&format!("a new stream that lists {RESOURCES} resources"), fuel + messages * HOST_CALL);
}
