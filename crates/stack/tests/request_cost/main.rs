//! What a request costs, in figures that are the same on every machine: the instructions that the module executes, how often Envoy and
//! the module call each other, and how often Envoy has to ask for memory meanwhile. Each of those calls takes Envoy 0.1 to 1.4 us.

mod host;
mod site;

use host::{Headers, Vm};

/// The time of all that happens here.
const NOW_NS: u64 = 1_700_000_000_000_000_000;
/// What xds-server tells the filter.
const CONFIGURATION: &str = r#"{"role":"filter","xds_cluster":"xds","client_address":"edge"}"#;
/// Of the filter's action: let it go.
const CONTINUE: i32 = 0;

/// What a warm request may cost at the most. Who raises one of these says in the commit why it is worth that.
const CALLBACKS_MAX: u32 = 3;
const HOST_CALLS_MAX: u32 = 9;
const ALLOCATIONS_MAX: u32 = 2;
const INSTRUCTIONS_MAX: u64 = 75_000;

fn vm(keys: &[policy::key::ApiKey]) -> Vm {
    let module = stack::build::build_module().expect("the module is built");
    let module = std::fs::read(module).expect("the built module");
    Vm::start(&module, CONFIGURATION, NOW_NS, site::shared_data(keys))
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

#[test]
fn a_warm_request_costs_no_more_than_is_stated() {
    let keys = site::keys(1);
    let mut vm = vm(&keys);
    let mut context = 2;
    let mut ask = |vm: &mut Vm| {
        vm.store.data_mut().now_ns += 1_000_000;
        let action = vm.exchange(context, request(&keys[0]), response());
        assert_eq!((action, vm.store.data().answered), (Some(CONTINUE), None));
        context += 1;
    };
    // The first ones decode what was pushed, and lease tokens in growing chunks: after 255 the lease is 128.
    for _ in 0..300 {
        ask(&mut vm);
    }
    let limited = vm.store.data().response.iter().filter(|(name, _)| name.starts_with("ratelimit")).count();
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

/// What is remembered of a key does not outlive the key.
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

/// A change of anything else costs one look at a counter, and none of a bucket.
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
