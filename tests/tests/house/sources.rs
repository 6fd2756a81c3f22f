//! The source files of the workspace.

use std::fs;
use std::path::{Path, PathBuf};

use stack::workspace_root;

/// The `src` folder of each member of the workspace, relative to the root, in alphabetical order.
pub(crate) fn crates() -> Vec<String> {
    let manifest = fs::read_to_string(workspace_root().join("Cargo.toml")).expect("Cargo.toml");
    let (_, members) = manifest.split_once("members = [").expect("a list of members");
    let (members, _) = members.split_once(']').expect("the end of that list");
    let mut found: Vec<_> = members
        .split(',')
        .map(|member| format!("{}/src", member.trim().trim_matches('"')))
        .filter(|src| workspace_root().join(src).is_dir())
        .collect();
    found.sort();
    found
}

/// All files below a folder of the workspace with this extension, relative to the root.
pub(crate) fn files(folder: &str, extension: &str) -> Vec<String> {
    let root = workspace_root();
    let mut found = Vec::new();
    collect(&root.join(folder), extension, &mut found);
    let relative = |path: PathBuf| {
        let path = path.strip_prefix(&root).expect("a file of the workspace");
        path.to_str().expect("names are UTF-8").to_owned()
    };
    let mut found: Vec<_> = found.into_iter().map(relative).collect();
    found.sort();
    found
}

/// The text of a file that [`files`] named.
pub(crate) fn read(file: &str) -> String {
    fs::read_to_string(workspace_root().join(file))
        .unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn collect(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            // Neither is source: the one is built, the other is run from.
            if name != "target" && name != ".tenantry" {
                collect(&path, extension, found);
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}
