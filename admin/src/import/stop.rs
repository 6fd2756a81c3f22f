//! A sign that nobody waits for the work any more.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells work on another thread to end. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

/// Stops the work when it is dropped: it lives as long as somebody waits.
#[derive(Debug)]
pub(super) struct Waiting(Stop);

impl Stop {
    /// True once nobody waits.
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn unless_waited_for(&self) -> Waiting {
        Waiting(self.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Bytes that end in an error once nobody waits: a parser that reads them stops in between.
pub(super) struct Stoppable<'a> {
    bytes: &'a [u8],
    stop: &'a Stop,
}

/// The bytes between two looks: some microseconds of parsing.
const PIECE_BYTES: usize = 64 * 1024;

impl<'a> Stoppable<'a> {
    pub(super) fn new(bytes: &'a [u8], stop: &'a Stop) -> Self {
        Self { bytes, stop }
    }
}

impl Read for Stoppable<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_set() {
            return Err(io::Error::other("nobody waits for it"));
        }
        let most = into.len().min(PIECE_BYTES);
        self.bytes.read(into.get_mut(..most).unwrap_or_default())
    }
}
