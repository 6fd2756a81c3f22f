//! Envoy's shared data as the core sees it: cells with compare-and-swap, and the resources that the
//! mirror wrote.

use policy::limit::Cells;
use policy::mirror::{self, Serving};
use proxy_wasm::hostcalls;

/// A version that Envoy never gives out: a write under it succeeds only where there is no value
/// yet.
const NO_VERSION: u32 = u32::MAX;

/// The shared-data name of the random seed of this Envoy process.
const SEED_KEY: &str = "seed";

/// Reads a value and its version; `None` for an absent one, and for one that is empty.
pub(crate) fn get(name: &str) -> Option<(Vec<u8>, Option<u32>)> {
    let (value, version) = hostcalls::get_shared_data(name).ok()?;
    Some((value?, version))
}

/// The version of a value, without the value. Reading an empty value costs a tenth of reading
/// another, because nothing has to be handed into the VM: so versions of empty values serve as
/// counters that are cheap to look at.
pub(crate) fn version(name: &str) -> Option<u32> {
    hostcalls::get_shared_data(name).ok()?.1
}

/// The epoch that is served now; `None` before the first sync.
pub(crate) fn serving() -> Option<Serving> {
    let (value, _) = get(mirror::SERVING_KEY)?;
    Serving::decode(&value).filter(|serving| serving.epoch > 0)
}

/// The random bytes that all VMs of this Envoy process share: drawn by the first that asks.
pub(crate) fn seed() -> Option<[u8; 16]> {
    if let Some((seed, _)) = get(SEED_KEY) {
        return seed.try_into().ok();
    }
    let drawn = random()?;
    if hostcalls::set_shared_data(SEED_KEY, Some(&drawn), Some(NO_VERSION)).is_ok() {
        return Some(drawn);
    }
    get(SEED_KEY)?.0.try_into().ok()
}

/// Random bytes from the host.
#[expect(clippy::disallowed_methods, reason = "the one place that draws random bytes")]
pub(crate) fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes)
}

/// Shared data as cells.
pub(crate) struct SharedCells;

impl Cells for SharedCells {
    fn read(&mut self, name: &str) -> Option<(Vec<u8>, u32)> {
        let (value, version) = hostcalls::get_shared_data(name).ok()?;
        Some((value.unwrap_or_default(), version?))
    }

    fn write(&mut self, name: &str, value: &[u8], cas: Option<u32>) -> bool {
        hostcalls::set_shared_data(name, Some(value), Some(cas.unwrap_or(NO_VERSION))).is_ok()
    }
}
