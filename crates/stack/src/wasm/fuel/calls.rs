//! The graph of calls between functions.

use std::collections::{HashMap, HashSet};

use anyhow::{Result, bail};
use walrus::ir::Instr;
use walrus::{ConstExpr, ElementItems, FunctionId, FunctionKind, LocalFunction, Module, ValType};

use crate::wasm::sequences::sequences;

/// The parameters and results of a function: an indirect call reaches any function in a table that
/// has the same.
type Signature = (Vec<ValType>, Vec<ValType>);

/// The call graph: for an indirect call, every function that it might reach.
pub(super) struct Graph {
    callees: HashMap<FunctionId, Vec<FunctionId>>,
    imported: HashSet<FunctionId>,
}

impl Graph {
    /// # Errors
    /// A module that calls in other ways than compilers do for this target: by references, or in
    /// tail position; or that catches exceptions.
    pub(super) fn of(module: &Module) -> Result<Self> {
        let by_signature = callable_indirectly(module);
        let mut callees = HashMap::new();
        for (id, function) in module.funcs.iter_local() {
            let mut called: HashSet<FunctionId> = HashSet::new();
            for instruction in instructions(function) {
                match instruction {
                    Instr::Call(call) => {
                        called.insert(call.func);
                    }
                    Instr::CallIndirect(call) => {
                        let ty = module.types.get(call.ty);
                        let signature = (ty.params().to_vec(), ty.results().to_vec());
                        called.extend(by_signature.get(&signature).into_iter().flatten());
                    }
                    Instr::CallRef(_) | Instr::ReturnCallRef(_) | Instr::RefFunc(_) => {
                        bail!("it calls by references")
                    }
                    Instr::ReturnCall(_) | Instr::ReturnCallIndirect(_) => {
                        bail!("it has tail calls")
                    }
                    Instr::Try(_) | Instr::TryTable(_) => bail!("it catches exceptions"),
                    _ => {}
                }
            }
            callees.insert(id, called.into_iter().collect());
        }
        let is_import = |kind: &FunctionKind| matches!(kind, FunctionKind::Import(_));
        let imported = module
            .funcs
            .iter()
            .filter(|function| is_import(&function.kind))
            .map(walrus::Function::id);
        Ok(Self { callees, imported: imported.collect() })
    }

    pub(super) fn is_imported(&self, id: FunctionId) -> bool {
        self.imported.contains(&id)
    }

    /// The functions that may call themselves, directly or through others.
    pub(super) fn recursive(&self) -> HashSet<FunctionId> {
        self.callees.keys().copied().filter(|id| self.reaches_itself(*id)).collect()
    }

    fn reaches_itself(&self, start: FunctionId) -> bool {
        let mut seen = HashSet::new();
        let mut ahead = vec![start];
        while let Some(id) = ahead.pop() {
            for callee in self.callees.get(&id).into_iter().flatten() {
                if *callee == start {
                    return true;
                }
                if seen.insert(*callee) {
                    ahead.push(*callee);
                }
            }
        }
        false
    }
}

fn instructions(function: &LocalFunction) -> impl Iterator<Item = &Instr> {
    let in_sequence = |id| function.block(id).instrs.iter().map(|(instruction, _)| instruction);
    sequences(function).into_iter().flat_map(in_sequence)
}

/// The functions that stand in tables, by signature.
fn callable_indirectly(module: &Module) -> HashMap<Signature, Vec<FunctionId>> {
    let mut by_signature: HashMap<Signature, Vec<FunctionId>> = HashMap::new();
    for element in module.elements.iter() {
        let functions: Vec<FunctionId> = match &element.items {
            ElementItems::Functions(functions) => functions.clone(),
            ElementItems::Expressions(_, expressions) => {
                let function = |expression: &ConstExpr| match expression {
                    ConstExpr::RefFunc(id) => Some(*id),
                    _ => None,
                };
                expressions.iter().filter_map(function).collect()
            }
        };
        for id in functions {
            let ty = module.types.get(module.funcs.get(id).ty());
            by_signature.entry((ty.params().to_vec(), ty.results().to_vec())).or_default().push(id);
        }
    }
    by_signature
}
