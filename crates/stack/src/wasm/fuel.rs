//! Fuel: a callback has so many instructions, and traps when they are used up.
//!
//! A counter is filled when Envoy calls, and lowered at the head of every loop, at the entry of
//! every function that is recursive or not small, and at the start of every longer row of
//! instructions, by the number of instructions that follow until the next such point, whether or
//! not they are all executed. Every execution that does not end passes these points again and
//! again, so that it traps. Calls of Envoy's functions and copies of memory are paid for by what
//! they take.

mod calls;
mod cost;

use anyhow::{Result, bail};
use cost::Point;
use walrus::ir::{
    BinaryOp, Binop, Call, Const, GlobalGet, GlobalSet, IfElse, Instr, InstrLocId, InstrSeqId,
};
use walrus::ir::{LocalGet, LocalTee, Value};
use walrus::{
    ConstExpr, ExportItem, FunctionBuilder, FunctionId, FunctionKind, GlobalId, LocalFunction,
    LocalId, Module, ValType,
};

use crate::wasm::sequences::sequences;

/// The fuel of a callback. After a loop without an end a worker serves again within 0.4 s
/// (`tests/tests/e2e/faults.rs` prints it), and the costliest honest work takes half of it at most
/// (`honest_tests`).
pub(super) const FULL: i32 = 2_000_000_000;

/// A call of one of Envoy's functions, in instructions: they take 0.2 to 2 us.
pub(super) const HOST_CALL: i32 = 2_000;

/// As a shift: memory is copied and filled at 16 bytes an instruction or faster.
const COPIED_BYTES_SHIFT: i32 = 4;

/// Meters the module; these exports are what Envoy calls, with the fuel of each. Answers where the
/// fuel is.
pub(super) fn meter(module: &mut Module, entries: &[(&str, i32)]) -> Result<GlobalId> {
    // The fuel of the initialiser, which runs before the first callback.
    let full = ConstExpr::Value(Value::I32(FULL));
    let tank = module.globals.add_local(ValType::I32, true, false, full);
    let graph = calls::Graph::of(module)?;
    let recursive = graph.recursive();
    let mut points = cost::Costs::of(module, &graph, &recursive).into_points();
    let functions: Vec<FunctionId> = module.funcs.iter_local().map(|(id, _)| id).collect();
    for id in functions {
        let spare = module.locals.add(ValType::I32);
        let gauge = Gauge { tank, spare };
        if let FunctionKind::Local(function) = &mut module.funcs.get_mut(id).kind {
            // From the end, so that the positions before stay what they are.
            for point in points.remove(&id).into_iter().flatten().rev() {
                gauge.pay_checked(function, point);
            }
            pay_for_host_calls_and_copies(function, &gauge, &|id| graph.is_imported(id));
        }
    }
    for (name, fuel) in entries {
        fill_on_entry(module, tank, name, *fuel)?;
    }
    Ok(tank)
}

/// Puts a function in the place of an export that fills the tank and goes on.
fn fill_on_entry(module: &mut Module, tank: GlobalId, name: &str, fuel: i32) -> Result<()> {
    let Some(export) =
        module.exports.iter().find(|export| export.name == name).map(walrus::Export::id)
    else {
        return Ok(());
    };
    let ExportItem::Function(inner) = module.exports.get(export).item else {
        bail!("`{name}` is exported, but is no function");
    };
    let ty = module.types.get(module.funcs.get(inner).ty());
    let (params, results) = (ty.params().to_vec(), ty.results().to_vec());
    let args: Vec<LocalId> = params.iter().map(|param| module.locals.add(*param)).collect();
    let mut builder = FunctionBuilder::new(&mut module.types, &params, &results);
    let mut body = builder.func_body();
    body.i32_const(fuel).global_set(tank);
    for arg in &args {
        body.local_get(*arg);
    }
    body.call(inner);
    let outer = builder.finish(args, &mut module.funcs);
    module.exports.get_mut(export).item = ExportItem::Function(outer);
    Ok(())
}

/// The global with the fuel, and a local of the function at hand.
struct Gauge {
    tank: GlobalId,
    spare: LocalId,
}

impl Gauge {
    /// Lowers the tank by what is on the stack above it: the caller pushes the tank, the amount,
    /// and calls this.
    fn pay(&self, amount: impl IntoIterator<Item = Instr>) -> Vec<Instr> {
        let mut code = vec![Instr::GlobalGet(GlobalGet { global: self.tank })];
        code.extend(amount);
        code.push(Instr::Binop(Binop { op: BinaryOp::I32Sub }));
        code
    }

    /// Pays, and looks at what is left later, at the next loop or function.
    fn pay_unchecked(&self, amount: impl IntoIterator<Item = Instr>) -> Vec<Instr> {
        let mut code = self.pay(amount);
        code.push(Instr::GlobalSet(GlobalSet { global: self.tank }));
        code
    }

    /// Pays at a point, and traps if there is not so much left.
    fn pay_checked(&self, function: &mut LocalFunction, point: Point) {
        let mut code = self.pay([constant(point.instructions)]);
        code.push(Instr::LocalTee(LocalTee { local: self.spare }));
        code.push(Instr::GlobalSet(GlobalSet { global: self.tank }));
        code.push(Instr::LocalGet(LocalGet { local: self.spare }));
        code.push(constant(0));
        code.push(Instr::Binop(Binop { op: BinaryOp::I32LtS }));
        let builder = function.builder_mut();
        let consequent = builder.dangling_instr_seq(None).unreachable().id();
        let alternative = builder.dangling_instr_seq(None).id();
        code.push(Instr::IfElse(IfElse { consequent, alternative }));
        insert(function, point.sequence, point.position, code);
    }
}

/// Lowers the tank before each call of an imported function and each copy.
fn pay_for_host_calls_and_copies(
    function: &mut LocalFunction,
    gauge: &Gauge,
    is_imported: &dyn Fn(FunctionId) -> bool,
) {
    for sequence in sequences(function) {
        let instructions = &function.block(sequence).instrs;
        let mut additions = Vec::new();
        for (position, (instruction, _)) in instructions.iter().enumerate() {
            match instruction {
                Instr::Call(Call { func }) if is_imported(*func) => {
                    additions.push((position, gauge.pay_unchecked([constant(HOST_CALL)])));
                }
                Instr::MemoryCopy(_) | Instr::MemoryFill(_) | Instr::MemoryInit(_) => {
                    // The length is on top of the stack, and stays there.
                    let mut code = vec![Instr::LocalTee(LocalTee { local: gauge.spare })];
                    code.extend(gauge.pay_unchecked([
                        Instr::LocalGet(LocalGet { local: gauge.spare }),
                        constant(COPIED_BYTES_SHIFT),
                        Instr::Binop(Binop { op: BinaryOp::I32ShrU }),
                    ]));
                    additions.push((position, code));
                }
                _ => {}
            }
        }
        // From the end, so that the positions before stay what they are.
        for (position, code) in additions.into_iter().rev() {
            insert(function, sequence, position, code);
        }
    }
}

fn insert(function: &mut LocalFunction, sequence: InstrSeqId, position: usize, code: Vec<Instr>) {
    let code = code.into_iter().map(|instruction| (instruction, InstrLocId::default()));
    function.block_mut(sequence).instrs.splice(position..position, code);
}

fn constant(value: i32) -> Instr {
    Instr::Const(Const { value: Value::I32(value) })
}

#[cfg(test)]
#[path = "fuel_tests.rs"]
mod tests;
