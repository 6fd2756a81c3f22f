//! The bytes of a file: a header, and frames after it.
//!
//! | header | bytes | |
//! |---|---|---|
//! | magic | 8 | `TNTYLKG` and a newline |
//! | format | 2 | 1 |
//! | role | 1 | 1 a base, 2 a journal |
//! | sealed | 1 | 1 if payloads are sealed |
//! | generation | 8 | the same in a base and its journal |
//! | checksum | 4 | CRC-32 of the above |
//!
//! | frame | bytes | |
//! |---|---|---|
//! | length | 4 | of the payload as it is in the file |
//! | index | 4 | 0 for the first frame of the file |
//! | checksum | 4 | CRC-32 of generation, role, length and index: the frame is in its place |
//! | checksum | 4 | CRC-32 of the payload |
//! | payload | | |
//!
//! Numbers are little endian.

use store::seal::SecretsKey;

use super::record::FrameBody;

const MAGIC: &[u8; 8] = b"TNTYLKG\n";
const FORMAT: u16 = 1;
/// The bytes of a header.
pub(super) const HEADER_LEN: usize = 24;
const FRAME_HEADER_LEN: usize = 16;

/// The size at which a frame is complete: what lies in memory twice while a file is written or
/// read.
pub(super) const FRAME_BYTES: usize = 1_000_000;

/// The protection of payloads.
#[derive(Clone, Debug)]
pub enum Sealing {
    /// They are in clear: nothing in them is secret.
    Clear,
    /// They are sealed.
    Key(SecretsKey),
}

/// The kinds of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Base = 1,
    Journal = 2,
}

/// Why a file cannot be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It ends in the middle of something, and nothing follows.
    Torn,
    /// It has changed since it was written.
    Damaged,
    /// Another release of this program has written it.
    OtherFormat,
    /// It is sealed with another key, or it is sealed and there is no key, or the other way round.
    NotOpened,
}

/// Writes or reads the frames of one file in their order.
#[derive(Debug)]
pub(super) struct Coder {
    sealing: Sealing,
    role: Role,
    generation: u64,
    next_index: u32,
}

impl Coder {
    pub(super) fn new(sealing: Sealing, role: Role, generation: u64) -> Self {
        Self { sealing, role, generation, next_index: 0 }
    }

    pub(super) fn header(&self) -> Vec<u8> {
        let mut header = Vec::with_capacity(HEADER_LEN);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&FORMAT.to_le_bytes());
        header.extend_from_slice(&[
            self.role as u8,
            u8::from(matches!(self.sealing, Sealing::Key(_))),
        ]);
        header.extend_from_slice(&self.generation.to_le_bytes());
        header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
        header
    }

    /// The next frame. `None` if it cannot be: a payload is too long.
    pub(super) fn encode(&mut self, frame: &FrameBody) -> Option<Vec<u8>> {
        let clear = frame.encode();
        let payload = match &self.sealing {
            Sealing::Clear => clear,
            Sealing::Key(key) => key.seal_bytes(&self.context(), &clear).ok()?,
        };
        let length = u32::try_from(payload.len()).ok()?;
        let mut bytes = Vec::with_capacity(FRAME_HEADER_LEN + payload.len());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&self.next_index.to_le_bytes());
        bytes.extend_from_slice(&self.header_checksum(length).to_le_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&payload).to_le_bytes());
        bytes.extend_from_slice(&payload);
        self.next_index = self.next_index.checked_add(1)?;
        Some(bytes)
    }

    /// Takes the header off the beginning of a file.
    pub(super) fn read_header<'a>(&self, file: &'a [u8]) -> Result<&'a [u8], Fault> {
        let (header, rest) = file.split_at_checked(HEADER_LEN).ok_or(Fault::Torn)?;
        let (said, checksum) = header.split_at(HEADER_LEN - 4);
        if !said.starts_with(MAGIC) || checksum != crc32fast::hash(said).to_le_bytes() {
            return Err(Fault::Damaged);
        }
        if said.get(8..10) != Some(&FORMAT.to_le_bytes()) {
            return Err(Fault::OtherFormat);
        }
        let own = self.header();
        if said.get(11) != own.get(11) {
            return Err(Fault::NotOpened);
        }
        if header == own { Ok(rest) } else { Err(Fault::Damaged) }
    }

    /// Takes the next frame off the rest of a file; `None` at its end.
    pub(super) fn read_frame(&mut self, rest: &mut &[u8]) -> Result<Option<FrameBody>, Fault> {
        if rest.is_empty() {
            return Ok(None);
        }
        let (payload, after) = self.split_frame(rest)?;
        let clear = match &self.sealing {
            Sealing::Clear => FrameBody::decode(payload),
            Sealing::Key(key) => {
                let clear = key.open_bytes(&self.context(), payload).ok_or(Fault::NotOpened)?;
                FrameBody::decode(&clear)
            }
        };
        let frame = clear.ok_or(Fault::Damaged)?;
        self.next_index = self.next_index.checked_add(1).ok_or(Fault::Damaged)?;
        *rest = after;
        Ok(Some(frame))
    }

    fn split_frame<'a>(&self, rest: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), Fault> {
        let torn_if = |torn: bool| if torn { Fault::Torn } else { Fault::Damaged };
        // Blocks that were given to the file and never written are zeros.
        let never_written = || rest.iter().all(|byte| *byte == 0);
        let (header, after) = rest.split_at_checked(FRAME_HEADER_LEN).ok_or(Fault::Torn)?;
        let (fields, _) = header.as_chunks::<4>();
        let &[length, index, header_checksum, checksum] = fields else {
            return Err(Fault::Damaged);
        };
        let length = u32::from_le_bytes(length);
        if u32::from_le_bytes(header_checksum) != self.header_checksum(length)
            || u32::from_le_bytes(index) != self.next_index
        {
            return Err(torn_if(never_written()));
        }
        let (payload, after) = after.split_at_checked(length as usize).ok_or(Fault::Torn)?;
        if u32::from_le_bytes(checksum) != crc32fast::hash(payload) {
            return Err(torn_if(after.iter().all(|byte| *byte == 0)));
        }
        Ok((payload, after))
    }

    fn header_checksum(&self, length: u32) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.context());
        hasher.update(&length.to_le_bytes());
        hasher.finalize()
    }

    /// The position of the next frame, for its checksum and its seal: no other frame of any file
    /// has the same.
    fn context(&self) -> Vec<u8> {
        let place = [
            &self.generation.to_le_bytes()[..],
            &[self.role as u8],
            &self.next_index.to_le_bytes(),
        ];
        [&MAGIC[..], &place.concat()].concat()
    }
}
