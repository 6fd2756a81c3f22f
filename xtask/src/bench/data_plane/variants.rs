//! The variants that are compared.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use stack::wasm;

use super::deployment::SMALL;
use super::inputs::{DRAWS, EVERY, Inputs, LUA_KEYS, NATIVE_KEYS, Requests};
use super::report::{BARE, BARE_WITHOUT_LOG, CALLOUTS, CALLS};
use super::started::{Variant, Variants};
use super::{filters, ours};
use crate::bench::seed::Scale;

/// Starts all variants with so many workers each.
pub(super) async fn start(inputs: &Inputs<'_>, concurrency: u32) -> Result<Variants> {
    let requests = Requests::write(inputs)?;
    let mut variants = Variants::default();
    let quiet = inputs.sent.without_access_log();
    let bare = Variant::new(BARE, "bare: connection manager and router", Vec::new(), &requests.all);
    let without_log =
        Variant::new(BARE_WITHOUT_LOG, "bare, without an access log", Vec::new(), &requests.all);
    variants.add(inputs, concurrency, bare).await?;
    variants.add(inputs, concurrency, Variant { sent: Some(&quiet), ..without_log }).await?;
    for (id, title, module) in empty_modules(inputs)? {
        let filters = vec![inputs.sent.wasm(id, &module)];
        variants.add(inputs, concurrency, Variant::new(id, title, filters, &requests.all)).await?;
    }
    ours::add_all(&mut variants, inputs, &requests, &quiet, concurrency).await?;
    let native = filters::native_keys(inputs.big.keys.iter().take(NATIVE_KEYS));
    let title = "native api_key_auth, local_ratelimit; 1,000 keys";
    variants
        .add(inputs, concurrency, Variant::new("native_keys", title, native, &requests.native))
        .await?;
    let jwt = filters::native_tokens(inputs.tokens);
    let title = "native jwt_authn, tokens cached";
    variants
        .add(inputs, concurrency, Variant::new("native_jwt", title, jwt, &requests.tokens))
        .await?;
    let lua = filters::lua(&lua_table(inputs)?)?;
    let title = "Lua: 100,000 keys, a bucket, two headers";
    variants.add(inputs, concurrency, Variant::new("lua", title, lua, &requests.lua)).await?;
    let others = vec![inputs.callouts];
    let check =
        Variant::new("ext_authz", "ext_authz over gRPC", vec![filters::ext_authz()], &requests.all);
    variants.add(inputs, concurrency, Variant { others: others.clone(), ..check }).await?;
    // On a route that Envoy answers itself, the ratelimit filter calls nobody.
    let both = vec![filters::ext_authz(), filters::ratelimit()];
    let both = Variant::new(CALLOUTS, "ext_authz and ratelimit over gRPC", both, &requests.all);
    variants.add(inputs, concurrency, Variant { others, direct: false, ..both }).await?;
    Ok(variants)
}

/// A filter that does nothing: written by hand, and with the SDK; and one that only asks Envoy for
/// what ours does.
fn empty_modules(inputs: &Inputs<'_>) -> Result<[(&'static str, &'static str, PathBuf); 4]> {
    let path = |name: &str| inputs.place.folder.join(name);
    let compiled = fs::read(inputs.empty_module)?;
    let (raw, stripped, calls) =
        (path("empty-raw.wasm"), path("empty-stripped.wasm"), path("calls.wasm"));
    fs::write(&raw, wat::parse_str(include_str!("empty.wat"))?)?;
    fs::write(&calls, wat::parse_str(include_str!("calls.wat"))?)?;
    fs::write(&stripped, wasm::finish(&compiled, wasm::Steps::default())?)?;
    Ok([
        ("empty_raw", "empty wasm filter, written by hand", raw),
        ("empty_sdk", "empty wasm filter of the SDK", inputs.empty_module.to_owned()),
        ("empty_finished", "empty wasm filter of the SDK, finished as ours is", stripped),
        (CALLS, "our calls of Envoy, and nothing else", calls),
    ])
}

fn lua_table(inputs: &Inputs<'_>) -> Result<PathBuf> {
    let file = inputs.place.folder.join("lua-keys.txt");
    let lines = inputs.big.keys.iter().take(LUA_KEYS).enumerate();
    let lines: String =
        lines.map(|(number, key)| format!("{} consumer-{number}\n", key.key)).collect();
    fs::write(&file, lines)?;
    Ok(file)
}

/// Returns notes that explain the figures.
pub(super) fn notes(scale: Scale) -> Vec<String> {
    let Scale { sites, keys } = scale;
    vec![
        "CPU time is Envoy's, with that of the call-out server, or of xds-server and PostgreSQL, \
         which are also shown as `others`; the upstream's and wrk's are in no sum. Medians over \
         the rounds, and half of the spread."
            .to_owned(),
        format!(
            "Ours at full size is compared with the small one with as many keys and sites in use, \
             {} and {}: what loading the {keys} costs. By Zipf's law they are {} draws from all \
             keys of all {sites} sites, of which the most popular are anywhere. The worst case is \
             every {EVERY}th key in turn, so that nothing is used again before {} others were. \
             Everything ours may remember was sent once before the rounds began.",
            SMALL.keys,
            SMALL.sites,
            DRAWS.min(keys),
            keys / EVERY
        ),
        "Where an upstream answers, ours routes by SRDS to a cluster for each site, and bare by \
         one route to one cluster."
            .to_owned(),
        "Tokens go to 200 sites, and are longer than keys by some hundred bytes, of which the bare \
         variant knows nothing."
            .to_owned(),
        "All listeners have the settings and the access log that xds-server sends.".to_owned(),
    ]
}
