//! A module with nothing but the two instructions, finished and run, against slices of Rust.

use proptest::prelude::*;
use walrus::Module;
use wasmi::{Engine, Instance, Linker, Memory, Store, TypedFunc};

use super::bring_in;

const MODULE: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "copy") (param i32 i32 i32)
        (memory.copy (local.get 0) (local.get 1) (local.get 2)))
    (func (export "fill") (param i32 i32 i32)
        (memory.fill (local.get 0) (local.get 1) (local.get 2))))"#;

struct Run {
    store: Store<()>,
    memory: Memory,
    copy: TypedFunc<(i32, i32, i32), ()>,
    fill: TypedFunc<(i32, i32, i32), ()>,
}

impl Run {
    fn new() -> Self {
        let mut module =
            Module::from_buffer(&wat::parse_str(MODULE).expect("text")).expect("a module");
        bring_in(&mut module);
        let engine = Engine::default();
        let module = wasmi::Module::new(&engine, module.emit_wasm()).expect("it is valid");
        let mut store = Store::new(&engine, ());
        let instance: Instance =
            Linker::new(&engine).instantiate_and_start(&mut store, &module).expect("no imports");
        let memory = instance.get_memory(&store, "memory").expect("it is exported");
        let [copy, fill] = ["copy", "fill"].map(|name| {
            instance.get_typed_func(&store, name).expect("a function of three numbers")
        });
        Self { store, memory, copy, fill }
    }

    fn bytes(&mut self) -> &mut [u8] {
        &mut self.memory.data_mut(&mut self.store)[..1024]
    }
}

fn sample() -> Vec<u8> {
    (0..1024_u32).map(|at| u8::try_from(at * 7 % 251).expect("a byte")).collect()
}

proptest! {
    #[test]
    fn a_copy_is_what_the_instruction_would_make(
        to in 0_usize..600, from in 0_usize..600, len in 0_usize..400,
    ) {
        let mut run = Run::new();
        let mut expected = sample();
        run.bytes().copy_from_slice(&expected);
        expected.copy_within(from..from + len, to);
        let args = [to, from, len].map(|number| i32::try_from(number).expect("small"));
        run.copy.call(&mut run.store, (args[0], args[1], args[2])).expect("it ends");
        prop_assert_eq!(run.bytes(), expected);
    }

    #[test]
    fn ranges_that_overlap_by_little_and_by_much(near in -20_isize..20, len in 0_usize..100) {
        let mut run = Run::new();
        let mut expected = sample();
        run.bytes().copy_from_slice(&expected);
        let to = 300_usize.saturating_add_signed(near);
        expected.copy_within(300..300 + len, to);
        let args = [to, 300, len].map(|number| i32::try_from(number).expect("small"));
        run.copy.call(&mut run.store, (args[0], args[1], args[2])).expect("it ends");
        prop_assert_eq!(run.bytes(), expected);
    }

    #[test]
    fn filling_is_what_the_instruction_would_do(
        to in 0_usize..600, value in any::<i32>(), len in 0_usize..400,
    ) {
        let mut run = Run::new();
        let mut expected = sample();
        run.bytes().copy_from_slice(&expected);
        expected[to..to + len].fill(value.to_le_bytes()[0]);
        let [to, len] = [to, len].map(|number| i32::try_from(number).expect("small"));
        run.fill.call(&mut run.store, (to, value, len)).expect("it ends");
        prop_assert_eq!(run.bytes(), expected);
    }

    #[test]
    fn what_is_outside_of_the_memory_traps(len in 1_i32..300) {
        let mut run = Run::new();
        prop_assert!(run.copy.call(&mut run.store, (65_537 - len, 0, len)).is_err());
        prop_assert!(run.copy.call(&mut run.store, (0, 65_537 - len, len)).is_err());
        prop_assert!(run.fill.call(&mut run.store, (65_537 - len, 1, len)).is_err());
    }
}
