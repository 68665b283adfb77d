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
        self.before.len() + self.bytes.saturating_sub(self.done)
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

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BufMut;
    use ipc_core::Until;
    use rpc_core::{Code, Protobuf};
    use std::cell::RefCell;
    use std::sync::Arc;

    /// A message whose form is its slices one behind the other, for which it says a length.
    #[derive(Debug)]
    struct Slices(Vec<Vec<u8>>, usize);

    impl rpc_core::Wire for Slices {
        fn append_protobuf(&self, out: &mut BytesMut) {
            self.0.iter().for_each(|slice| out.put_slice(slice));
        }
        fn protobuf_bytes(&self) -> Option<usize> {
            Some(self.1)
        }
        fn write_protobuf(&self, out: &mut Pieces<'_>) {
            self.0.iter().for_each(|slice| out.put_slice(slice));
        }
        fn merge_protobuf(&mut self, _: bytes::Bytes) -> Result<(), Status> {
            Err(Status::bare(Code::Unimplemented))
        }
        fn as_serialize(&self) -> &dyn erased_serde::Serialize {
            &()
        }
        fn deserialize(
            &mut self,
            _: &mut dyn erased_serde::Deserializer<'_>,
        ) -> Result<(), erased_serde::Error> {
            Ok(())
        }
        fn into_any(self: Arc<Self>) -> Arc<dyn std::any::Any + Send + Sync> {
            self
        }
    }

    impl Slices {
        fn of(sizes: &[usize]) -> Self {
            let number = |at: usize| (at % 249) as u8;
            let slices = sizes
                .iter()
                .map(|size| (0..*size).map(number).collect::<Vec<_>>());
            Self(slices.collect(), sizes.iter().sum())
        }

        fn whole(&self) -> Vec<u8> {
            [b"before".to_vec(), self.0.concat()].concat()
        }
    }

    /// What was written, by writes of which each takes what `room` says, or has none.
    fn written(message: Slices, rooms: impl Iterator<Item = usize>) -> Vec<u8> {
        let bytes = message.1;
        let payload = Payload::Value(Arc::new(message));
        let mut large = Large::new(BytesMut::from(&b"before"[..]), payload, &Protobuf, bytes);
        let (out, mut rooms) = (RefCell::new(Vec::new()), rooms);
        let mut write = |head: &[u8], body: &[u8]| match rooms.next() {
            None | Some(0) => Err(Until::Now.over("write")),
            Some(room) => {
                let both = [head, body].concat();
                let taken = &both[..room.min(both.len())];
                out.borrow_mut().extend_from_slice(taken);
                Ok(taken.len())
            }
        };
        loop {
            let before = out.borrow().len();
            match large.write(&mut write) {
                Ok(()) => break,
                Err(error) => assert_eq!(error.kind(), ipc_core::ErrorKind::WouldBlock),
            }
            let all = large.left() + out.borrow().len();
            assert_eq!(all, bytes + 6, "{before} were out before");
        }
        assert_eq!(large.left(), 0);
        out.into_inner()
    }

    #[test]
    fn whatever_room_there_is_all_is_written_once() {
        let shapes: [&[usize]; 6] = [
            &[],
            &[100_000],
            &[5, 4096, 5, 10_000, 5],
            &[1_000; 30],
            &[3_000; 60],
            &[20_000, 1, 1, 20_000, 4_095, 4_096],
        ];
        for shape in shapes {
            for most in [1_000, 5_000, 40_000, usize::MAX] {
                let mut seed = 7_u64;
                let rooms = std::iter::repeat_with(move || {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    match seed >> 62 {
                        0 => 0,
                        _ => 1 + (seed >> 20) as usize % most,
                    }
                });
                let came = written(Slices::of(shape), rooms);
                assert!(came == Slices::of(shape).whole(), "{shape:?} by {most}");
            }
        }
    }

    #[test]
    fn a_long_slice_is_handed_over_where_it_stands_and_little_is_moved() {
        let message = Slices::of(&[5, 1 << 20, 5]);
        let at = message.0[1].as_ptr_range();
        let (mut straight, mut moved) = (0, 0);
        let mut output = BytesMut::from(&b"before"[..]);
        let write = |head: &[u8], body: &[u8]| {
            moved += head.len();
            straight += body.len();
            assert!(body.is_empty() || at.contains(&body.as_ptr()));
            Ok(head.len() + body.len())
        };
        let sent = Message::Lent(&message).send(&Protobuf, message.1, &mut output, write);
        assert!(sent);
        assert_eq!((straight, moved, output.len()), (1 << 20, 11, 5));
    }

    #[test]
    fn a_false_length_is_told() {
        for wrong in [0, 99_999, 100_001] {
            let message = Slices(vec![vec![0; 100_000]], wrong);
            let mut output = BytesMut::new();
            let write = |head: &[u8], body: &[u8]| Ok(head.len() + body.len());
            assert!(!Message::Lent(&message).send(&Protobuf, wrong, &mut output, write));
            let payload = Payload::Value(Arc::new(message));
            let mut large = Large::new(BytesMut::new(), payload, &Protobuf, wrong);
            let mut write = |head: &[u8], body: &[u8]| Ok(head.len() + body.len());
            let told = large.write(&mut write).expect_err("it is another");
            assert_eq!(told.kind(), ipc_core::ErrorKind::InvalidInput);
        }
    }
}
