//! Carries the usage of a worker VM to the control plane.

use std::time::Duration;

use policy::usage::{METHOD, Report, SERVICE};
use proxy_wasm::hostcalls;

use crate::http::now_ms;
use crate::vm::Vm;

/// After this a call counts as failed, and the report is sent again.
const TIMEOUT: Duration = Duration::from_secs(10);

/// After this a call is given up. Its end should have been told long before; but a host that does not tell, say because the call ended
/// while it was being made, must not keep this VM from ever reporting again.
const GIVE_UP_MS: u64 = 15_000;

/// gRPC's INVALID_ARGUMENT: the report will never be taken.
const INVALID_ARGUMENT: u32 = 3;

/// The call that is under way.
#[derive(Default)]
pub(crate) struct Reporter {
    call: Option<Call>,
}

struct Call {
    token: u32,
    seq: u64,
    sent_ms: u64,
}

impl Reporter {
    /// Sends what is due. Only one report is under way at a time.
    pub(crate) fn tick(&mut self, vm: &mut Vm) {
        let now_ms = now_ms();
        // A clock that was set back must not make it wait either.
        if let Some(Call { token, seq, .. }) = self.call.take_if(|call| now_ms.abs_diff(call.sent_ms) > GIVE_UP_MS) {
            let _ = hostcalls::cancel_grpc_call(token);
            vm.usage.failed(seq, now_ms);
        }
        if self.call.is_some() {
            return;
        }
        let Some(Report { seq, message }) = vm.usage.next_report(now_ms) else { return };
        let cluster = &vm.config.xds_cluster;
        match hostcalls::dispatch_grpc_call(cluster, SERVICE, METHOD, Vec::new(), Some(message), TIMEOUT) {
            Ok(token) => self.call = Some(Call { token, seq, sent_ms: now_ms }),
            Err(_) => vm.usage.failed(seq, now_ms),
        }
    }

    /// Takes in the end of a call; `status` is that of gRPC.
    pub(crate) fn answered(&mut self, vm: &mut Vm, token: u32, status: u32) {
        let Some(Call { seq, .. }) = self.call.take_if(|call| call.token == token) else { return };
        match status {
            0 => vm.usage.acked(seq),
            INVALID_ARGUMENT => {
                log::error!("tenantry: a usage report was refused by cluster {}", vm.config.xds_cluster);
                vm.usage.refused(seq);
            }
            _ => vm.usage.failed(seq, now_ms()),
        }
        // What has come together meanwhile need not wait for the next tick.
        if status == 0 {
            self.tick(vm);
        }
    }
}
