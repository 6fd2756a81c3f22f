//! No circle: neither between files of different folders, nor between what lies side by side in
//! one folder.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::imports::{Arrow, arrows};
use crate::modules::{self, Modules, Path};
use crate::sources;

/// The folder that a module's file belongs to. The file that has modules below it, `x.rs` beside
/// `x/` or `x/mod.rs`, belongs to that folder.
fn folder(modules: &Modules, module: &Path) -> Path {
    let has_children =
        modules.keys().any(|other| other.len() > module.len() && other.starts_with(module));
    let own = module.len() - usize::from(!has_children && !module.is_empty());
    module[..own].to_vec()
}

/// The part of `module` that lies directly in the folder `parent`.
fn beside(parent: &Path, module: &Path) -> Option<Path> {
    (module.len() > parent.len() && module.starts_with(parent))
        .then(|| module[..=parent.len()].to_vec())
}

/// The shortest circle among these arrows between nodes, as the arrows that close it.
fn circle<'a>(arrows: &[(Path, Path, &'a Arrow)]) -> Option<Vec<&'a Arrow>> {
    let mut leaving: BTreeMap<&Path, Vec<(&Path, &'a Arrow)>> = BTreeMap::new();
    for (from, to, arrow) in arrows.iter().filter(|(from, to, _)| from != to) {
        leaving.entry(from).or_default().push((to, arrow));
    }
    let back_to = |start: &Path| {
        let mut ways = VecDeque::from([(start, Vec::new())]);
        let mut seen = BTreeSet::new();
        while let Some((at, way)) = ways.pop_front() {
            for (to, arrow) in leaving.get(at).into_iter().flatten() {
                let way = [way.as_slice(), &[*arrow]].concat();
                if *to == start {
                    return Some(way);
                }
                if seen.insert(*to) {
                    ways.push_back((to, way));
                }
            }
        }
        None
    };
    leaving.keys().filter_map(|start| back_to(start)).min_by_key(Vec::len)
}

fn told(what: &str, circle: &[&Arrow]) -> String {
    let lines: Vec<_> = circle.iter().map(|arrow| format!("  {}", arrow.line)).collect();
    format!("a circle between {what}:\n{}", lines.join("\n"))
}

/// All circles of one crate, each as its lines.
fn circles(modules: &Modules) -> Vec<String> {
    let arrows = arrows(modules);
    let mut found = Vec::new();
    let parents: BTreeSet<Path> =
        modules.keys().filter_map(|path| Some(path.split_last()?.1.to_vec())).collect();
    for parent in &parents {
        let between: Vec<_> = arrows
            .iter()
            .filter_map(|arrow| {
                Some((beside(parent, &arrow.from)?, beside(parent, &arrow.to)?, arrow))
            })
            .collect();
        let place = if parent.is_empty() { "the crate's root".into() } else { parent.join("/") };
        found.extend(circle(&between).map(|circle| told(&format!("parts of {place}"), &circle)));
    }
    // A folder's own file is beside nothing in it. So it may share a circle with its files, but
    // not with those of the folders in it.
    let nested: Vec<_> = arrows
        .iter()
        .filter(|arrow| folder(modules, &arrow.from) != folder(modules, &arrow.to))
        .map(|arrow| (arrow.from.clone(), arrow.to.clone(), arrow))
        .collect();
    found.extend(circle(&nested).map(|circle| told("files of different folders", &circle)));
    found
}

#[test]
fn no_crate_has_a_circle() {
    let crates = sources::crates();
    assert!(crates.len() > 8, "the members of the workspace were not found: {crates:?}");
    let found: Vec<_> = crates
        .iter()
        .flat_map(|src| circles(&modules::read(src)).into_iter().map(move |found| (src, found)))
        .map(|(src, found)| format!("{src}: {found}"))
        .collect();
    assert!(
        found.is_empty(),
        "{}\nMove what both need into a file of its own, below both.",
        found.join("\n")
    );
}

#[test]
fn a_circle_is_found_and_named_by_its_lines() {
    let module = |file: &str, path: &[&str]| modules::Module {
        file: file.into(),
        paths: vec![(7, path.iter().map(ToString::to_string).collect())],
        defines: BTreeSet::from(["X".to_owned()]),
        ..modules::Module::default()
    };
    let path = |text: &str| text.split('/').map(str::to_owned).collect::<Path>();
    let mut modules = Modules::from([
        (Path::new(), modules::Module::default()),
        (path("a"), modules::Module::default()),
        (path("a/one"), module("src/a/one.rs", &["crate", "b", "two", "X"])),
        (path("b"), modules::Module::default()),
        (path("b/two"), module("src/b/two.rs", &["super", "super", "a", "one", "X"])),
    ]);
    let found = circles(&modules);
    assert!(found[0].contains("src/a/one.rs:7 uses `crate::b::two::X`"), "{found:?}");
    assert!(found[0].contains("src/b/two.rs:7 uses `super::super::a::one::X`"), "{found:?}");
    modules.insert(path("b/two"), module("src/b/two.rs", &["std", "fmt", "X"]));
    assert_eq!(circles(&modules), Vec::<String>::new());
}
