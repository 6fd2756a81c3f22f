//! Small copies inside the module. V8 leaves `memory.copy` and `memory.fill` (core specification
//! 2.0, section 4.4.7) to a function of its own runtime, which costs more to call than most of the
//! copies of a request take: some tens of bytes each, of structures that move. So each of these
//! instructions becomes a call of a function of the module, which copies [`SMALL_BYTES`] and less
//! by itself, in words, and leaves the rest to the instruction.

use walrus::ir::{BinaryOp, Call, ExtendedLoad, Instr, LoadKind, MemArg, StoreKind};
use walrus::{
    FunctionBuilder, FunctionId, FunctionKind, InstrSeqBuilder, LocalId, MemoryId, Module, ValType,
};

use super::sequences::sequences;

/// The largest copy that is made in words.
const SMALL_BYTES: i32 = 256;

const WIDE: LoadKind = LoadKind::V128;
const STORE_WIDE: StoreKind = StoreKind::V128;
const WORD: LoadKind = LoadKind::I64 { atomic: false };
const HALF: LoadKind = LoadKind::I32 { atomic: false };
const BYTE: LoadKind = LoadKind::I32_8 { kind: ExtendedLoad::ZeroExtend };
const STORE_WORD: StoreKind = StoreKind::I64 { atomic: false };
const STORE_HALF: StoreKind = StoreKind::I32 { atomic: false };
const STORE_BYTE: StoreKind = StoreKind::I32_8 { atomic: false };

/// Replaces the instructions of the whole module.
pub(super) fn bring_in(module: &mut Module) {
    let Some(memory) = module.memories.iter().next().map(walrus::Memory::id) else { return };
    let functions: Vec<FunctionId> = module.funcs.iter_local().map(|(id, _)| id).collect();
    let (copy, fill) = (copy(module, memory), fill(module, memory));
    for id in functions {
        let FunctionKind::Local(function) = &mut module.funcs.get_mut(id).kind else { continue };
        for sequence in sequences(function) {
            for (instruction, _) in &mut function.block_mut(sequence).instrs {
                match instruction {
                    Instr::MemoryCopy(_) => *instruction = Instr::Call(Call { func: copy }),
                    Instr::MemoryFill(_) => *instruction = Instr::Call(Call { func: fill }),
                    _ => {}
                }
            }
        }
    }
}

/// `(to, from, len)`: as `memory.copy`, overlapping ranges included. By 16 bytes, which the
/// target's SIMD moves.
fn copy(module: &mut Module, memory: MemoryId) -> FunctionId {
    let [to, from, len, at, half] = std::array::from_fn(|_| module.locals.add(ValType::I32));
    let [quarter, last] = std::array::from_fn(|_| module.locals.add(ValType::I32));
    let [word, end_word] = std::array::from_fn(|_| module.locals.add(ValType::I64));
    let [wide, end_wide] = std::array::from_fn(|_| module.locals.add(ValType::V128));
    let mut builder = FunctionBuilder::new(&mut module.types, &[ValType::I32; 3], &[]);
    let mut body = builder.func_body();
    // Going up is right unless the target begins inside of the source.
    body.local_get(len).i32_const(SMALL_BYTES).binop(BinaryOp::I32GtU);
    body.local_get(to)
        .local_get(from)
        .binop(BinaryOp::I32Sub)
        .local_get(len)
        .binop(BinaryOp::I32LtU);
    body.binop(BinaryOp::I32Or);
    let large = |then: &mut InstrSeqBuilder<'_>| {
        then.local_get(to).local_get(from).local_get(len).memory_copy(memory, memory).return_();
    };
    body.if_else(None, large, |_| {});
    let wides = |then: &mut InstrSeqBuilder<'_>| {
        // The last 16 bytes, which may overlap those before, are read first: they may lie where
        // others are written.
        end(then, from, len, 16).load(memory, WIDE, unaligned()).local_set(end_wide);
        then.loop_(None, |repeat| {
            let again = repeat.id();
            repeat.local_get(from).local_get(at).binop(BinaryOp::I32Add).load(
                memory,
                WIDE,
                unaligned(),
            );
            repeat.local_set(wide);
            repeat.local_get(to).local_get(at).binop(BinaryOp::I32Add).local_get(wide);
            repeat.store(memory, STORE_WIDE, unaligned());
            repeat.local_get(at).i32_const(16).binop(BinaryOp::I32Add).local_tee(at);
            repeat
                .i32_const(16)
                .binop(BinaryOp::I32Add)
                .local_get(len)
                .binop(BinaryOp::I32LtU)
                .br_if(again);
        });
        end(then, to, len, 16).local_get(end_wide).store(memory, STORE_WIDE, unaligned()).return_();
    };
    at_least(&mut body, len, 16, wides);
    at_least(&mut body, len, 8, |then| {
        then.local_get(from).load(memory, WORD, unaligned()).local_set(word);
        end(then, from, len, 8).load(memory, WORD, unaligned()).local_set(end_word);
        then.local_get(to).local_get(word).store(memory, STORE_WORD, unaligned());
        end(then, to, len, 8).local_get(end_word).store(memory, STORE_WORD, unaligned()).return_();
    });
    at_least(&mut body, len, 4, |then| {
        then.local_get(from).load(memory, HALF, unaligned()).local_set(half);
        end(then, from, len, 4).load(memory, HALF, unaligned()).local_set(last);
        then.local_get(to).local_get(half).store(memory, STORE_HALF, unaligned());
        end(then, to, len, 4).local_get(last).store(memory, STORE_HALF, unaligned()).return_();
    });
    at_least(&mut body, len, 1, |then| {
        then.local_get(from).load(memory, BYTE, unaligned()).local_set(half);
        middle(then, from, len).load(memory, BYTE, unaligned()).local_set(quarter);
        end(then, from, len, 1).load(memory, BYTE, unaligned()).local_set(last);
        then.local_get(to).local_get(half).store(memory, STORE_BYTE, unaligned());
        middle(then, to, len).local_get(quarter).store(memory, STORE_BYTE, unaligned());
        end(then, to, len, 1).local_get(last).store(memory, STORE_BYTE, unaligned());
    });
    builder.finish(vec![to, from, len], &mut module.funcs)
}

