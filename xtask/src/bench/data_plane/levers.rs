//! Compares ways to build the module: our own module, from other compiler settings or finished in
//! other ways, at ten sites and a hundred keys.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use stack::build::{self, ModuleOptions};
use stack::wasm::{self, Steps};

use super::deployment::Deployment;
use super::envoys::{Place, Sent};
use super::measure::{Bench, Pace, Target};
use super::report::{BARE, OURS, Report};
use super::traffic::{self, Request};

/// A way to make the module.
struct Lever {
    id: &'static str,
    title: &'static str,
    options: ModuleOptions,
    steps: Steps,
    /// Arguments for Binaryen's optimiser, which is then run before the module is finished.
    wasm_opt: Option<&'static [&'static str]>,
}

/// The proposals that the compiler uses by itself.
const FEATURES: [&str; 7] = [
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-multivalue",
];

fn levers() -> Vec<Lever> {
    let usual = |id, title| Lever {
        id,
        title,
        options: ModuleOptions::default(),
        steps: Steps::default(),
        wasm_opt: None,
    };
    let compiled =
        |id, title, name: &'static str, config: &'static [&'static str], rustflags| Lever {
            options: ModuleOptions { folder: Some(name), features: &[], config, rustflags },
            ..usual(id, title)
        };
    vec![
        usual(OURS, "as it is built"),
        Lever {
            steps: Steps { fuel: false, ..Steps::default() },
            ..usual("unbounded", "without fuel")
        },
        Lever {
            steps: Steps { copies: false, ..Steps::default() },
            ..usual("copies", "with V8's copies of memory")
        },
        compiled("size", "opt-level = \"s\"", "opt-s", &["profile.wasm.opt-level=\"s\""], ""),
        compiled(
            "no_lto",
            "without LTO, 16 units",
            "no-lto",
            &["profile.wasm.lto=\"off\"", "profile.wasm.codegen-units=16"],
            "",
        ),
        compiled("no_simd", "without simd128", "no-simd", &[], "-C target-feature=-simd128"),
        Lever { wasm_opt: Some(&["-O3"]), ..usual("wasm_opt", "wasm-opt -O3") },
    ]
}

pub(super) async fn measure(
    bench: &Bench<'_>,
    place: &Place,
    sent: &Sent,
    deployment: &Deployment,
    pace: Pace,
) -> Result<Report> {
    let requests = place.folder.join("levers.requests");
    let requests = traffic::write(&requests, deployment.keys.iter().map(Request::with_key))?;
    let mut bare = place.start_static(sent, BARE, &[], 1).await?;
    let mut targets = vec![Target {
        id: BARE,
        title: "bare: connection manager and router".to_owned(),
        envoy: bare.pid()?,
        others: Vec::new(),
        direct: Some((bare.direct, requests.clone())),
        upstream: None,
        remembers: false,
    }];
    let mut envoys = Vec::new();
    for lever in levers() {
        let Some(module) = make(&lever, &place.folder)? else {
            eprintln!(
                "{}: left out, for wasm-opt is not installed (on Debian: apt-get install binaryen)",
                lever.title
            );
            continue;
        };
        let ours = place.start_ours(Some(sent), lever.id, deployment.xds(), &module, 1).await?;
        Deployment::wait_until_served(ours.direct, &deployment.one_for_each_site(1)).await?;
        let size_kb = fs::metadata(&module)?.len() / 1_000;
        targets.push(Target {
            id: lever.id,
            title: format!("{} ({size_kb} KB)", lever.title),
            envoy: ours.envoy.service.pid().context("it runs")?,
            others: Vec::new(),
            direct: Some((ours.direct, requests.clone())),
            upstream: None,
            remembers: true,
        });
        envoys.push(ours.envoy);
    }
    let series = bench.rounds(&targets, 1, pace).await?;
    for envoy in &mut envoys {
        envoy.service.stop().await?;
    }
    bare.service.stop().await?;
    Ok(Report::of(vec!["Our module, made in other ways; Envoy answers itself.".to_owned()], series))
}

/// The finished module; `None` if a program for it is missing.
fn make(lever: &Lever, folder: &Path) -> Result<Option<PathBuf>> {
    let mut compiled = build::compile_module(&lever.options)?;
    if let Some(args) = lever.wasm_opt {
        let optimised = folder.join(format!("{}-optimised.wasm", lever.id));
        let mut optimiser = Command::new("wasm-opt");
        optimiser.args(args).args(FEATURES).arg(&compiled).arg("-o").arg(&optimised);
        match optimiser.status() {
            Ok(status) if status.success() => compiled = optimised,
            Ok(status) => anyhow::bail!("wasm-opt ended with {status}"),
            Err(_) => return Ok(None),
        }
    }
    let module = folder.join(format!("{}.wasm", lever.id));
    fs::write(&module, wasm::finish(&fs::read(&compiled)?, lever.steps)?)?;
    Ok(Some(module))
}
