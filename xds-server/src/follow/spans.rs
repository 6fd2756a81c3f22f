//! The spans of a step, by which a trace shows the way of a change.
//!
//! The span of a change has the attribute `tenantry.change_seq`, its number in the change log, and
//! a link to the span of each traced commit that asked for it. The span of a commit has the same
//! attribute, with the number of its last change: without links, the two traces are found by it.
//! Changes of one thing that wait together are applied as one; the span then has the number of the
//! last of them, and `tenantry.first_change_seq`.
//!
//! The spans are in traces alone, and cost nothing while traces are off.

use policy::trace_parent::{CHANGE_SEQ, TRACE_TARGET};
use service::traces;
use store::change::Change;
use tracing::{Span, info_span};

use super::pending::{Pending, Taken};

/// The most changes of a step that have spans of their own. A step with more is bulk work, and the
/// span of the step has to do: no change costs more than its share for the sake of traces.
const SPANS: usize = 64;

/// The open spans of a step. They end when it is dropped.
pub(super) struct StepSpans {
    pub(super) step: Span,
    _changes: Vec<Span>,
}

/// Opens the spans of a step. `through_seq` is the last entry of the log that was read.
pub(super) fn of_step(pending: &Pending, taken: &Taken, through_seq: i64) -> StepSpans {
    let changes = taken.changes.len();
    let step = info_span!(target: TRACE_TARGET, "apply_changes", through_seq, changes);
    let spans = taken.changes.iter().take(SPANS).filter_map(|(tenant, change)| {
        let waiting = pending.waiting(*tenant, change)?;
        let span = info_span!(
            target: TRACE_TARGET,
            parent: &step,
            "push_change",
            tenantry.change_seq = waiting.last_seq,
            tenantry.first_change_seq = waiting.seq,
            tenantry.tenant = %tenant,
            kind = kind_of(change),
        );
        for cause in &waiting.causes {
            traces::link(&span, cause.trace, CHANGE_SEQ, cause.seq);
        }
        Some(span)
    });
    let spans = spans.collect();
    StepSpans { step, _changes: spans }
}

fn kind_of(change: &Change) -> &'static str {
    match change {
        Change::Site(_) => "site",
        Change::Keys(_) => "keys",
        Change::Consumers(_) => "consumers",
        Change::Cells => "cells",
        Change::Listeners(_) => "listeners",
    }
}
