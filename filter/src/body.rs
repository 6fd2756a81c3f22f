//! The body of a signed request: it is held until it is complete, and let go if it has the digest
//! that was signed.

use policy::digest_field::Expected;
use policy::refusal::Refusal;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{Action, BufferType};

/// The most bytes that one host call copies: a VM's memory is bounded.
const PIECE_BYTES: usize = 64 * 1024;

/// A body that is waited for.
pub(crate) struct Body {
    expected: Expected,
    max_bytes: usize,
}

impl Body {
    pub(crate) fn new(expected: Expected, max_bytes: usize) -> Self {
        Self { expected, max_bytes }
    }

    /// Looks at the part that is held: `size` bytes, from the beginning of the body on.
    pub(crate) fn check(&self, size: usize, complete: bool) -> Result<Action, Refusal> {
        if size > self.max_bytes {
            return Err(Refusal::BodyTooLarge { max_bytes: self.max_bytes });
        }
        if !complete {
            return Ok(Action::Pause);
        }
        let mut hasher = self.expected.start();
        let mut at = 0;
        while at < size {
            let piece =
                hostcalls::get_buffer(BufferType::HttpRequestBody, at, PIECE_BYTES.min(size - at));
            let piece =
                piece.ok().flatten().filter(|piece| !piece.is_empty()).ok_or(Refusal::NotReady)?;
            hasher.update(&piece);
            at += piece.len();
        }
        if hasher.finish() { Ok(Action::Continue) } else { Err(Refusal::Forbidden) }
    }

    /// Returns the bytes that are held; needed if Envoy does not say.
    pub(crate) fn held(&self) -> usize {
        let len = |at| {
            hostcalls::get_buffer(BufferType::HttpRequestBody, at, PIECE_BYTES)
                .ok()
                .flatten()
                .map_or(0, |piece| piece.len())
        };
        let mut held = 0;
        while held <= self.max_bytes {
            match len(held) {
                0 => break,
                more => held += more,
            }
        }
        held
    }
}
