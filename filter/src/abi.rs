//! The calls that go past the SDK. Header maps: it copies every name and value into allocations of
//! their own, which costs more than all else that the filter does with them; here a map is one
//! allocation, which `policy::headers` reads in place. Single headers and the time: it panics at a
//! status that it does not expect. Calls by gRPC: it notes for its own dispatcher, which has
//! nothing to do here, the maker of each of them, and keeps that for ever.

#![expect(unsafe_code, reason = "the ABI hands over memory by pointer and length")]

use std::ptr;
use std::time::Duration;

use proxy_wasm::types::{MapType, Status};

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, len: *mut usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_len: usize,
        value: *const u8,
        len: usize,
    ) -> u32;
    fn proxy_add_header_map_value(
        map: u32,
        name: *const u8,
        name_len: usize,
        value: *const u8,
        len: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_len: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_grpc_call(
        cluster: *const u8,
        cluster_len: usize,
        service: *const u8,
        service_len: usize,
        method: *const u8,
        method_len: usize,
        metadata: *const u8,
        metadata_len: usize,
        message: *const u8,
        message_len: usize,
        timeout_ms: u32,
        token: *mut u32,
    ) -> u32;
    fn proxy_grpc_stream(
        cluster: *const u8,
        cluster_len: usize,
        service: *const u8,
        service_len: usize,
        method: *const u8,
        method_len: usize,
        metadata: *const u8,
        metadata_len: usize,
        token: *mut u32,
    ) -> u32;
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
    // SAFETY: the host got this memory from `proxy_on_memory_allocate`, by which the SDK gives out
    // a leaked `Vec<u8>` whose capacity is the length that was asked for, and it passes ownership
    // on.
    Ok(unsafe { Vec::from_raw_parts(data, len, len) })
}

/// Gives a header this one value.
pub(crate) fn set_header(map: MapType, name: &[u8], value: &[u8]) -> Result<(), Status> {
    // SAFETY: each pointer is to as many live bytes as the length beside it says.
    checked(unsafe {
        proxy_replace_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    })
}

/// Gives a header one more value.
pub(crate) fn add_header(map: MapType, name: &[u8], value: &[u8]) -> Result<(), Status> {
    // SAFETY: as in `set_header`.
    checked(unsafe {
        proxy_add_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    })
}

/// Takes a header away.
pub(crate) fn remove_header(map: MapType, name: &[u8]) -> Result<(), Status> {
    // SAFETY: as in `set_header`.
    checked(unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

/// Nanoseconds since the Unix epoch.
pub(crate) fn now_ns() -> Result<u64, Status> {
    let mut now_ns = 0;
    // SAFETY: the pointer is to a live local, which the host writes before it returns.
    checked(unsafe { proxy_get_current_time_nanoseconds(&raw mut now_ns) })?;
    Ok(now_ns)
}

fn checked(status: u32) -> Result<(), Status> {
    if status == Status::Ok as u32 { Ok(()) } else { Err(Status::InternalFailure) }
}

/// A serialised map without pairs.
const NO_METADATA: [u8; 4] = [0; 4];

/// A unary call, and the token by which its end is told of.
pub(crate) fn grpc_call(
    cluster: &str,
    service: &str,
    method: &str,
    message: &[u8],
    timeout: Duration,
) -> Result<u32, Status> {
    let mut token = 0;
    let timeout_ms = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
    // SAFETY: each pointer is to as many live bytes as the length beside it says, and the last to a
    // live local.
    let status = unsafe {
        proxy_grpc_call(
            cluster.as_ptr(),
            cluster.len(),
            service.as_ptr(),
            service.len(),
            method.as_ptr(),
            method.len(),
            NO_METADATA.as_ptr(),
            NO_METADATA.len(),
            message.as_ptr(),
            message.len(),
            timeout_ms,
            &raw mut token,
        )
    };
    if status == Status::Ok as u32 { Ok(token) } else { Err(Status::InternalFailure) }
}

/// A stream, and the token by which its messages and its end are told of.
pub(crate) fn grpc_stream(cluster: &str, service: &str, method: &str) -> Result<u32, Status> {
    let mut token = 0;
    // SAFETY: as in `grpc_call`.
    let status = unsafe {
        proxy_grpc_stream(
            cluster.as_ptr(),
            cluster.len(),
            service.as_ptr(),
            service.len(),
            method.as_ptr(),
            method.len(),
            NO_METADATA.as_ptr(),
            NO_METADATA.len(),
            &raw mut token,
        )
    };
    if status == Status::Ok as u32 { Ok(token) } else { Err(Status::InternalFailure) }
}
