//! The arrows between the files of a crate: who imports whom, and in which line.

use std::collections::BTreeMap;

use crate::modules::{Module, Modules, Path};

/// A name that is handed on is followed so many times: more is a circle of `pub use`.
const HANDED_ON_MAX: usize = 16;

/// One file that imports another one.
#[derive(Debug, Clone)]
pub(crate) struct Arrow {
    pub(crate) from: Path,
    pub(crate) to: Path,
    /// `file:line uses path`, as a person reads it.
    pub(crate) line: String,
}

/// All arrows of a crate; of several between the same two modules the first.
pub(crate) fn arrows(modules: &Modules) -> Vec<Arrow> {
    let mut found = BTreeMap::new();
    for (from, module) in modules {
        for (line, path) in &module.paths {
            let Some(to) = resolve(modules, from, path, 0) else { continue };
            if to != *from {
                let written = path.join("::");
                let line = format!("{}:{line} uses `{written}`", module.file);
                let arrow = Arrow { from: from.clone(), to: to.clone(), line };
                found.entry((from.clone(), to)).or_insert(arrow);
            }
        }
    }
    found.into_values().collect()
}

/// The module in whose file lies what a path names; `None` for what is not of this crate.
fn resolve(modules: &Modules, from: &Path, path: &[String], steps: usize) -> Option<Path> {
    let module = modules.get(from)?;
    let (first, rest) = path.split_first()?;
    let child = [from.as_slice(), std::slice::from_ref(first)].concat();
    match first.as_str() {
        "crate" => descend(modules, Path::new(), rest, steps),
        "self" => descend(modules, from.clone(), rest, steps),
        "super" => {
            // Inside `mod` blocks of a file, `super` is that file: only inline tests have them.
            let (_, parent) = from.split_last()?;
            let supers = rest.iter().take_while(|part| *part == "super").count();
            let parent = parent.get(..parent.len().checked_sub(supers)?)?;
            descend(modules, parent.to_vec(), &rest[supers..], steps)
        }
        _ if modules.contains_key(&child) => descend(modules, from.clone(), path, steps),
        _ => {
            let brought = module.brought_in.get(first)?;
            let starts_here = brought.first() == Some(first);
            if starts_here || steps > HANDED_ON_MAX {
                return None;
            }
            resolve(modules, from, &[brought.as_slice(), rest].concat(), steps + 1)
        }
    }
}

/// Goes down from a module as far as the path names modules, and on from there to where the name
/// comes from.
fn descend(modules: &Modules, mut at: Path, path: &[String], steps: usize) -> Option<Path> {
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        let child = [at.as_slice(), std::slice::from_ref(first)].concat();
        if !modules.contains_key(&child) {
            break;
        }
        (at, rest) = (child, after);
    }
    let module = modules.get(&at)?;
    let Some((name, after)) = rest.split_first() else { return Some(at) };
    if steps > HANDED_ON_MAX || module.defines.contains(name) {
        return Some(at);
    }
    if let Some(path) = module.handed_on.get(name).filter(|path| path.first() != Some(name)) {
        let path = [path.as_slice(), after].concat();
        return resolve(modules, &at, &path, steps + 1).or(Some(at));
    }
    let through_glob = module.globs.iter().find_map(|glob| {
        let target = resolve(modules, &at, glob, steps + 1)?;
        let knows =
            |module: &Module| module.defines.contains(name) || module.handed_on.contains_key(name);
        modules.get(&target).filter(|module| knows(module))?;
        descend(modules, target, rest, steps + 1)
    });
    Some(through_glob.unwrap_or(at))
}
