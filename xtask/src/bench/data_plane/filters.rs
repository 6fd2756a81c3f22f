//! The filters of the variants that are not ours, each set up as its documentation has it.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use crate::bench::seed::SeededKey;
use crate::bench::tokens::{ISSUER, Tokens};

/// A rate that no run reaches.
const PLENTY: u32 = 1_000_000_000;

fn filter(name: &str, message: &str, mut config: Value) -> Value {
    config["@type"] = json!(format!("type.googleapis.com/envoy.extensions.filters.http.{message}"));
    json!({ "name": format!("envoy.filters.http.{name}"), "typed_config": config })
}

/// Static keys, and the token bucket of the whole listener.
pub(super) fn native_keys<'a>(keys: impl Iterator<Item = &'a SeededKey>) -> Vec<Value> {
    let credentials: Vec<Value> = keys
        .enumerate()
        .map(|(number, key)| json!({ "key": key.key, "client": format!("client-{number}") }))
        .collect();
    let auth = json!({ "credentials": credentials, "key_sources": [{ "header": "x-api-key" }] });
    let bucket = json!({ "max_tokens": PLENTY, "tokens_per_fill": PLENTY, "fill_interval": "1s" });
    let whole = json!({ "default_value": { "numerator": 100, "denominator": "HUNDRED" } });
    let limit = json!({
        "stat_prefix": "bench", "token_bucket": bucket,
        "filter_enabled": whole, "filter_enforced": whole,
    });
    vec![
        filter("api_key_auth", "api_key_auth.v3.ApiKeyAuth", auth),
        filter("local_ratelimit", "local_ratelimit.v3.LocalRateLimit", limit),
    ]
}

/// Tokens of one issuer, with room for all of them in the cache.
pub(super) fn native_tokens(tokens: &Tokens) -> Vec<Value> {
    let provider = json!({
        "issuer": ISSUER,
        "local_jwks": { "inline_string": tokens.jwks.to_string() },
        "jwt_cache_config": { "jwt_cache_size": 2 * tokens.tokens.len() },
    });
    let config = json!({
        "providers": { "bench": provider },
        "rules": [{ "match": { "prefix": "/" }, "requires": { "provider_name": "bench" } }],
    });
    vec![filter("jwt_authn", "jwt_authn.v3.JwtAuthentication", config)]
}

fn callouts() -> Value {
    json!({ "envoy_grpc": { "cluster_name": "callouts" }, "timeout": "1s" })
}

/// A check of every request by a server.
pub(super) fn ext_authz() -> Value {
    let config = json!({
        "grpc_service": callouts(), "transport_api_version": "V3", "failure_mode_allow": false,
    });
    filter("ext_authz", "ext_authz.v3.ExtAuthz", config)
}

/// Another question to it for each request: whether its key is over a limit.
pub(super) fn ratelimit() -> Value {
    let service = json!({ "grpc_service": callouts(), "transport_api_version": "V3" });
    let config = json!({
        "domain": "bench", "failure_mode_deny": true, "timeout": "1s",
        "rate_limit_service": service,
    });
    filter("ratelimit", "ratelimit.v3.RateLimit", config)
}

/// A gateway in Lua; `keys` is a file with a key and a consumer on each line.
pub(super) fn lua(keys: &Path) -> Result<Vec<Value>> {
    let code = include_str!("bucket.lua").replace("@KEYS@", &keys.display().to_string());
    Ok(vec![filter(
        "lua",
        "lua.v3.Lua",
        json!({ "default_source_code": { "inline_string": code } }),
    )])
}
