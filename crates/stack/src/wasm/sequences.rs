//! The sequences of instructions that a function is made of: its body, blocks, loops and branches.

use walrus::LocalFunction;
use walrus::ir::{Instr, InstrSeqId};

/// All sequences of a function, the entry first.
pub(super) fn sequences(function: &LocalFunction) -> Vec<InstrSeqId> {
    let mut found = vec![function.entry_block()];
    let mut next = 0;
    while let Some(sequence) = found.get(next).copied() {
        next += 1;
        found.extend(
            function.block(sequence).instrs.iter().flat_map(|(instruction, _)| nested(instruction)),
        );
    }
    found
}

/// The sequences that an instruction holds. Exceptions are not among them: the target has none.
pub(super) fn nested(instruction: &Instr) -> Vec<InstrSeqId> {
    match instruction {
        Instr::Block(block) => vec![block.seq],
        Instr::Loop(block) => vec![block.seq],
        Instr::IfElse(branch) => vec![branch.consequent, branch.alternative],
        _ => Vec::new(),
    }
}
