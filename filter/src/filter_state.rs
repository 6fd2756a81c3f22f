//! Filter state that outlives the filter chain: a request that makes Envoy load the routes of its
//! site starts again from the first filter, and filter state for the request as a whole is still
//! there then.

use prost::Message as _;
use proxy_wasm::hostcalls;

use policy::filter_state::{COUNTED, REFUSAL};

/// Envoy's foreign function that says how long a property lives.
const DECLARE: &str = "declare_property";
/// `WasmType.String`.
const STRING: i32 = 1;
/// `LifeSpan.DownstreamRequest`.
const REQUEST: i32 = 1;

/// `envoy.source.extensions.common.wasm.DeclarePropertyArguments`, in part.
#[derive(Clone, PartialEq, prost::Message)]
struct Declaration {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int32, tag = "3")]
    kind: i32,
    #[prost(int32, tag = "5")]
    span: i32,
}

/// Declares the filter's own properties. A host that knows no declarations lets it live as long as
/// the filter chain: then a request that starts again is counted twice.
pub(crate) fn declare() {
    for name in [REFUSAL, COUNTED] {
        let declaration = Declaration { name: name.to_owned(), kind: STRING, span: REQUEST };
        if let Err(status) =
            hostcalls::call_foreign_function(DECLARE, Some(&declaration.encode_to_vec()))
        {
            log::warn!("tenantry: {name} cannot be declared: {status:?}");
        }
    }
}
