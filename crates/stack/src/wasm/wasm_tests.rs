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
    let kept =
        ["memory", "_initialize", "proxy_abi_version_0_2_1", "proxy_on_memory_allocate", "proxy_on_request_headers"];
    let stripped = finished(Steps { fuel: false, copies: false, ..Steps::default() });
    assert_eq!(exports(&stripped), kept);
    assert_eq!(Module::from_buffer(&stripped).expect("a module").funcs.iter().count(), 4);
    let whole = finished(Steps { strip: false, fuel: false, copies: false });
    assert!(exports(&whole).contains(&"proxy_on_response_body".to_owned()));
}

#[test]
fn a_vm_gets_no_more_memory_than_the_bound() {
    let engine = Engine::default();
    let module = wasmi::Module::new(&engine, finished(Steps::default())).expect("it is still a module");
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine).instantiate_and_start(&mut store, &module).expect("it starts");
    let memory = instance.get_memory(&store, "memory").expect("its memory");
    assert_eq!(memory.ty(&store).maximum(), Some(MAX_MEMORY_BYTES / PAGE_BYTES));
    let grow = instance.get_typed_func::<i32, i32>(&store, "proxy_on_memory_allocate").expect("it grows its memory");
    let pages = i32::try_from(MAX_MEMORY_BYTES / PAGE_BYTES).expect("a few thousand pages");
    assert_eq!(grow.call(&mut store, pages - 1).expect("it answers"), -1);
    assert_eq!(grow.call(&mut store, 1).expect("it answers"), 2);
}

#[test]
fn an_export_that_nobody_has_thought_of_fails_the_build() {
    let module = wat::parse_str(r#"(module (func (export "proxy_on_request_metadata")))"#).expect("a module in text");
    let error = finish(&module, Steps::default()).expect_err("an unknown callback");
    assert!(error.to_string().contains("`proxy_on_request_metadata`"), "{error}");
}

#[test]
fn a_source_that_implements_a_removed_callback_is_found_out() {
    assert_eq!(callbacks::missed_by("fn on_http_response_body(&mut self) {}"), Some("proxy_on_response_body"));
    assert_eq!(callbacks::missed_by("fn on_http_request_headers(&mut self) {}"), None);
}
