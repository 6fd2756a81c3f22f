//! An export, line by line: a chain of any length in little memory.

use std::io::{self, BufRead, Read as _};

use store::audit::AuditRow;
use store::audit::chain::{Checker, Fault, Intact, Noted};

/// The longest line: twice the longest settings, escaped, and room to spare.
const LINE_BYTES: usize = 16 * 1024 * 1024;

/// Reads an export in JSON Lines to its end, and computes every hash again.
///
/// # Errors
/// The input cannot be read. The inner error is the fault of the chain.
pub fn verify_lines(mut input: impl BufRead, noted: Noted) -> io::Result<Result<Intact, Fault>> {
    let mut checker = Checker::new(noted);
    loop {
        let row = match next(&mut input)? {
            Line::Row(row) => row,
            Line::Unreadable(reason) => {
                return Ok(Err(Fault::Unreadable { seq: checker.next_seq(), reason }));
            }
            Line::End => return Ok(checker.end()),
        };
        match checker.take(&row) {
            Ok(()) => {}
            // If it comes later, it was moved, and not taken away.
            Err(Fault::Missing { seq, found }) if comes_later(&mut input, seq)? => {
                return Ok(Err(Fault::Reordered { seq, found }));
            }
            Err(fault) => return Ok(Err(fault)),
        }
    }
}

enum Line {
    Row(Box<AuditRow>),
    Unreadable(String),
    End,
}

fn next(input: &mut impl BufRead) -> io::Result<Line> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.by_ref().take(LINE_BYTES as u64 + 1).read_until(b'\n', &mut line)? == 0 {
            return Ok(Line::End);
        }
        if line.len() > LINE_BYTES {
            return Ok(Line::Unreadable(format!("the line has more than {LINE_BYTES} bytes")));
        }
        if !line.trim_ascii().is_empty() {
            break;
        }
    }
    Ok(match serde_json::from_slice(&line) {
        Ok(row) => Line::Row(Box::new(row)),
        Err(error) => Line::Unreadable(error.to_string()),
    })
}

fn comes_later(input: &mut impl BufRead, seq: i64) -> io::Result<bool> {
    loop {
        match next(input)? {
            Line::Row(row) if row.seq == seq => return Ok(true),
            Line::Row(_) | Line::Unreadable(_) => {}
            Line::End => return Ok(false),
        }
    }
}
