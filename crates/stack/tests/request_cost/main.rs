//! The cost of a request, in figures that are the same on every machine: the instructions that the
//! module executes, the calls between Envoy and the module, and the calls in which Envoy has to ask
//! for memory. Each of those calls takes Envoy 0.1 to 1.4 us.

mod counted;
mod host;
mod site;

use host::{Headers, Vm};

/// The time at which everything here happens.
const NOW_NS: u64 = 1_700_000_000_000_000_000;
/// The configuration that xds-server gives the filter.
const CONFIGURATION: &str = r#"{"role":"filter","xds_cluster":"xds","client_address":"edge"}"#;
/// The filter's action that lets a request go.
const CONTINUE: i32 = 0;

/// The largest cost of a warm request. A commit that raises one of these says why that is worth it.
const CALLBACKS_MAX: u32 = 3;
const HOST_CALLS_MAX: u32 = 9;
const ALLOCATIONS_MAX: u32 = 2;
/// In the interpreter's charges, which are for a whole function or loop when it is entered.
const INSTRUCTIONS_MAX: u64 = 35_600;
/// One by one, as they are executed.
const EXECUTED_MAX: i64 = 18_600;

/// The largest size of the finished module, in bytes: 5 % above the 1,165,025 that it had when the
/// budget was set. Every Envoy loads and compiles it when it starts.
const MODULE_BYTES_MAX: usize = 1_223_000;

/// If this is set, the functions in which a warm request spends its instructions are listed.
const PROFILE: &str = "TENANTRY_PROFILE";

fn module() -> Vec<u8> {
    let module = stack::build::build_module().expect("the module is built");
    std::fs::read(module).expect("the built module")
}

fn vm(keys: &[policy::key::ApiKey]) -> Vm {
    Vm::start(&module(), CONFIGURATION, NOW_NS, site::shared_data(keys))
}

