//! Dependencies keep to `deny.toml`: licences, banned crates, duplicates, sources. cargo-deny holds
//! the same rules, and looks for advisories; these tests need nothing but cargo.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::process::Command;

use stack::workspace_root;
use toml::{Table, Value};

use crate::sources;

/// A crate that is compiled for one of the platforms, with the licence that it states.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    licence: String,
}

fn rules() -> Table {
    sources::read("deny.toml").parse().expect("deny.toml is TOML")
}

fn strings<'a>(rules: &'a Table, section: &str, key: &str) -> BTreeSet<&'a str> {
    let list = rules[section][key].as_array().unwrap_or_else(|| panic!("{section}.{key}: a list"));
    list.iter().map(|value| value.as_str().expect("a string")).collect()
}

/// The entries of a list under `bans`: crates, each with the reason for the entry.
fn entries<'a>(rules: &'a Table, key: &str) -> Vec<&'a str> {
    let list = rules["bans"][key].as_array().unwrap_or_else(|| panic!("bans.{key}: a list"));
    list.iter()
        .map(|entry| {
            let named = entry["crate"].as_str().expect("the name of a crate");
            let reason = entry.get("reason").and_then(Value::as_str).unwrap_or_default();
            assert!(!reason.is_empty(), "bans.{key}: say why {named} stands there (`reason`)");
            named
        })
        .collect()
}

/// All crates that cargo would compile. The lock file names more of them: those of other platforms
/// and of features that nothing asks for.
fn packages(rules: &Table) -> BTreeSet<Package> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--workspace", "--locked", "--offline", "--no-dedupe", "--prefix", "none"]);
    cargo.args(["--edges", "normal,build,dev", "--format", "{p}|{l}"]);
    for target in strings(rules, "graph", "targets") {
        cargo.args(["--target", target]);
    }
    let output = cargo.current_dir(workspace_root()).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    let packages: BTreeSet<_> = text.lines().filter(|line| !line.is_empty()).map(package).collect();
    assert!(packages.len() > 300, "cargo tree names {} packages", packages.len());
    packages
}

/// A line of `cargo tree`: `syn v2.0.119 (proc-macro)|MIT OR Apache-2.0`.
fn package(line: &str) -> Package {
    let parsed = line.split_once('|').and_then(|(package, licence)| {
        let mut words = package.split(' ');
        let name = words.next()?.to_owned();
        let version = words.next()?.strip_prefix('v')?.to_owned();
        Some(Package { name, version, licence: licence.to_owned() })
    });
    parsed.unwrap_or_else(|| panic!("a line of `cargo tree` that is read differently: {line}"))
}

/// True if an SPDX expression can be met by allowed licences alone. Old manifests write `/` for
/// `OR`.
fn is_allowed(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    any_of(&mut words, allowed) && words.next().is_none()
}

fn any_of<'a, W: Iterator<Item = &'a str>>(
    words: &mut Peekable<W>,
    allowed: &BTreeSet<&str>,
) -> bool {
    let mut met = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        met |= all_of(words, allowed);
    }
    met
}

fn all_of<'a, W: Iterator<Item = &'a str>>(
    words: &mut Peekable<W>,
    allowed: &BTreeSet<&str>,
) -> bool {
    let mut met = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, allowed);
    }
    met
}

fn one<'a, W: Iterator<Item = &'a str>>(words: &mut Peekable<W>, allowed: &BTreeSet<&str>) -> bool {
    match words.next() {
        Some("(") => {
            let met = any_of(words, allowed);
            words.next() == Some(")") && met
        }
        Some(licence) if words.next_if_eq(&"WITH").is_some() => {
            let exception = words.next().unwrap_or_default();
            allowed.contains(format!("{licence} WITH {exception}").as_str())
        }
        Some(licence) => allowed.contains(licence),
        None => false,
    }
}

#[test]
fn every_licence_is_allowed() {
    let rules = rules();
    let allowed = strings(&rules, "licenses", "allow");
    let refused: Vec<_> = packages(&rules)
        .into_iter()
        .filter(|package| !is_allowed(&package.licence, &allowed))
        .map(|Package { name, version, licence }| format!("{name} {version}: {licence:?}"))
        .collect();
    assert!(
        refused.is_empty(),
        "{}\ndo without these, or add the licence to licenses.allow in deny.toml",
        refused.join("\n")
    );
}

