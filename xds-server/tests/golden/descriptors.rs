//! The descriptors of Envoy's extensions, out of those that lie in the source of `envoy-types`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use prost::Message as _;
use prost_reflect::prost_types::{FileDescriptorProto, FileDescriptorSet};
use serde_json::Value;

use super::UPDATE;

/// The files with the extensions that are sent.
const SENT: [&str; 9] = [
    "envoy/extensions/access_loggers/filters/cel/v3/cel.proto",
    "envoy/extensions/access_loggers/stream/v3/stream.proto",
    "envoy/extensions/filters/http/cdn_loop/v3/cdn_loop.proto",
    "envoy/extensions/filters/http/on_demand/v3/on_demand.proto",
    "envoy/extensions/filters/http/wasm/v3/wasm.proto",
    "envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.proto",
    "envoy/extensions/filters/network/connection_limit/v3/connection_limit.proto",
    "envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation.proto",
    "envoy/extensions/upstreams/http/v3/http_protocol_options.proto",
];

#[test]
fn the_descriptors_of_extensions_are_those_of_the_crate() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/readable/extensions.binpb");
    let wanted = extensions();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&file, wanted).expect("a file that can be written");
    } else {
        let there = std::fs::read(&file).expect("the descriptors");
        assert!(there == wanted, "{}: run `cargo xtask golden` twice", file.display());
    }
}

/// The files, and those that they import and `xds-api` lacks, without comments.
fn extensions() -> Vec<u8> {
    let all = std::fs::read(types_of_the_crate()).expect("the descriptors of envoy-types");
    let all = FileDescriptorSet::decode(all.as_slice()).expect("a set of descriptors");
    let known = FileDescriptorSet::decode(xds_api::FILE_DESCRIPTOR_SET).expect("a set");
    let known: BTreeSet<_> = known.file.iter().map(|file| file.name().to_owned()).collect();
    let mut set = FileDescriptorSet::default();
    for name in SENT {
        add(name, &all.file, &known, &mut set.file);
    }
    set.encode_to_vec()
}

fn add(
    name: &str,
    all: &[FileDescriptorProto],
    known: &BTreeSet<String>,
    found: &mut Vec<FileDescriptorProto>,
) {
    if known.contains(name) || found.iter().any(|file| file.name() == name) {
        return;
    }
    let file = all.iter().find(|file| file.name() == name).expect("a file of envoy-types");
    for import in &file.dependency {
        add(import, all, known, found);
    }
    found.push(FileDescriptorProto { source_code_info: None, ..file.clone() });
}

fn types_of_the_crate() -> PathBuf {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("the metadata");
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages.iter().find(|package| package["name"] == "envoy-types");
    let manifest = package.expect("envoy-types")["manifest_path"].as_str().expect("a path");
    Path::new(manifest).with_file_name("src").join("generated/types.bin")
}
