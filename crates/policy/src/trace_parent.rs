//! The place in a trace that one program hands to another (W3C Trace Context, section 3.2,
//! `traceparent`).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The target of spans and events of `tracing` that are in traces and not in the log.
pub const TRACE_TARGET: &str = "tenantry_trace";

/// The attribute that joins the span of a commit with that of its push: the number of the last
/// change of the commit in the change log.
pub const CHANGE_SEQ: &str = "tenantry.change_seq";

/// The identity of a span, which a later span continues or is linked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceParent {
    /// The id of the trace, never zero.
    pub trace_id: u128,
    /// The id of the span, never zero.
    pub span_id: u64,
    /// The trace is recorded.
    pub sampled: bool,
}

/// The text is no `traceparent`.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a traceparent is of the form 00-<32 hexadecimal digits>-<16>-<2>, in lower case")]
pub struct NotATraceParent;

/// The flag of a trace that is recorded.
const SAMPLED: u8 = 1;

impl FromStr for TraceParent {
    type Err = NotATraceParent;

    /// Of versions after 00, the fields of version 00 are read, as section 3.2.4 has it.
    fn from_str(text: &str) -> Result<Self, NotATraceParent> {
        let mut fields = text.split('-');
        let mut field = |digits: usize| {
            fields.next().filter(|field| is_hex(field, digits)).ok_or(NotATraceParent)
        };
        let (version, trace, span, flags) = (field(2)?, field(32)?, field(16)?, field(2)?);
        if version == "ff" || (version == "00" && fields.next().is_some()) {
            return Err(NotATraceParent);
        }
        let parent = Self {
            trace_id: u128::from_str_radix(trace, 16).map_err(|_| NotATraceParent)?,
            span_id: u64::from_str_radix(span, 16).map_err(|_| NotATraceParent)?,
            sampled: u8::from_str_radix(flags, 16).map_err(|_| NotATraceParent)? & SAMPLED != 0,
        };
        if parent.trace_id == 0 || parent.span_id == 0 {
            return Err(NotATraceParent);
        }
        Ok(parent)
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = if self.sampled { SAMPLED } else { 0 };
        write!(f, "00-{:032x}-{:016x}-{flags:02x}", self.trace_id, self.span_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_is_read_and_written() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let parent: TraceParent = text.parse().unwrap();
        assert_eq!(parent.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!(parent.span_id, 0x00f0_67aa_0ba9_02b7);
        assert!(parent.sampled);
        assert_eq!(parent.to_string(), text);
        let unsampled = text.replace("-01", "-00");
        assert!(!unsampled.parse::<TraceParent>().unwrap().sampled);
        assert_eq!(unsampled.parse::<TraceParent>().unwrap().to_string(), unsampled);
    }

    #[test]
    fn later_versions_may_have_more_fields() {
        let text = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-ever";
        assert!(text.parse::<TraceParent>().is_ok());
    }

    #[test]
    fn what_the_specification_forbids_is_refused() {
        for wrong in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(wrong.parse::<TraceParent>(), Err(NotATraceParent), "{wrong}");
        }
    }
}