/// `(to, value, len)`: as `memory.fill`.
fn fill(module: &mut Module, memory: MemoryId) -> FunctionId {
    let [to, value, len, at] = std::array::from_fn(|_| module.locals.add(ValType::I32));
    let word = module.locals.add(ValType::I64);
    let mut builder = FunctionBuilder::new(&mut module.types, &[ValType::I32; 3], &[]);
    let mut body = builder.func_body();
    body.local_get(len).i32_const(SMALL_BYTES).binop(BinaryOp::I32GtU);
    let large = |then: &mut InstrSeqBuilder<'_>| {
        then.local_get(to).local_get(value).local_get(len).memory_fill(memory).return_();
    };
    body.if_else(None, large, |_| {});
    at_least(&mut body, len, 8, |then| {
        then.local_get(value)
            .i32_const(0xff)
            .binop(BinaryOp::I32And)
            .unop(walrus::ir::UnaryOp::I64ExtendUI32);
        then.i64_const(0x0101_0101_0101_0101).binop(BinaryOp::I64Mul).local_set(word);
        then.loop_(None, |repeat| {
            let again = repeat.id();
            repeat
                .local_get(at)
                .i32_const(8)
                .binop(BinaryOp::I32Add)
                .local_get(len)
                .binop(BinaryOp::I32LtU);
            repeat.if_else(
                None,
                |next| {
                    next.local_get(to).local_get(at).binop(BinaryOp::I32Add);
                    next.local_get(word).store(memory, STORE_WORD, unaligned());
                    next.local_get(at).i32_const(8).binop(BinaryOp::I32Add).local_set(at).br(again);
                },
                |_| {},
            );
        });
        end(then, to, len, 8).local_get(word).store(memory, STORE_WORD, unaligned()).return_();
    });
    body.loop_(None, |repeat| {
        let again = repeat.id();
        repeat.local_get(at).local_get(len).binop(BinaryOp::I32LtU);
        repeat.if_else(
            None,
            |next| {
                next.local_get(to).local_get(at).binop(BinaryOp::I32Add);
                next.local_get(value).store(memory, STORE_BYTE, unaligned());
                next.local_get(at).i32_const(1).binop(BinaryOp::I32Add).local_set(at).br(again);
            },
            |_| {},
        );
    });
    builder.finish(vec![to, value, len], &mut module.funcs)
}

/// Code for lengths of so many bytes and more.
fn at_least(
    body: &mut InstrSeqBuilder<'_>,
    len: LocalId,
    bytes: i32,
    then: impl FnOnce(&mut InstrSeqBuilder<'_>),
) {
    body.local_get(len).i32_const(bytes).binop(BinaryOp::I32GeU).if_else(None, then, |_| {});
}

/// Returns the place where the last `bytes` of a range begin.
fn end<'a, 'b>(
    code: &'a mut InstrSeqBuilder<'b>,
    start: LocalId,
    len: LocalId,
    bytes: i32,
) -> &'a mut InstrSeqBuilder<'b> {
    code.local_get(start)
        .local_get(len)
        .binop(BinaryOp::I32Add)
        .i32_const(bytes)
        .binop(BinaryOp::I32Sub)
}

/// The middle one of three bytes; of one or two, the first or the last.
fn middle<'a, 'b>(
    code: &'a mut InstrSeqBuilder<'b>,
    start: LocalId,
    len: LocalId,
) -> &'a mut InstrSeqBuilder<'b> {
    code.local_get(start)
        .local_get(len)
        .i32_const(1)
        .binop(BinaryOp::I32ShrU)
        .binop(BinaryOp::I32Add)
}

fn unaligned() -> MemArg {
    MemArg { align: 1, offset: 0 }
}

#[cfg(test)]
#[path = "copies_tests.rs"]
mod tests;
