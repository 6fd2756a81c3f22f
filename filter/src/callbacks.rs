//! The callbacks that Envoy calls, without the SDK's dispatcher. That one wants to be told of each
//! request twice more, when it begins and when it is logged, and each of these calls takes Envoy
//! 1.1 to 1.4 us.
//!
//! The SDK exports functions of the same names, and no two of one module can share a name. So these
//! have a prefix, which the finished module has not (`stack::wasm::callbacks`).

#![expect(unsafe_code, reason = "the exports that Envoy calls")]
#![expect(unreachable_pub, reason = "nothing in Rust reaches them")]

use std::cell::RefCell;

use proxy_wasm::types::Action;

use crate::http::fail_closed;
use crate::root::Root;

thread_local! {
    /// All that is in this VM.
    static ROOT: RefCell<Option<Root>> = const { RefCell::new(None) };
}

proxy_wasm::main! {{
    proxy_wasm::set_log_level(proxy_wasm::types::LogLevel::Info);
}}

/// Does something with the state of this VM, if it has started. Envoy calls nothing here in the
/// middle of something else.
fn with<T>(work: impl FnOnce(&mut Root) -> T) -> Option<T> {
    ROOT.with(|root| root.try_borrow_mut().ok()?.as_mut().map(work))
}

/// An action as the ABI has it.
fn code(action: Option<Action>) -> u32 {
    action.unwrap_or_else(fail_closed) as u32
}

/// Once for each plugin in the VM; all of them have its one configuration.
#[unsafe(no_mangle)]
pub extern "C" fn own_proxy_on_vm_start(_root: u32, size: usize) -> u32 {
    ROOT.with(|root| {
        let Ok(mut root) = root.try_borrow_mut() else { return 0 };
        if root.is_none() {
            *root = Root::start(size);
        }
        u32::from(root.is_some())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn own_proxy_on_configure(root: u32, size: usize) -> u32 {
    u32::from(with(|all| all.configure(root, size)).unwrap_or(false))
}

#[unsafe(no_mangle)]
pub extern "C" fn own_proxy_on_tick(root: u32) {
    with(|all| all.tick(root));
}

#[unsafe(no_mangle)]
pub extern "C" fn own_proxy_on_request_headers(
    context: u32,
    _count: usize,
    end_of_stream: u32,
) -> u32 {
    #[cfg(feature = "fault-injection")]
    crate::fault::of_request();
    code(with(|all| all.request_headers(context, end_of_stream != 0)))
}

#[unsafe(no_mangle)]
pub extern "C" fn own_proxy_on_request_body(context: u32, size: usize, end_of_stream: u32) -> u32 {
    code(with(|all| all.request_body(context, Some(size), end_of_stream != 0)))
}

/// With trailers, they are the end of the stream.
#[unsafe(no_mangle)]
pub extern "C" fn own_proxy_on_request_trailers(context: u32, _count: usize) -> u32 {
    if crate::http::clean_trailers().is_err() {
        return code(None);
    }
    code(with(|all| all.request_body(context, None, true)))
}

#[unsafe(no_mangle)]
pub extern "C" fn own_proxy_on_response_headers(
    context: u32,
    _count: usize,
    _end_of_stream: u32,
) -> u32 {
    with(|all| all.response_headers(context));
    Action::Continue as u32
}

#[unsafe(no_mangle)]
pub extern "C" fn own_proxy_on_delete(context: u32) {
    with(|all| all.delete(context));
}

#[unsafe(no_mangle)]
pub extern "C" fn own_proxy_on_grpc_receive(_root: u32, token: u32, size: usize) {
    with(|all| all.received(token, size));
}

#[unsafe(no_mangle)]
pub extern "C" fn own_proxy_on_grpc_close(_root: u32, token: u32, status: u32) {
    with(|all| all.closed(token, status));
}
