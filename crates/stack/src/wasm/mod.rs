//! Finishes the module after the compiler: exports that Envoy would call for nothing go
//! ([`callbacks`]), no callback runs for ever ([`fuel`]), and no VM takes more than a bounded
//! amount of memory.
//!
//! Envoy's V8 runtime bounds neither time nor memory of a VM. What traps here makes Envoy throw the
//! VM away and load the module again (`FAIL_RELOAD`), so that the worst that a defect can do is to
//! fail the requests of one VM for a moment.

mod callbacks;
mod copies;
mod fuel;
mod sequences;

use anyhow::{Context, Result, ensure};
use walrus::{ExportItem, GlobalId, Module, ModuleConfig};

use callbacks::{NEEDED, NEEDED_BY_THE_SDK};

/// A page of WebAssembly's memory (core specification 2.0, section 4.2.8).
const PAGE_BYTES: u64 = 64 << 10;

/// The most memory that one VM takes: an allocation beyond it fails, and the module then traps. The
/// largest honest user is the mirror of a million keys and ten thousand sites: the names and
/// versions of about 90,000 resources are some 20 MB, and a message of at most 1 MB is decoded
/// beside them. A VM that decides about requests holds up to 1,024 decoded sites.
pub const MAX_MEMORY_BYTES: u64 = 256 << 20;

/// The steps that are taken: all of them, except in a comparison of their costs and gains.
#[derive(Debug, Clone, Copy)]
pub struct Steps {
    /// Bound the time of each callback.
    pub fuel: bool,
    /// Make small copies without V8's runtime.
    pub copies: bool,
    /// Leave the names of functions out. With them, the module is a little longer, and the same
    /// otherwise.
    pub strip: bool,
}

impl Default for Steps {
    fn default() -> Self {
        Self { fuel: true, copies: true, strip: true }
    }
}

/// The module as Envoy is to load it.
///
/// # Errors
/// If it is no WebAssembly module, or exports a function that [`callbacks`] does not know.
pub fn finish(module: &[u8], steps: Steps) -> Result<Vec<u8>> {
    Ok(finished(module, steps)?.0.emit_wasm())
}

/// The finished module, and where its fuel is, if it has some.
fn finished(module: &[u8], steps: Steps) -> Result<(Module, Option<GlobalId>)> {
    let mut config = ModuleConfig::new();
    let mut module = config
        .generate_producers_section(false)
        .generate_name_section(!steps.strip)
        .parse(module)
        .context("it is no WebAssembly module")?;
    // A note of the linker, which nothing reads.
    module.customs.remove_raw("target_features");
    callbacks::choose(&mut module)?;
    check_exports(&module)?;
    // Code that only those could reach goes too, so that it is neither loaded nor metered.
    walrus::passes::gc::run(&mut module);
    let mut tank = None;
    if steps.fuel {
        let entries: Vec<_> =
            NEEDED.iter().chain(&NEEDED_BY_THE_SDK).map(|name| (*name, fuel::FULL)).collect();
        tank = Some(fuel::meter(&mut module, &entries)?);
    }
    // Metered already: by their length.
    if steps.copies {
        copies::bring_in(&mut module);
    }
    for memory in module.memories.iter_mut() {
        ensure!(
            memory.initial * PAGE_BYTES < MAX_MEMORY_BYTES,
            "it begins with {} pages of memory",
            memory.initial
        );
        memory.maximum = Some(MAX_MEMORY_BYTES / PAGE_BYTES);
    }
    Ok((module, tank))
}

/// Fails if an export is neither a callback nor plumbing: Envoy does not know it.
fn check_exports(module: &Module) -> Result<()> {
    for export in
        module.exports.iter().filter(|export| matches!(export.item, ExportItem::Function(_)))
    {
        let name = export.name.as_str();
        let known = name.starts_with("proxy_on_") || callbacks::is_plumbing(name);
        ensure!(known, "it exports `{name}`, which Envoy does not know");
    }
    Ok(())
}

#[cfg(test)]
#[path = "wasm_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "honest_tests.rs"]
mod honest_tests;
