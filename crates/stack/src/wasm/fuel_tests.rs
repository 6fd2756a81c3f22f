use walrus::Module;
use wasmi::{Caller, Engine, Error, Linker, Store, TrapCode};

use super::meter;

/// Enough for each honest callback below.
const FUEL: i32 = 100_000;

/// The module with its exports `proxy_on_tick` and `proxy_on_log` metered.
fn metered(wat: &str) -> Vec<u8> {
    let mut module =
        Module::from_buffer(&wat::parse_str(wat).expect("a module in text")).expect("a module");
    meter(&mut module, &[("proxy_on_tick", FUEL), ("proxy_on_log", 10 * FUEL)])
        .expect("it can be metered");
    module.emit_wasm()
}

/// A running module, and how often it has called `env.host`.
struct Vm {
    store: Store<u32>,
    instance: wasmi::Instance,
}

impl Vm {
    fn start(wat: &str) -> Self {
        let engine = Engine::default();
        let module = wasmi::Module::new(&engine, metered(wat)).expect("it is still a module");
        let mut linker = Linker::new(&engine);
        let count = |mut caller: Caller<'_, u32>| *caller.data_mut() += 1;
        linker.func_wrap("env", "host", count).expect("one function");
        let mut store = Store::new(&engine, 0);
        let instance = linker.instantiate_and_start(&mut store, &module).expect("it starts");
        Self { store, instance }
    }

    fn call(&mut self, callback: &str, argument: i32) -> Result<i32, Error> {
        self.instance
            .get_typed_func::<i32, i32>(&self.store, callback)?
            .call(&mut self.store, argument)
    }

    fn is_stopped(&mut self, callback: &str, argument: i32) -> bool {
        let trap = self.call(callback, argument).err().and_then(|error| error.as_trap_code());
        trap == Some(TrapCode::UnreachableCodeReached)
    }
}

#[test]
fn what_ends_is_not_changed_however_often_it_is_called() {
    // The sum of the numbers up to the argument, in a loop.
    let mut vm = Vm::start(
        r#"(module (func (export "proxy_on_tick") (param i32) (result i32) (local i32)
            (loop $next
                (local.set 1 (i32.add (local.get 1) (local.get 0)))
                (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                (br_if $next (local.get 0)))
            (local.get 1)))"#,
    );
    for _ in 0..1_000 {
        assert_eq!(vm.call("proxy_on_tick", 1_000).expect("it ends"), 500_500);
    }
}

#[test]
fn a_loop_without_an_end_traps_and_so_does_a_loop_that_is_too_long() {
    let mut endless = Vm::start(
        r#"(module (func (export "proxy_on_tick") (param i32) (result i32)
            (loop $again (br $again)) (unreachable)))"#,
    );
    assert!(endless.is_stopped("proxy_on_tick", 0));
    let mut long = Vm::start(
        r#"(module
            (func $count (param i32) (result i32)
                (loop $again (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
                (local.get 0))
            (export "proxy_on_tick" (func $count)) (export "proxy_on_log" (func $count)))"#,
    );
    assert!(long.call("proxy_on_tick", 5_000).is_ok());
    assert!(long.is_stopped("proxy_on_tick", 50_000));
    // Another callback of the same function has fuel of its own, and each call is filled up anew.
    assert!(long.call("proxy_on_log", 50_000).is_ok());
}

#[test]
fn an_endless_recursion_traps_directly_or_through_a_table() {
    let mut direct = Vm::start(
        r#"(module (func $twice (export "proxy_on_tick") (param i32) (result i32)
            (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
            (i32.add (call $twice (i32.sub (local.get 0) (i32.const 1)))
                     (call $twice (i32.sub (local.get 0) (i32.const 1))))))"#,
    );
    // The stack is never deeper than the argument, and the calls are two to the power of it.
    assert_eq!(direct.call("proxy_on_tick", 5).expect("it ends"), 32);
    assert!(direct.is_stopped("proxy_on_tick", 60));
    let mut through_a_table = Vm::start(
        r#"(module (table 1 funcref) (elem (i32.const 0) $twice)
            (type $t (func (param i32) (result i32)))
            (func $twice (export "proxy_on_tick") (type $t)
                (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
                (i32.add
                    (call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))
                    (call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))
                )))"#,
    );
    assert!(through_a_table.call("proxy_on_tick", 5).is_ok());
    assert!(through_a_table.is_stopped("proxy_on_tick", 60));
}

#[test]
fn calls_of_the_host_and_copies_of_memory_are_paid_for() {
    let mut asks = Vm::start(
        r#"(module (import "env" "host" (func $host))
            (func (export "proxy_on_tick") (param i32) (result i32)
                (loop $again (call $host) (br $again)) (unreachable)))"#,
    );
    assert!(asks.is_stopped("proxy_on_tick", 0));
    assert!((10..60).contains(asks.store.data()), "{} calls", asks.store.data());
    let mut copies = Vm::start(
        r#"(module (memory 4)
            (func (export "proxy_on_tick") (param i32) (result i32)
                (loop $again
                    (memory.copy (i32.const 0) (i32.const 65536) (local.get 0))
                    (br $again))
                (unreachable))
            (func (export "proxy_on_log") (param i32) (result i32)
                (memory.fill (i32.const 0) (i32.const 7) (local.get 0))
                (memory.copy (i32.const 131072) (i32.const 0) (local.get 0))
                (i32.load8_u (i32.add (i32.const 131071) (local.get 0)))))"#,
    );
    assert!(copies.is_stopped("proxy_on_tick", 65_536));
    assert_eq!(copies.call("proxy_on_log", 65_536).expect("it ends"), 7);
}

#[test]
fn what_is_not_a_callback_gets_no_fuel() {
    // As memory that Envoy allocates in the middle of a callback.
    let mut vm = Vm::start(
        r#"(module
            (func (export "proxy_on_memory_allocate") (param i32) (result i32)
                (loop $again (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
                (local.get 0))
            (func (export "proxy_on_tick") (param i32) (result i32)
                (loop $again (br $again)) (unreachable)))"#,
    );
    assert!(vm.call("proxy_on_memory_allocate", 100).is_ok());
    assert!(vm.is_stopped("proxy_on_tick", 0));
    assert!(vm.is_stopped("proxy_on_memory_allocate", 100));
}

#[test]
fn what_cannot_be_metered_is_refused() {
    for (wat, reason) in [
        (
            r#"(module (func $f (return_call $f)) (export "proxy_on_tick" (func $f)))"#,
            "it has tail calls",
        ),
        (
            r#"(module (func $f) (elem declare func $f) (func (drop (ref.func $f))))"#,
            "it calls by references",
        ),
    ] {
        let mut module =
            Module::from_buffer(&wat::parse_str(wat).expect("a module in text")).expect("a module");
        let error = meter(&mut module, &[]).expect_err(wat);
        assert_eq!(error.to_string(), reason);
    }
}
