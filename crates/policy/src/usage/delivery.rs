//! The call that carries a report: one at a time, and none is waited for without end.

use super::{Aggregator, Report};

/// After this a call is given up. Its end should have been told long before; but a host that does
/// not tell, say because the call ended while it was being made, must not keep a VM from ever
/// reporting again.
pub const GIVE_UP_MS: u64 = 15_000;

/// gRPC's INVALID_ARGUMENT: the report will never be taken.
const INVALID_ARGUMENT: u32 = 3;

/// The next step of a delivery.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Nothing.
    Wait,
    /// The call with this token is to be cancelled: its end does not count any more. Its report
    /// comes again, later.
    GiveUp(u32),
    /// A call is to be made with this report, and [`Delivery::sent`] told of it.
    Send(Report<'a>),
}

/// The end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The report is in the receiver's sums; there may be more to send.
    Taken,
    /// The receiver will never take it: its requests count as lost.
    Refused,
    /// It comes again.
    Failed,
    /// It was no call of ours, or one that had been given up.
    Unknown,
}

/// The call that is under way, if one is.
#[derive(Debug, Default)]
pub struct Delivery {
    call: Option<Call>,
}

#[derive(Debug)]
struct Call {
    token: u32,
    seq: u64,
    sent_ms: u64,
}

impl Delivery {
    /// Returns the step that is due: to be asked about once a second, and after a report was taken.
    pub fn next<'u>(&mut self, usage: &'u mut Aggregator, now_ms: u64) -> Step<'u> {
        // A clock that was set back must not make it wait either.
        if let Some(Call { token, seq, .. }) =
            self.call.take_if(|call| now_ms.abs_diff(call.sent_ms) > GIVE_UP_MS)
        {
            usage.failed(seq, now_ms);
            return Step::GiveUp(token);
        }
        if self.call.is_some() {
            return Step::Wait;
        }
        usage.next_report(now_ms).map_or(Step::Wait, Step::Send)
    }

    /// The report with this number is under way in the call with this token; `None` if no call
    /// could be made.
    pub fn sent(&mut self, usage: &mut Aggregator, seq: u64, token: Option<u32>, now_ms: u64) {
        match token {
            Some(token) => self.call = Some(Call { token, seq, sent_ms: now_ms }),
            None => usage.failed(seq, now_ms),
        }
    }

    /// Takes in the end of a call; `status` is that of gRPC.
    pub fn ended(&mut self, usage: &mut Aggregator, token: u32, status: u32, now_ms: u64) -> End {
        let Some(Call { seq, .. }) = self.call.take_if(|call| call.token == token) else {
            return End::Unknown;
        };
        match status {
            0 => {
                usage.acked(seq);
                End::Taken
            }
            INVALID_ARGUMENT => {
                usage.refused(seq);
                End::Refused
            }
            _ => {
                usage.failed(seq, now_ms);
                End::Failed
            }
        }
    }
}

#[cfg(test)]
#[path = "delivery_tests.rs"]
mod tests;
