//! Faults on demand, for tests of an Envoy whose VMs fail. Only the feature `fault-injection` has
//! them, which is off by default and in no module that ships: a client could stop every worker by
//! them.

use std::hint::black_box;

use policy::mirror::{Action, host_key};
use proxy_wasm::hostcalls;
use proxy_wasm::types::MapType;

/// The request header that asks for a fault.
const HEADER: &str = "x-fault";
/// The mirror traps when a message names this host.
const TRAP: &[u8] = b"trap.gw.localhost";
/// Each mirror traps when it is about to give this host a value.
const TRAP_AGAIN: &str = "poison.gw.localhost";
/// The shared-data name of the note that a mirror has trapped: the next one, which is told of the
/// same host, goes on.
const TRAPPED_KEY: &str = "fault.trapped";
/// The bytes that `grow` takes at a time.
const PIECE_BYTES: usize = 1 << 20;

/// Fails as a request asks for, before anything is decided about it: `panic`, `grow` (memory
/// without end), or `loop`.
pub(crate) fn of_request() {
    let Some(fault) = hostcalls::get_map_value(MapType::HttpRequestHeaders, HEADER).ok().flatten()
    else {
        return;
    };
    match fault.as_str() {
        "panic" => fail("a request asked for it"),
        "grow" => {
            let mut taken = Vec::new();
            loop {
                taken.push(black_box(vec![1_u8; PIECE_BYTES]));
            }
        }
        "loop" => {
            let mut rounds = 0_u64;
            loop {
                rounds = black_box(rounds.wrapping_add(1));
            }
        }
        _ => {}
    }
}

/// Fails when a message to the mirror names [`TRAP`], once in an Envoy process.
pub(crate) fn of_message(message: &[u8]) {
    let named = message.windows(TRAP.len()).any(|window| window == TRAP);
    let first =
        named && hostcalls::get_shared_data(TRAPPED_KEY).is_ok_and(|(value, _)| value.is_none());
    if first && hostcalls::set_shared_data(TRAPPED_KEY, Some(b"1"), None).is_ok() {
        fail("a resource asked for it");
    }
}

/// Fails when the mirror is about to write the value of [`TRAP_AGAIN`].
pub(crate) fn of_action(action: &Action) {
    if let Action::Write(name, value) = action
        && *name == host_key(TRAP_AGAIN)
        && !value.is_empty()
    {
        fail("a host asked for it");
    }
}

#[expect(clippy::panic, reason = "that is what it is for")]
fn fail(why: &str) {
    panic!("injected fault: {why}");
}
