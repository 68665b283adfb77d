//! How a message goes out: into the buffer of the connection, or, if it is large and the peer reads
//! this process's memory, straight from where it stands into that memory.

use crate::limits::Limits;
use bytes::{Buf, BytesMut};
use rpc_core::{Codec, MethodDescriptor, Payload, Pieces, Status};
use rpc_transport::Wire;

/// From how many bytes on messages go straight to where `wire` leads.
pub(crate) fn straight_from(wire: &Wire, limits: &Limits) -> usize {
    match wire.writes_to_memory() {
        true => limits.straight_bytes,
        false => usize::MAX,
    }
}

/// A message that is to be sent, with what encodes it.
#[derive(Clone, Copy)]
pub(crate) enum Message<'a> {
    Owned(&'a Payload),
    Lent(&'a dyn rpc_core::Wire),
}

impl Message<'_> {
    /// Appends it, or says how many bytes are to follow what stands in `out`: from so many bytes
    /// on it goes `straight`.
    pub(crate) fn append(
        self,
        codec: &dyn Codec,
        method: &MethodDescriptor,
        straight: usize,
        out: &mut BytesMut,
    ) -> Result<usize, Status> {
        if straight < usize::MAX {
            let bytes = self.bytes(codec).filter(|bytes| *bytes >= straight);
            if let Some(bytes) = bytes {
                return method.admit(bytes).map(|()| bytes);
            }
        }
        let before = out.len();
        match self {
            Self::Owned(payload) => payload.append(codec, out)?,
            Self::Lent(value) => codec.encode(value, out)?,
        }
        method.admit(out.len() - before).map(|()| 0)
    }

    fn bytes(self, codec: &dyn Codec) -> Option<usize> {
        match self {
            Self::Owned(payload) => payload.encoded_bytes(codec),
            Self::Lent(value) => codec.encoded_bytes(value),
        }
    }

    fn write(self, codec: &dyn Codec, out: &mut Pieces<'_>) {
        match self {
            Self::Owned(payload) => payload.write(codec, out),
            Self::Lent(value) => codec.write(value, out),
        }
    }

    /// Sends it behind what stands in `output`, by a `write` that waits. What that does not take,
    /// for whatever reason, stands in `output` then. False where it has not so many `bytes`.
    pub(crate) fn send(
        self,
        codec: &dyn Codec,
        bytes: usize,
        output: &mut BytesMut,
        mut write: impl FnMut(&[u8], &[u8]) -> ipc_core::Result<usize>,
    ) -> bool {
        let mut takes = true;
        let mut take = |gathered: &mut BytesMut, mut piece: &[u8]| {
            while takes && !(gathered.is_empty() && piece.is_empty()) {
                match write(gathered, piece) {
                    Ok(written) => {
                        let head = written.min(gathered.len());
                        gathered.advance(head);
                        piece = &piece[written - head..];
                    }
                    // Whoever sends the rest meets it again.
                    Err(_) => takes = false,
                }
            }
            gathered.extend_from_slice(piece);
        };
        let mut pieces = Pieces::new(std::mem::take(output), &mut take);
        self.write(codec, &mut pieces);
        let whole = pieces.written() == bytes;
        *output = pieces.finish();
        whole
    }
}

/// A large message that waits for room where it goes: kept as it is, and not as a copy.
pub(crate) struct Large {
    /// What goes before the rest.
    before: BytesMut,
    /// The message, while not all of it is out or in `before`.
    rest: Option<Payload>,
    codec: &'static dyn Codec,
    bytes: usize,
    /// How many of them are out, or in `before`.
    done: usize,
}

/// Of a message that waits so many bytes may be gathered again, since they stood between its
/// slices; one with more is copied.
const GATHERED_AGAIN: usize = 64 << 10;

impl Large {
    pub(crate) fn new(
        before: BytesMut,
        message: Payload,
        codec: &'static dyn Codec,
        bytes: usize,
    ) -> Self {
        Self {
            before,
            rest: Some(message),
            codec,
            bytes,
            done: 0,
        }
    }

    /// How many bytes have not been written.
    pub(crate) fn left(&self) -> usize {
        self.before.len() + self.bytes - self.done
    }

    /// Writes it, or as much as there is room for, which an error says.
    pub(crate) fn write(
        &mut self,
        write: &mut impl FnMut(&[u8], &[u8]) -> ipc_core::Result<usize>,
    ) -> ipc_core::Result<()> {
        if let Some(rest) = self.rest.take() {
            let (outcome, gathered) = self.encode(&rest, write);
            match outcome {
                Err(error) if error.kind() == ipc_core::ErrorKind::WouldBlock => {
                    if gathered > GATHERED_AGAIN {
                        self.encode(&rest, &mut |_, _| Ok(0)).0?;
                    } else {
                        self.rest = Some(rest);
                    }
                    return Err(error);
                }
                outcome => outcome?,
            }
        }
        while !self.before.is_empty() {
            let written = write(&self.before, &[])?;
            self.before.advance(written);
        }
        Ok(())
    }

    /// Encodes it once more, and writes what is not out yet. A writer that takes nothing has it
    /// all put into `before`. Also how many bytes stood between slices.
    fn encode(
        &mut self,
        message: &Payload,
        write: &mut impl FnMut(&[u8], &[u8]) -> ipc_core::Result<usize>,
    ) -> (ipc_core::Result<()>, usize) {
        let (before, done) = (&mut self.before, &mut self.done);
        let (mut at, mut between, mut outcome) = (0, 0, Ok(()));
        let mut take = |gathered: &mut BytesMut, piece: &[u8]| {
            between += gathered.len();
            if outcome.is_ok() {
                // What an earlier turn has taken is passed by.
                let skipped = done.saturating_sub(at).min(gathered.len());
                before.extend_from_slice(&gathered[skipped..]);
                *done = (*done).max(at + gathered.len());
                let skipped = done.saturating_sub(at + gathered.len()).min(piece.len());
                outcome = write_both(before, &piece[skipped..], done, write);
            }
            at += gathered.len() + piece.len();
            gathered.clear();
        };
        let mut pieces = Pieces::new(BytesMut::new(), &mut take);
        message.write(self.codec, &mut pieces);
        let last = pieces.finish();
        if outcome.is_ok() {
            let skipped = done.saturating_sub(at).min(last.len());
            before.extend_from_slice(&last[skipped..]);
            *done = (*done).max(at + last.len());
        }
        if at + last.len() != self.bytes {
            let wrong = "a message has not the length that it says";
            outcome =
                Err(ipc_core::Error::new("send", ipc_core::ErrorKind::InvalidInput).hint(wrong));
        }
        (outcome, between + last.len())
    }
}

impl std::fmt::Debug for Large {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Large")
            .field("left", &self.left())
            .finish_non_exhaustive()
    }
}

/// Writes what stands `before` a slice, and the slice, of which it counts what is `done`.
fn write_both(
    before: &mut BytesMut,
    mut piece: &[u8],
    done: &mut usize,
    write: &mut impl FnMut(&[u8], &[u8]) -> ipc_core::Result<usize>,
) -> ipc_core::Result<()> {
    while !(before.is_empty() && piece.is_empty()) {
        let written = write(before, piece)?;
        if written == 0 {
            before.extend_from_slice(piece);
            *done += piece.len();
            return Ok(());
        }
        let head = written.min(before.len());
        before.advance(head);
        *done += written - head;
        piece = &piece[written - head..];
    }
    Ok(())
}
