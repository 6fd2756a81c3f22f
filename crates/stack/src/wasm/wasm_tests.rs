use walrus::Module;
use wasmi::{Engine, Linker, Store};

use super::{MAX_MEMORY_BYTES, PAGE_BYTES, Steps, callbacks, finish};

const MODULE: &str = r#"(module (memory (export "memory") 2)
    (func (export "_initialize")) (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))
    (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32) (call $only_there))
    (func $only_there (result i32) (i32.const 1)))"#;

fn finished(steps: Steps) -> Vec<u8> {
    finish(&wat::parse_str(MODULE).expect("a module in text"), steps).expect("a module")
}

fn exports(module: &[u8]) -> Vec<String> {
    let module = Module::from_buffer(module).expect("it is still a module");
    module.exports.iter().map(|export| export.name.clone()).collect()
}

#[test]
fn callbacks_that_nothing_uses_go_with_all_that_only_they_call() {
    let kept = [
        "memory",
        "_initialize",
        "proxy_abi_version_0_2_1",
        "proxy_on_memory_allocate",
        "proxy_on_request_headers",
    ];
    let stripped = finished(Steps { fuel: false, copies: false, ..Steps::default() });
    assert_eq!(exports(&stripped), kept);
    assert_eq!(Module::from_buffer(&stripped).expect("a module").funcs.iter().count(), 4);
}

/// A module with these functions besides, each of which answers its place in the list.
fn with_exports(names: &[&str]) -> Vec<u8> {
    let function = |(place, name): (usize, &&str)| {
        format!(r#"(func (export "{name}") (result i32) (i32.const {place}))"#)
    };
    let functions: String = names.iter().enumerate().map(function).collect();
    wat::parse_str(format!("(module {functions})")).expect("a module in text")
}

#[test]
fn the_modules_own_callbacks_take_the_place_of_the_sdks() {
    let own: Vec<String> = callbacks::NEEDED.iter().map(|name| format!("own_{name}")).collect();
    let sdks = ["proxy_on_log", "proxy_on_context_create", "proxy_on_delete"];
    let all: Vec<&str> = sdks.iter().copied().chain(own.iter().map(String::as_str)).collect();
    let module =
        finish(&with_exports(&all), Steps { fuel: false, copies: false, ..Steps::default() })
            .expect("a module");
    assert_eq!(exports(&module), callbacks::NEEDED);
    let engine = Engine::default();
    let module = wasmi::Module::new(&engine, module).expect("it is still a module");
    let mut store = Store::new(&engine, ());
    let instance =
        Linker::new(&engine).instantiate_and_start(&mut store, &module).expect("it starts");
    let delete =
        instance.get_typed_func::<(), i32>(&store, "proxy_on_delete").expect("it is exported");
    let place =
        all.iter().position(|name| *name == "own_proxy_on_delete").expect("it is in the list");
    assert_eq!(usize::try_from(delete.call(&mut store, ()).expect("it answers")), Ok(place));
}

#[test]
fn an_own_callback_that_is_missing_fails_the_build() {
    let module = with_exports(&["own_proxy_on_request_headers"]);
    let error = finish(&module, Steps::default()).expect_err("nine are missing");
    assert!(error.to_string().contains("does not export `own_proxy_on_"), "{error}");
}

#[test]
fn a_vm_gets_no_more_memory_than_the_bound() {
    let engine = Engine::default();
    let module =
        wasmi::Module::new(&engine, finished(Steps::default())).expect("it is still a module");
    let mut store = Store::new(&engine, ());
    let instance =
        Linker::new(&engine).instantiate_and_start(&mut store, &module).expect("it starts");
    let memory = instance.get_memory(&store, "memory").expect("its memory");
    assert_eq!(memory.ty(&store).maximum(), Some(MAX_MEMORY_BYTES / PAGE_BYTES));
    let grow = instance
        .get_typed_func::<i32, i32>(&store, "proxy_on_memory_allocate")
        .expect("it grows its memory");
    let pages = i32::try_from(MAX_MEMORY_BYTES / PAGE_BYTES).expect("a few thousand pages");
    assert_eq!(grow.call(&mut store, pages - 1).expect("it answers"), -1);
    assert_eq!(grow.call(&mut store, 1).expect("it answers"), 2);
}

#[test]
fn an_export_that_nobody_has_thought_of_fails_the_build() {
    for export in ["own_proxy_on_request_metadata", "main"] {
        let error =
            finish(&with_exports(&[export]), Steps::default()).expect_err("an unknown export");
        assert!(error.to_string().contains(export), "{error}");
    }
}
