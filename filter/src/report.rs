//! Carries the usage of a worker VM to the control plane, as `policy` says.

use std::time::Duration;

use policy::usage::{Delivery, End, METHOD, Report, SERVICE, Step};
use proxy_wasm::hostcalls;

use crate::abi;
use crate::http::now_ms;
use crate::vm::Vm;

/// After this a call counts as failed, and the report is sent again.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The call that is under way.
#[derive(Default)]
pub(crate) struct Reporter(Delivery);

impl Reporter {
    /// Sends a report that is due.
    pub(crate) fn tick(&mut self, vm: &mut Vm) {
        let now_ms = now_ms();
        match self.0.next(&mut vm.usage, now_ms) {
            Step::Wait => {}
            Step::GiveUp(token) => {
                let _ = hostcalls::cancel_grpc_call(token);
            }
            Step::Send(Report { seq, message }) => {
                let cluster = &vm.config.xds_cluster;
                let call = abi::grpc_call(cluster, SERVICE, METHOD, message, TIMEOUT);
                self.0.sent(&mut vm.usage, seq, call.ok(), now_ms);
            }
        }
    }

    /// Takes in the end of a call; `status` is that of gRPC.
    pub(crate) fn answered(&mut self, vm: &mut Vm, token: u32, status: u32) {
        match self.0.ended(&mut vm.usage, token, status, now_ms()) {
            // Usage that has come together meanwhile need not wait for the next tick.
            End::Taken => self.tick(vm),
            End::Refused => log::error!(
                "tenantry: a usage report was refused by cluster {}",
                vm.config.xds_cluster
            ),
            End::Failed | End::Unknown => {}
        }
    }
}
