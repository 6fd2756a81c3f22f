//! Computes the points at which a function pays, and the fuel that each takes.

use std::collections::{HashMap, HashSet};

use walrus::ir::{Instr, InstrSeqId};
use walrus::{FunctionId, FunctionKind, LocalFunction, Module};

use super::calls::Graph;
use crate::wasm::sequences::{nested, sequences};

/// A function whose entry costs no more than so many instructions pays nothing for it, if it is not
/// recursive: its callers pay for it. It is the price of accessors, which are called in loops, not
/// to be slowed down.
const SMALL: i32 = 64;

/// So many instructions in a row that are not always executed are paid for where they begin. Fewer
/// are paid for before, whether or not they are executed.
const ROW: i32 = 24;

/// A call, beside what the function does.
const CALL: i32 = 8;

/// The cost of a point beside its instructions: to pay takes as long as so many of them.
const PAYING: i32 = 4;

/// A place where fuel is paid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) sequence: InstrSeqId,
    /// Before this instruction of it.
    pub(super) position: usize,
    pub(super) instructions: i32,
}

/// By function: where is paid, and how much.
pub(super) struct Costs<'a> {
    module: &'a Module,
    graph: &'a Graph,
    recursive: &'a HashSet<FunctionId>,
    points: HashMap<FunctionId, Vec<Point>>,
    /// The fuel that callers pay for functions that do not pay for their entry.
    entries: HashMap<FunctionId, i32>,
}

impl<'a> Costs<'a> {
    pub(super) fn of(
        module: &'a Module,
        graph: &'a Graph,
        recursive: &'a HashSet<FunctionId>,
    ) -> Self {
        let mut costs =
            Self { module, graph, recursive, points: HashMap::new(), entries: HashMap::new() };
        for (id, _) in module.funcs.iter_local() {
            costs.visit(id);
        }
        costs
    }

    /// Those of a function; those of one sequence in the order of their positions.
    pub(super) fn into_points(self) -> HashMap<FunctionId, Vec<Point>> {
        self.points
    }

    /// Computes the points of a function, after those of the functions that it calls. Recursive
    /// ones pay for themselves, so that nothing waits for them.
    fn visit(&mut self, id: FunctionId) {
        let FunctionKind::Local(function) = &self.module.funcs.get(id).kind else { return };
        if self.points.contains_key(&id) {
            return;
        }
        self.points.insert(id, Vec::new());
        for sequence in sequences(function) {
            for (instruction, _) in &function.block(sequence).instrs {
                if let Instr::Call(call) = instruction
                    && !self.recursive.contains(&call.func)
                {
                    self.visit(call.func);
                }
            }
        }
        let mut points = Points { costs: &*self, function, found: Vec::new() };
        points.begin(function.entry_block());
        let mut found = points.found;
        // The first is the entry.
        let entry = found.first().map_or(0, |entry| entry.instructions);
        if entry <= SMALL && !self.recursive.contains(&id) {
            found.remove(0);
            self.entries.insert(id, entry);
        }
        self.points.insert(id, found);
    }

    fn weight(&self, instruction: &Instr) -> i32 {
        match instruction {
            Instr::Call(call) if self.graph.is_imported(call.func) => CALL,
            Instr::Call(call) => CALL + self.entries.get(&call.func).copied().unwrap_or_default(),
            Instr::CallIndirect(_) => CALL + SMALL,
            _ => 1,
        }
    }
}

/// The points of one function as they are found.
struct Points<'a> {
    costs: &'a Costs<'a>,
    function: &'a LocalFunction,
    found: Vec<Point>,
}

impl Points<'_> {
    /// Adds a point at the start of the function or of a loop, and what is in it.
    fn begin(&mut self, sequence: InstrSeqId) {
        self.found.push(Point { sequence, position: 0, instructions: PAYING });
        self.walk(sequence, self.found.len() - 1, true);
    }

    /// Goes through a sequence, row by row. `point` is passed whenever the sequence is entered;
    /// `always` says that the first row is executed whenever the point is passed.
    fn walk(&mut self, sequence: InstrSeqId, mut point: usize, mut always: bool) {
        let function = self.function;
        let instructions = &function.block(sequence).instrs;
        let mut position = 0;
        while let Some(ahead) = instructions.get(position..).filter(|ahead| !ahead.is_empty()) {
            let len = ahead
                .iter()
                .position(|(instruction, _)| ends_row(instruction))
                .map_or(ahead.len(), |at| at + 1);
            let row = ahead.get(..len).unwrap_or_default();
            let weight: i32 =
                row.iter().map(|(instruction, _)| self.costs.weight(instruction)).sum();
            if !always && weight >= ROW {
                self.found.push(Point { sequence, position, instructions: PAYING });
                (point, always) = (self.found.len() - 1, true);
            }
            if let Some(point) = self.found.get_mut(point) {
                point.instructions += weight;
            }
            match row.last() {
                Some((Instr::Block(block), _)) => self.walk(block.seq, point, always),
                Some((Instr::Loop(block), _)) => self.begin(block.seq),
                Some((Instr::IfElse(branch), _)) => {
                    self.walk(branch.consequent, point, false);
                    self.walk(branch.alternative, point, false);
                }
                // Code after these is never executed.
                Some((
                    Instr::Br(_) | Instr::BrTable(_) | Instr::Return(_) | Instr::Unreachable(_),
                    _,
                )) => return,
                _ => {}
            }
            always = false;
            position += len;
        }
    }
}

/// True if the code after an instruction may be skipped, or be reached from elsewhere.
fn ends_row(instruction: &Instr) -> bool {
    let leaves = matches!(
        instruction,
        Instr::Br(_)
            | Instr::BrIf(_)
            | Instr::BrTable(_)
            | Instr::Return(_)
            | Instr::Unreachable(_)
    );
    leaves || !nested(instruction).is_empty()
}
