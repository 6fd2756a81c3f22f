//! Header maps straight from the ABI. The SDK copies every name and value into allocations of their own, which costs more
//! than all else that the filter does with them; here a map is one allocation, which `policy::headers` reads in place.

#![allow(unsafe_code, reason = "the ABI hands over memory by pointer and length")]

use std::ptr;

use proxy_wasm::types::{MapType, Status};

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, len: *mut usize) -> u32;
}

/// The serialised header map (proxy-wasm ABI 0.2.1); empty if there is none.
pub(crate) fn header_map(map: MapType) -> Result<Vec<u8>, Status> {
    let mut data: *mut u8 = ptr::null_mut();
    let mut len = 0_usize;
    // SAFETY: both pointers are to live locals, which the host writes before it returns.
    let status = unsafe { proxy_get_header_map_pairs(map as u32, &raw mut data, &raw mut len) };
    if status != Status::Ok as u32 {
        return Err(Status::InternalFailure);
    }
    if data.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: the host got this memory from `proxy_on_memory_allocate`, by which the SDK gives out a leaked `Vec<u8>` whose
    // capacity is the length that was asked for, and it passes ownership on.
    Ok(unsafe { Vec::from_raw_parts(data, len, len) })
}
