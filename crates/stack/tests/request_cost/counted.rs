//! A module that counts the instructions that it executes, by function: each row of instructions
//! that are executed one after the other adds its length to a number of its function.
//!
//! The interpreter's own count, its fuel, is charged for a whole function or loop when it is
//! entered, whether or not all of it is executed then. Other figures are compared with the fuel;
//! this count is closer to the work of a processor.

use walrus::ir::{BinaryOp, Binop, Const, GlobalGet, GlobalSet, Instr, InstrSeqId, Value};
use walrus::{ConstExpr, FunctionKind, GlobalId, LocalFunction, Module, ValType};

/// The prefix of the exported numbers; the index of the function follows.
const EXPORT: &str = "executed.";

/// Returns the module with the numbers in it, and the names of its functions. The number of the
/// function at `index` is exported as [`export_name`]. A module without names has numbers for
/// names.
pub(crate) fn counted(module: &[u8]) -> (Vec<u8>, Vec<String>) {
    let mut module = Module::from_buffer(module).expect("a module");
    let functions: Vec<_> = module.funcs.iter_local().map(|(id, _)| id).collect();
    let mut names = Vec::new();
    for (index, id) in functions.into_iter().enumerate() {
        let number =
            module.globals.add_local(ValType::I64, true, false, ConstExpr::Value(Value::I64(0)));
        module.exports.add(&export_name(index), number);
        let function = module.funcs.get_mut(id);
        names.push(function.name.clone().unwrap_or_else(|| format!("function {index}")));
        let FunctionKind::Local(function) = &mut function.kind else { continue };
        let mut ahead = vec![function.entry_block()];
        while let Some(sequence) = ahead.pop() {
            ahead.extend(count_sequence(function, sequence, number));
        }
    }
    (module.emit_wasm(), names)
}

/// The name under which the number of a function is exported.
pub(crate) fn export_name(index: usize) -> String {
    format!("{EXPORT}{index}")
}

/// Counts the rows of a sequence; returns the sequences in it.
fn count_sequence(
    function: &mut LocalFunction,
    sequence: InstrSeqId,
    number: GlobalId,
) -> Vec<InstrSeqId> {
    let instructions = std::mem::take(&mut function.block_mut(sequence).instrs);
    let mut nested = Vec::new();
    let mut counted = Vec::with_capacity(instructions.len());
    let mut row = Vec::new();
    for (instruction, place) in instructions {
        let (inner, ends) = match &instruction {
            Instr::Block(block) => (vec![block.seq], true),
            Instr::Loop(block) => (vec![block.seq], true),
            Instr::IfElse(branch) => (vec![branch.consequent, branch.alternative], true),
            Instr::Br(_)
            | Instr::BrIf(_)
            | Instr::BrTable(_)
            | Instr::Return(_)
            | Instr::Unreachable(_) => (Vec::new(), true),
            _ => (Vec::new(), false),
        };
        nested.extend(inner);
        row.push((instruction, place));
        if ends {
            end_row(&mut counted, &mut row, number);
        }
    }
    end_row(&mut counted, &mut row, number);
    function.block_mut(sequence).instrs = counted;
    nested
}

/// Moves a row behind the instructions that add its length.
fn end_row<P: Copy>(counted: &mut Vec<(Instr, P)>, row: &mut Vec<(Instr, P)>, number: GlobalId) {
    // Blocks and loops mark the targets of branches, and do nothing.
    let len = row
        .iter()
        .filter(|(instruction, _)| !matches!(instruction, Instr::Block(_) | Instr::Loop(_)))
        .count();
    if let Some((_, place)) = row.first()
        && len > 0
    {
        let len = i64::try_from(len).expect("a row");
        let add = [
            Instr::GlobalGet(GlobalGet { global: number }),
            Instr::Const(Const { value: Value::I64(len) }),
            Instr::Binop(Binop { op: BinaryOp::I64Add }),
            Instr::GlobalSet(GlobalSet { global: number }),
        ];
        let place = *place;
        counted.extend(add.map(|instruction| (instruction, place)));
    }
    counted.append(row);
}