#[test]
fn licence_expressions_are_read_as_spdx_means_them() {
    let allowed = BTreeSet::from(["MIT", "ISC"]);
    for met in [
        "MIT",
        "GPL-3.0 OR MIT",
        "GPL-3.0/MIT",
        "MIT AND ISC",
        "(GPL-3.0 OR ISC) AND MIT",
        "(GPL-3.0) OR MIT",
    ] {
        assert!(is_allowed(met, &allowed), "{met}");
    }
    for unmet in
        ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND BSL-1.0", "MIT WITH x", "(MIT"]
    {
        assert!(!is_allowed(unmet, &allowed), "{unmet}");
    }
}

#[test]
fn no_banned_crate_is_used() {
    let rules = rules();
    let banned: BTreeSet<_> = entries(&rules, "deny").into_iter().collect();
    let used: Vec<_> = packages(&rules)
        .into_iter()
        .map(|package| package.name)
        .filter(|name| banned.contains(name.as_str()))
        .collect();
    assert!(used.is_empty(), "{used:?}: `cargo tree -i <crate>` shows the feature to switch off");
}

#[test]
fn every_duplicate_is_named_with_its_reason() {
    let rules = rules();
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Package { name, version, .. } in packages(&rules) {
        versions.entry(name).or_default().push(version);
    }
    versions.retain(|_, versions| versions.len() > 1);
    let mut unused = Vec::new();
    for entry in entries(&rules, "skip") {
        let (name, prefix) = entry.split_once('@').expect("skip names crates as name@version");
        let is_meant = |version: &str| {
            version
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let Some(left) = versions.get_mut(name) else {
            unused.push(entry);
            continue;
        };
        let before = left.len();
        left.retain(|version| !is_meant(version.as_str()));
        if left.len() == before {
            unused.push(entry);
        }
    }
    versions.retain(|_, versions| versions.len() > 1);
    assert!(
        versions.is_empty(),
        "{versions:?}\nmove our own dependencies to one version, or name all versions but one \
         under bans.skip in deny.toml, with the reason (`cargo tree -d` shows who wants them)"
    );
    assert!(unused.is_empty(), "{unused:?}: no duplicate any more, so take them off bans.skip");
}

#[test]
fn every_crate_comes_from_a_known_registry() {
    let rules = rules();
    let allowed: BTreeSet<_> = strings(&rules, "sources", "allow-registry")
        .into_iter()
        .map(|registry| format!("registry+{registry}"))
        .collect();
    let lock: Table = sources::read("Cargo.lock").parse().expect("Cargo.lock is TOML");
    let foreign: Vec<_> = lock["package"]
        .as_array()
        .expect("packages")
        .iter()
        .filter_map(|package| {
            // Those of the workspace have none.
            let source = package.get("source")?.as_str()?;
            let name = package["name"].as_str()?;
            (!allowed.contains(source)).then(|| format!("{name} from {source}"))
        })
        .collect();
    assert!(foreign.is_empty(), "{}\nuse a release on crates.io", foreign.join("\n"));
}

#[test]
fn every_dependency_stands_in_the_workspace_with_a_version() {
    let root: Table = sources::read("Cargo.toml").parse().expect("Cargo.toml is TOML");
    for (name, dependency) in root["workspace"]["dependencies"].as_table().expect("dependencies") {
        let version = dependency.as_str().or_else(|| dependency.get("version")?.as_str());
        let is_ours = dependency.get("path").is_some();
        let is_open = version.is_none_or(|version| version.contains('*'));
        assert!(is_ours || !is_open, "{name}: name the version that is meant, not {version:?}");
    }
    for member in root["workspace"]["members"].as_array().expect("members") {
        let file = format!("{}/Cargo.toml", member.as_str().expect("a folder"));
        let manifest: Table = sources::read(&file).parse().expect("a manifest is TOML");
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, dependency) in
                manifest.get(section).and_then(Value::as_table).into_iter().flatten()
            {
                let is_shared = dependency.get("workspace").and_then(Value::as_bool) == Some(true);
                assert!(is_shared, "{file}: move {name} to [workspace.dependencies] of the root");
            }
        }
    }
}
