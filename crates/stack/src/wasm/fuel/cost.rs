//! What has to be paid where.

use std::collections::{HashMap, HashSet};

use walrus::ir::{Instr, InstrSeqId};
use walrus::{FunctionId, LocalFunction, Module};

use super::calls::Graph;

/// A function with no more instructions outside of loops pays nothing when it is entered, if it is not recursive: its callers
/// count it as one of this size. It is the price of accessors, which are called in loops, not to be slowed down.
const SMALL: i32 = 64;

/// A call, beside what the function does.
const CALL: i32 = 8;

/// What a loop or a function costs beside its instructions: to pay takes as long as so many of them.
const PAYING: i32 = 8;

/// By function: the sequences at whose start is paid, and how much.
pub(super) struct Costs(HashMap<FunctionId, Vec<(InstrSeqId, i32)>>);

impl Costs {
    pub(super) fn of(module: &Module, graph: &Graph, recursive: &HashSet<FunctionId>) -> Self {
        let mut costs = HashMap::new();
        for (id, function) in module.funcs.iter_local() {
            let mut points = points(function, graph);
            // The first is the entry.
            let entry = points.first().map_or(0, |(_, instructions)| *instructions);
            if entry <= SMALL && !recursive.contains(&id) {
                points.remove(0);
            }
            costs.insert(id, points);
        }
        Self(costs)
    }

    pub(super) fn points(&self, id: FunctionId) -> &[(InstrSeqId, i32)] {
        self.0.get(&id).map_or(&[], Vec::as_slice)
    }
}

/// The entry of a function and the heads of its loops, each with the instructions that belong to it and to no loop inside.
fn points(function: &LocalFunction, graph: &Graph) -> Vec<(InstrSeqId, i32)> {
    let entry = function.entry_block();
    let mut points = vec![(entry, PAYING)];
    let mut ahead = vec![(entry, 0)];
    while let Some((sequence, point)) = ahead.pop() {
        for (instruction, _) in &function.block(sequence).instrs {
            let weight = match instruction {
                Instr::Call(call) if graph.is_imported(call.func) => CALL,
                Instr::Call(_) | Instr::CallIndirect(_) => CALL + SMALL,
                _ => 1,
            };
            if let Some((_, instructions)) = points.get_mut(point) {
                *instructions += weight;
            }
            for inner in nested(instruction) {
                if matches!(instruction, Instr::Loop(_)) {
                    points.push((inner, PAYING));
                    ahead.push((inner, points.len() - 1));
                } else {
                    ahead.push((inner, point));
                }
            }
        }
    }
    points
}

/// All sequences of a function, the entry first.
pub(in super::super) fn sequences(function: &LocalFunction) -> Vec<InstrSeqId> {
    let mut found = vec![function.entry_block()];
    let mut next = 0;
    while let Some(sequence) = found.get(next).copied() {
        next += 1;
        found.extend(function.block(sequence).instrs.iter().flat_map(|(instruction, _)| nested(instruction)));
    }
    found
}

/// The sequences that an instruction holds. Exceptions are not among them: the target has none.
fn nested(instruction: &Instr) -> Vec<InstrSeqId> {
    match instruction {
        Instr::Block(block) => vec![block.seq],
        Instr::Loop(block) => vec![block.seq],
        Instr::IfElse(branch) => vec![branch.consequent, branch.alternative],
        _ => Vec::new(),
    }
}