fn headers(pairs: &[(&str, &str)]) -> Headers {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A request as Envoy's edge gives it to its first filter.
fn request(key: &policy::key::ApiKey) -> Headers {
    headers(&[
        (":authority", site::HOST),
        (":path", "/shop/v1/products/42"),
        (":method", "GET"),
        (":scheme", "http"),
        ("user-agent", "bench/1"),
        ("accept", "application/json"),
        ("x-api-key", key.reveal()),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-envoy-external-address", "127.0.0.1"),
        ("x-request-id", "8b9b8c4e-6c67-4b3a-9e0b-0d6c1f9f3f6e"),
    ])
}

fn response() -> Headers {
    headers(&[(":status", "200"), ("content-length", "3"), ("content-type", "text/plain")])
}

/// Warms up a VM that has just started, and returns one more request: the first requests decode the
/// pushed state, and lease tokens in growing chunks; after 255 the lease is 128.
fn warm_up(vm: &mut Vm, key: &policy::key::ApiKey) -> impl FnMut(&mut Vm) + use<> {
    let key = key.clone();
    let mut context = 2;
    let mut ask = move |vm: &mut Vm| {
        vm.store.data_mut().now_ns += 1_000_000;
        let action = vm.exchange(context, request(&key), response());
        assert_eq!((action, vm.store.data().answered), (Some(CONTINUE), None));
        context += 1;
    };
    (0..300).for_each(|_| ask(vm));
    ask
}

#[test]
fn the_module_keeps_to_its_budget() {
    let bytes = module().len();
    eprintln!("the module has {bytes} bytes");
    assert!(
        bytes <= MODULE_BYTES_MAX,
        "the module has {bytes} bytes of {MODULE_BYTES_MAX}: look for a dependency or a feature \
         that has come in (`cargo tree -p tenantry-filter -e normal --target wasm32-wasip1`), or \
         raise the budget and say in the commit what the bytes are for"
    );
}

#[test]
fn a_warm_request_costs_no_more_than_is_stated() {
    let keys = site::keys(1);
    let mut vm = vm(&keys);
    let mut ask = warm_up(&mut vm, &keys[0]);
    let limited =
        vm.store.data().response.iter().filter(|(name, _)| name.starts_with("ratelimit")).count();
    assert_eq!(limited, 2, "{:?}", vm.store.data().response);
    vm.counts();
    ask(&mut vm);
    let counts = vm.counts();
    for (what, instructions) in &counts.course {
        eprintln!("{instructions:>7} {what}");
    }
    eprintln!(
        "{} instructions, {} callbacks, {} host calls, {} allocations",
        counts.instructions,
        counts.callbacks.values().sum::<u32>(),
        counts.host_calls(),
        counts.allocations
    );
    assert!(counts.callbacks.values().sum::<u32>() <= CALLBACKS_MAX, "{:?}", counts.callbacks);
    assert!(counts.host_calls() <= HOST_CALLS_MAX, "{:?}", counts.calls);
    assert!(counts.allocations <= ALLOCATIONS_MAX, "{} allocations", counts.allocations);
    assert!(counts.instructions <= INSTRUCTIONS_MAX, "{} instructions", counts.instructions);
}

#[test]
fn a_warm_request_executes_no_more_than_is_stated() {
    let profile = std::env::var_os(PROFILE).is_some();
    let (module, names) = counted::counted(&if profile { named_module() } else { module() });
    let keys = site::keys(1);
    let mut vm = Vm::start(&module, CONFIGURATION, NOW_NS, site::shared_data(&keys));
    let mut ask = warm_up(&mut vm, &keys[0]);
    let numbers = |vm: &Vm| -> Vec<i64> {
        (0..names.len()).map(|at| vm.number(&counted::export_name(at))).collect()
    };
    let before = numbers(&vm);
    ask(&mut vm);
    let executed = numbers(&vm).into_iter().zip(before).map(|(after, before)| after - before);
    let mut by_function: Vec<(i64, &String)> =
        executed.zip(&names).filter(|(executed, _)| *executed > 0).collect();
    by_function.sort_unstable_by(|a, b| b.cmp(a));
    let all: i64 = by_function.iter().map(|(executed, _)| executed).sum();
    eprintln!("{all} executed in {} functions", by_function.len());
    if profile {
        by_function.iter().for_each(|(executed, name)| eprintln!("{executed:>7} {name}"));
    }
    assert!(all <= EXECUTED_MAX, "{all} instructions are executed");
}

/// The module with the names of its functions, which make it a little longer and change nothing
/// else.
fn named_module() -> Vec<u8> {
    let options = stack::build::ModuleOptions::default();
    let module = stack::build::compile_module(&options).expect("the module is built");
    let module = std::fs::read(module).expect("the built module");
    let steps = stack::wasm::Steps { strip: false, ..stack::wasm::Steps::default() };
    stack::wasm::finish(&module, steps).expect("it can be finished")
}

/// A VM forgets a key together with the key itself.
#[test]
fn a_revoked_key_is_refused_by_the_next_request() {
    let keys = site::keys(1);
    let mut vm = vm(&keys);
    assert_eq!(vm.exchange(2, request(&keys[0]), response()), Some(CONTINUE));
    for (name, value) in site::revoked(&keys[0]) {
        vm.write(&name, value);
    }
    vm.exchange(3, request(&keys[0]), response());
    assert_eq!(vm.store.data().answered, Some(403));
}

/// A VM forgets a host when it is removed.
#[test]
fn a_host_that_is_removed_leads_nowhere_with_the_next_request() {
    let keys = site::keys(1);
    let mut vm = vm(&keys);
    for context in 2..4 {
        assert_eq!(vm.exchange(context, request(&keys[0]), response()), Some(CONTINUE));
    }
    for (name, value) in site::host_removed() {
        vm.write(&name, value);
    }
    vm.exchange(4, request(&keys[0]), response());
    assert_eq!(vm.store.data().answered, Some(404));
}

/// Requests under way are kept apart even if there are more of them than places.
#[test]
fn requests_whose_numbers_meet_are_told_apart() {
    let keys = site::keys(1);
    let mut vm = vm(&keys);
    let mut unknown = request(&keys[0]);
    unknown[0].1 = "nobody.example.com".to_owned();
    let contexts = [2, 2 + 1_024, 2 + 2_048];
    for (context, asked) in
        contexts.into_iter().zip([request(&keys[0]), unknown, request(&keys[0])])
    {
        vm.store.data_mut().request = asked;
        vm.call("proxy_on_request_headers", &[context, 11, 1]);
    }
    for (context, told) in contexts.into_iter().zip([2, 0, 2]) {
        vm.store.data_mut().response = response();
        vm.call("proxy_on_response_headers", &[context, 3, 0]);
        let limited = vm
            .store
            .data()
            .response
            .iter()
            .filter(|(name, _)| name.starts_with("ratelimit"))
            .count();
        assert_eq!(limited, told, "{context}");
        vm.call("proxy_on_delete", &[context]);
    }
}

/// A change of another key costs one look at a counter, and reads no bucket.
#[test]
fn a_known_key_is_not_read_again_for_a_change_elsewhere() {
    let keys = site::keys(1);
    let mut vm = vm(&keys);
    vm.exchange(2, request(&keys[0]), response());
    vm.exchange(3, request(&keys[0]), response());
    vm.write(policy::mirror::GENERATION_KEY, Vec::new());
    vm.counts();
    assert_eq!(vm.exchange(4, request(&keys[0]), response()), Some(CONTINUE));
    let counts = vm.counts();
    assert!(!counts.read.iter().any(|name| name.starts_with("k/")), "{:?}", counts.read);
    assert!(counts.read.iter().any(|name| name.starts_with("kg/")), "{:?}", counts.read);
}
